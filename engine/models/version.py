"""Model versions with their weights: saved whole or not at all, and never loaded unverified.

It does not know where versions are kept (`engine.models.store`) nor how they are trained.
"""

from __future__ import annotations

import contextlib
import dataclasses
import json
import os
from pathlib import Path

import safetensors.torch
from torchvision.models.detection import FasterRCNN

from engine.errors import ModelError
from engine.models.card import (
    WEIGHTS_SUFFIX,
    ModelCard,
    ModelVersion,
    card_path_of,
    card_to_json,
    check_name,
    pending,
    read_version,
    sha256_of,
)
from engine.models.compact import compacted, restored
from engine.models.prompt_head import BEFORE
from engine.models.weights import Detector, as_floats, fitted, misfit, read_state, skeleton

__all__ = ["ModelCard", "ModelVersion", "load_detector", "load_network", "read_version", "save_version"]


def save_version(
    folder: Path, name: str, network: Detector, card: ModelCard, *, compact: bool = False
) -> ModelVersion:
    """Save a network as `folder/NAME.safetensors` with its card; an older version of it is replaced.

    The card is saved with this name and the file's SHA-256. Whatever happens on the way, the folder
    holds either the old version or the new one, whole. The network is left as it is; its weights are
    written as float32, or at a quarter of the size with `compact`. Raises ModelError when they are not
    finite or do not fit the card's spec, or when the folder cannot be written.
    """
    weights = folder / (check_name(name) + WEIGHTS_SUFFIX)
    state = {key: tensor.detach().cpu() for key, tensor in network.state_dict().items()}
    shape = skeleton(card.spec)
    reason = misfit(state, shape)
    if reason is not None:
        raise ModelError(f"Model {name} does not fit its own card ({card.spec.architecture}): {reason}.")
    state = as_floats(state, shape, weights)
    if compact:
        state = compacted(state)
    new_weights, new_card = pending(weights), pending(card_path_of(weights))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        safetensors.torch.save_file(state, new_weights, {"format": "pt"})
        _flush(new_weights)
        card = dataclasses.replace(card, name=name, sha256=sha256_of(new_weights))
        text = json.dumps(card_to_json(card), indent=2, ensure_ascii=False, allow_nan=False)
        new_card.write_text(text + "\n", encoding="utf-8")
        _flush(new_card)
        # safetensors lets nobody else read its files; the card was made as the person's umask says.
        new_weights.chmod(new_card.stat().st_mode)
        # Weights first: `read_version` settles what a stop between these two lines leaves behind.
        new_weights.replace(weights)
        new_card.replace(card_path_of(weights))
        _flush_folder(folder)
    except (OSError, safetensors.SafetensorError) as e:
        _take_back(new_weights, new_card)
        raise ModelError(f"Model {name} cannot be saved in {folder}: {e}.") from e
    except ValueError as e:
        _take_back(new_weights, new_card)
        raise ModelError(f"Model {name} cannot be saved: its card holds a value JSON has no form for.") from e
    return ModelVersion(weights, card)


def load_network(version: ModelVersion) -> FasterRCNN:
    """As `load_detector`, for what only a Mask R-CNN or Faster R-CNN can do. Raises ModelError."""
    network = load_detector(version)
    if not isinstance(network, FasterRCNN):
        raise ModelError(
            f"Model {version.card.name} is an SSD, which finds boxes for `label` and does nothing else here: "
            "choose a Mask R-CNN."
        )
    return network


def load_detector(version: ModelVersion) -> Detector:
    """The network of a model version, in evaluation mode, float32 on the CPU.

    The file's SHA-256 is compared with the card's before anything in it is used. Raises ModelError
    when the file is missing, changed or damaged, or does not fit its card.
    """
    try:
        digest = sha256_of(version.path)
    except OSError as e:
        raise ModelError(f"Model {version.path} cannot be read: {e.strerror or e}.") from e
    if digest != version.card.sha256:
        raise ModelError(
            f"Model {version.path} was changed or damaged since it was saved; download or train it again."
        )
    try:
        state = restored(read_state(version.path))
    except ValueError as e:
        raise ModelError(f"Model {version.path} is damaged: {e}; fetch it again.") from e
    spec = version.card.spec
    if any(key.startswith(BEFORE) for key in state):
        state = {key: tensor for key, tensor in state.items() if not key.startswith(BEFORE)}
        spec = dataclasses.replace(spec, prompts=False)
    return fitted(state, spec, version.path)


def _flush(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())


def _flush_folder(folder: Path) -> None:
    # Makes the renames themselves durable, where the system lets a folder be opened.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _take_back(new_weights: Path, new_card: Path) -> None:
    """Leave the old version as it was. A card whose weights took their place already goes with them."""
    if new_weights.exists():
        _discard(new_card)
    _discard(new_weights)


def _discard(path: Path) -> None:
    with contextlib.suppress(OSError):
        path.unlink(missing_ok=True)
