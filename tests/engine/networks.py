"""Networks without training whose answers are worth looking at, and pictures to show them."""

from __future__ import annotations

import copy

import numpy as np
import torch
from numpy.typing import NDArray
from torchvision.models.detection import FasterRCNN, MaskRCNN

from engine.models.card import ModelCard
from engine.models.families import NetworkSpec, build
from engine.models.prompt_head import prompt_head

CLASSES = ("bolt", "nut", "washer")


def lively_network(
    architecture: str, min_size: int = 256, max_size: int = 448, *, prompts: bool = False
) -> FasterRCNN:
    """A network with random weights whose scores, boxes and masks differ from one RoI to the next."""
    torch.manual_seed(3)
    spec = NetworkSpec(architecture, len(CLASSES), min_size=min_size, max_size=max_size, prompts=prompts)
    network = build(spec)
    with torch.no_grad():
        network.rpn.head.cls_logits.weight *= 30
        network.rpn.head.bbox_pred.weight *= 10
        network.roi_heads.box_predictor.cls_score.weight *= 20
        network.roi_heads.box_predictor.bbox_pred.weight *= 10
        if isinstance(network, MaskRCNN):
            calm_masks(network)
    return network


def calm_masks(network: MaskRCNN) -> None:
    """Scale the mask logits to a spread of 2: saturated ones would meet at exactly 0.5 when resized."""
    seen: list[torch.Tensor] = []
    hook = network.roi_heads.mask_predictor.register_forward_hook(lambda _, __, out: seen.append(out))
    torchvision_answer(copy.deepcopy(network), picture(300, 420))
    hook.remove()
    network.roi_heads.mask_predictor.mask_fcn_logits.weight *= 2.0 / torch.cat(seen).std()


def card_of(network: FasterRCNN, architecture: str) -> ModelCard:
    low, high = network.transform.min_size[0], network.transform.max_size
    prompts = prompt_head(network.roi_heads) is not None
    spec = NetworkSpec(architecture, len(CLASSES), min_size=low, max_size=high, prompts=prompts)
    return ModelCard("test", spec, CLASSES)


def picture(height: int, width: int, seed: int = 0) -> NDArray[np.uint8]:
    """Coarse blobs with noise: something for every pyramid level to answer to."""
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (height // 37 + 1, width // 37 + 1, 3), dtype=np.uint8)
    blown = coarse.repeat(37, axis=0).repeat(37, axis=1)[:height, :width]
    return (blown // 2 + rng.integers(0, 128, (height, width, 1), dtype=np.uint8)).astype(np.uint8)


def torchvision_answers(
    network: FasterRCNN, images: list[NDArray[np.uint8]]
) -> list[dict[str, torch.Tensor]]:
    with torch.inference_mode():
        # A picture of ordinary shape first: torchvision keeps the RoIAlign scales of the first it sees.
        network([torch.zeros(3, 256, 256)])
        return list(network([torch.from_numpy(image).permute(2, 0, 1).float() / 255 for image in images]))


def torchvision_answer(network: FasterRCNN, image: NDArray[np.uint8]) -> dict[str, torch.Tensor]:
    return torchvision_answers(network, [image])[0]
