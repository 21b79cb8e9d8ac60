"""Making a model version out of somebody's weights file: which network it is, which classes it has.

It decides from names and shapes alone, plus what a person says; files are read as data by
`engine.models.weights`. It does not know the store.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path

from torchvision.models.detection import MaskRCNN_ResNet50_FPN_Weights

from engine.errors import ModelError
from engine.models.backbone import is_backbone
from engine.models.card import ModelCard, card_path_of, name_from, read_version, sha256_of
from engine.models.coco import coco_classes
from engine.models.spec import NetworkSpec
from engine.models.ssd import SSDS
from engine.models.version import load_detector
from engine.models.weights import (
    SAFETENSORS_SUFFIXES,
    Detector,
    State,
    class_count,
    fitted,
    read_state,
    recognise,
    with_modern_names,
)


def read_import(
    path: Path,
    *,
    name: str | None = None,
    classes: tuple[str, ...] | None = None,
    architecture: str | None = None,
    norm_eps: float | None = None,
) -> tuple[Detector, ModelCard]:
    """The network in a file and a card for it, not saved yet.

    None stands for what the file itself is to tell. A model version's own safetensors file keeps its
    card; a bare one is recognised. Raises ModelError where the file is unsafe, damaged or unknown, or
    contradicts what was given.
    """
    name = name or name_from(path.name.removesuffix(path.suffix))
    if path.suffix.lower() in SAFETENSORS_SUFFIXES and card_path_of(path).is_file():
        if (architecture, norm_eps) != (None, None):
            raise ModelError(f"{path} has a model card that tells its architecture; do not give one as well.")
        version = read_version(path)
        classes = version.card.classes if classes is None else classes
        _check_count(path, classes, len(version.card.classes))
        return load_detector(version), dataclasses.replace(version.card, name=name, classes=classes)
    state = with_modern_names(read_state(path))
    count = class_count(state)
    if count is None:
        raise ModelError(_not_a_detector(path, state))
    classes = _default_classes(count) if classes is None else classes
    _check_count(path, classes, count)
    architecture = architecture or recognise(state)
    if architecture is None:
        raise ModelError(
            f"{path} is a detector of an unknown architecture, or of one built another way than "
            "torchvision's with FPN: name it with --architecture to see what does not fit."
        )
    spec = NetworkSpec(architecture, count)
    if norm_eps is not None:
        spec = dataclasses.replace(spec, norm_eps=norm_eps)
    if ssd := SSDS.get(architecture):
        spec = dataclasses.replace(spec, min_size=ssd.side, max_size=ssd.side)
    network = fitted(state, spec, path)
    mean, std = (tuple(own) for own in (network.transform.image_mean, network.transform.image_std))
    training = {"file": path.name, "file_sha256": sha256_of(path)}
    return network, ModelCard(name, spec, classes, mean, std, training=training)


def _default_classes(count: int) -> tuple[str, ...]:
    coco = coco_classes(MaskRCNN_ResNet50_FPN_Weights.COCO_V1.meta["categories"])
    return coco if count == len(coco) else tuple(f"class_{i}" for i in range(count))


def _check_count(path: Path, classes: tuple[str, ...], count: int) -> None:
    if len(classes) != count:
        raise ModelError(f"{path} tells {count} classes apart, but {len(classes)} were named.")


def _not_a_detector(path: Path, state: State) -> str:
    if is_backbone(state):
        return f"{path} holds a backbone, not a detector: train from it with `train DATA --base {path.name}`."
    return f"{path} holds no detector of the Mask R-CNN family and no SSD (no box predictor in it)."
