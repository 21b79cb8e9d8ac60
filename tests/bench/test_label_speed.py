"""Label a folder end to end against a torchvision loop: same weights, same pictures, AP of both.

Theirs is what a person writes after reading torchvision's documentation: decode with Pillow, run the
model, threshold its full-size masks, encode them with pycocotools. Ours is the `label` job itself,
with its project on the disk. The model is loaded and warm in both.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from PIL import Image
from pycocotools import mask as coco_mask

from engine.device import use_threads
from engine.document.masks import Mask, from_rle
from engine.document.records import Instance
from engine.errors import ModelError
from engine.formats.coco import read_coco
from engine.formats.labelled import LabelledSet
from engine.messages import Finished, LabelFolder, ModelChoice
from engine.models.card import ModelVersion
from engine.models.store import default_store
from engine.models.version import load_network
from engine.predict.prepare import set_roi_scales
from engine.predict.settings import PredictSettings
from engine.project import Project
from engine.session import run_to_end
from engine.train.scores import score
from tests.bench.conftest import Row

MODEL = os.environ.get("MASKWRIGHT_BENCH_MODEL", "pennfudan")
"""An R50-FPN version in the store; docs/results.md says how it was trained."""

Found = list[tuple[Instance, ...]]


@dataclass(frozen=True, slots=True)
class Case:
    """Which pictures, at which short side (and so long side), blown up to how many times their size."""

    name: str
    images: int
    side: int
    blow_up: int = 1


CASES = (
    Case("0.2 megapixels, side 800", 12, 800),
    Case("12 megapixels, side 800", 4, 800, blow_up=8),
    Case("0.2 megapixels, the model's own side", 50, 0),
)


@pytest.mark.bench
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_label_a_folder(case: Case, row: Row, shared_data: Path, tmp_path: Path) -> None:
    try:
        version = default_store().resolve(MODEL)
    except ModelError as error:
        pytest.skip(f"the bench needs a trained model: {error}")
    truth = _pictures(read_coco(shared_data / "pennfudan" / "val.json"), case, tmp_path)
    side = case.side or version.card.spec.min_size
    use_threads(window=False)
    their_seconds, theirs = _torchvision_loop(truth, version, side)
    our_seconds, ours = _label_job(truth, version, side, tmp_path)
    row(
        f"label {len(truth.images)} images end to end, {case.name}",
        f"{our_seconds / len(truth.images):.2f} s an image",
        f"{their_seconds / len(truth.images):.2f} s an image",
        f"{their_seconds / our_seconds:.2f}x",
    )
    if case.side:
        return  # the model was trained at another side: its AP here would be noise
    our_ap, their_ap = (score(truth, found).metrics["mask_ap"] for found in (ours, theirs))
    row(f"mask AP on them, {case.name}", f"{our_ap:.4f}", f"{their_ap:.4f}", f"{our_ap - their_ap:+.4f}")
    assert our_ap >= their_ap - 0.001


def _pictures(truth: LabelledSet, case: Case, folder: Path) -> LabelledSet:
    """The case's pictures in a folder of their own, with their truth."""
    images = []
    for image in truth.images[: case.images]:
        target = folder / image.path.name
        pixels = cv2.imdecode(np.frombuffer(image.path.read_bytes(), np.uint8), cv2.IMREAD_COLOR)
        assert pixels is not None
        k = case.blow_up
        size = (image.width * k, image.height * k)
        _, encoded = cv2.imencode(target.suffix, cv2.resize(pixels, size, interpolation=cv2.INTER_CUBIC))
        target.write_bytes(encoded.tobytes())
        instances = tuple(replace(one, mask=_grown(one.mask, k), box_xyxy=None) for one in image.instances)
        images.append(
            replace(image, path=target, width=size[0], height=size[1], instances=instances, ignore=())
        )
    return truth.with_images(tuple(images))


def _grown(mask: Mask | None, times: int) -> Mask:
    assert mask is not None
    return Mask.from_crop(
        mask.x * times, mask.y * times, mask.bitmap.repeat(times, axis=0).repeat(times, axis=1)
    )


def _torchvision_loop(truth: LabelledSet, version: ModelVersion, side: int) -> tuple[float, Found]:
    network = load_network(version)
    network.transform.min_size, network.transform.max_size = (side,), 2 * side
    set_roi_scales(network)  # its guess from the first picture would only cost it AP
    network([torch.zeros(3, 64, 64)])
    begun = time.perf_counter()
    encoded = []
    with torch.inference_mode():
        for image in truth.images:
            with Image.open(image.path) as picture:
                pixels = torch.from_numpy(np.array(picture.convert("RGB"))).permute(2, 0, 1).float() / 255
            answer = network([pixels])[0]
            rles = [coco_mask.encode(np.asfortranarray(m[0].numpy() > 0.5)) for m in answer["masks"]]
            encoded.append((answer["boxes"].tolist(), answer["scores"].tolist(), rles))
    seconds = time.perf_counter() - begun
    return seconds, [
        tuple(_instance(*one, truth) for one in zip(boxes, scores, rles, strict=True))
        for boxes, scores, rles in encoded
    ]


def _instance(box: Sequence[float], score_: float, rle: Mapping[str, object], truth: LabelledSet) -> Instance:
    size = rle["size"]
    assert isinstance(size, list)
    mask = from_rle(rle, height=size[0], width=size[1])
    x0, y0, x1, y1 = box
    return Instance(1, truth.classes[0].id, mask, (x0, y0, x1, y1), score_)


def _label_job(truth: LabelledSet, version: ModelVersion, side: int, folder: Path) -> tuple[float, Found]:
    settings = PredictSettings(max_detections=100, min_size=side, max_size=2 * side)
    choice = ModelChoice(str(version.path), settings, "cpu")
    summary: dict[str, int | float | str] = {}
    for event in run_to_end(LabelFolder(folder, choice)):
        if isinstance(event, Finished):
            summary = dict(event.summary)
    with Project.open(folder, read_only=True) as project:
        by_path = {project.path_of(item): project.load(item.id).instances for item in project.media()}
        own = truth.classes[0].id
        found = [tuple(replace(one, class_id=own) for one in by_path[image.path]) for image in truth.images]
    return float(summary["seconds"]), found
