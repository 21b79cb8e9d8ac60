"""Runs a Mask R-CNN on pictures: the fast path, torchvision's own numbers, and what prompts go on from.

How pictures are batched and what is done when memory ends is a `Runner`'s.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.transform import resize_boxes

from engine.device import PLAIN, NumberFormat
from engine.errors import ModelError
from engine.explanation import Explanation
from engine.models.card import ModelCard
from engine.predict import network as stages
from engine.predict.explaining import explanation_of
from engine.predict.network import Steps, at_once
from engine.predict.prepare import set_roi_scales
from engine.predict.preprocess import resized_shape, to_batch
from engine.predict.runner import NOT_FINITE, Image, Runner, in_steps
from engine.predict.settings import PredictSettings
from engine.prediction import Prediction

KEPT_PIXELS = 2_000_000
"""Of a picture that is held: its edges, for the masks of prompts."""


@dataclass(frozen=True, slots=True, eq=False)
class Held:
    """What the first stage said of one picture of that size, for prompts to go on from.

    features: what RoIAlign reads, `pooled` and `prompt_maps`. proposals: R x 4, resized-image pixels.
    picture: as it came or, if it has more than KEPT_PIXELS, smaller.
    """

    width: int
    height: int
    features: stages.Features
    proposals: Tensor
    picture: Image

    @property
    def nbytes(self) -> int:
        """On the device that the model runs on, and of the picture."""
        held = (*self.features.pooled.values(), *self.features.prompt_maps, self.proposals)
        return self.picture.nbytes + sum(each.untyped_storage().nbytes() for each in held)


class Predictor(Runner):
    """A Mask R-CNN (or Faster R-CNN) ready to run on one device."""

    def __init__(
        self,
        network: FasterRCNN,
        card: ModelCard,
        settings: PredictSettings | None = None,
        *,
        device: str = "cpu",
        number_format: NumberFormat = PLAIN,
    ) -> None:
        super().__init__(card, settings, device, number_format)
        self._network = self._prepared(network)

    def _prepared(self, network: FasterRCNN) -> FasterRCNN:
        settings = self.settings
        network.eval().requires_grad_(False)
        set_roi_scales(network)
        if settings.proposals is not None:
            network.rpn._post_nms_top_n["testing"] = settings.proposals
        network.roi_heads.score_thresh = settings.score_threshold
        network.roi_heads.nms_thresh = settings.nms_iou
        network.roi_heads.detections_per_img = settings.max_detections
        self._sides = (
            settings.min_size or self.card.spec.min_size,
            settings.max_size or self.card.spec.max_size,
        )
        network.transform.min_size, network.transform.max_size = (self._sides[0],), self._sides[1]
        return self._fitted(network)

    @property
    def network(self) -> FasterRCNN:
        """The network as it is run: not to be changed."""
        return self._network

    @property
    def _draws_finely(self) -> bool:
        wanted = self.settings.fine_masks
        return self.card.draws_finely if wanted is None else wanted

    @property
    def has_masks(self) -> bool:
        """Whether there is a mask head."""
        return isinstance(self._network, MaskRCNN)

    def hold(self, image: Image) -> Held:
        """Run the first stage on a picture (H x W x 3 uint8 RGB), once for any number of prompts.

        Raises ModelError where memory ends even at half the size, or the numbers are not finite.
        """
        return at_once(self._at_some_size(image, lambda shrink: self.try_to_hold(image, shrink)))

    def try_to_hold(self, image: Image, shrink: float = 1.0) -> Steps[Held | None]:
        """As `hold`, in steps and at that part of the size alone; None when memory ran out."""
        return self._unless_memory_ends(lambda: self._first_stage(image, shrink))

    def _first_stage(self, image: Image, shrink: float) -> Steps[Held]:
        batch, shapes = self._batch([image], self.device, shrink)
        for bf16 in dict.fromkeys((self._format.bf16, False)):
            steps = stages.features(self._network, batch, shapes, prompts=True)
            found = yield from in_steps(steps, self.device, bf16=bf16)
            if found.is_finite[0]:
                break
        else:
            raise ModelError(NOT_FINITE)
        proposing = stages.propose(self._network, found)
        (first,) = yield from in_steps(proposing, self.device, bf16=self._format.bf16)
        pooled = {name: level for name, level in found.pooled.items() if name != "pool"}
        slim = stages.Features({}, pooled, found.padded, found.shapes, found.prompt_maps)
        return Held(image.shape[1], image.shape[0], slim, first.proposals, _kept(image))

    def finish(self, held: Held) -> Steps[Prediction]:
        """The second stage on what is held, in steps: what `predict` says of the picture."""
        features = held.features
        if not self._draws_finely:
            features = dataclasses.replace(features, prompt_maps=[])
        steps = stages.finish(self._network, features, [held.proposals])
        _, (found,) = yield from in_steps(steps, self.device, bf16=self._format.bf16)
        return self._answer((held.height, held.width), found, held.features.shapes[0])

    def explain(self, image: Image) -> Steps[Explanation]:
        """The prediction of one picture with all that came before it, in steps. Raises ModelError."""

        def explain(shrink: float) -> Steps[Explanation | None]:
            return self._unless_memory_ends(lambda: self._explain(image, shrink))

        return (yield from self._at_some_size(image, explain))

    def _explain(self, image: Image, shrink: float) -> Steps[Explanation]:
        whole = yield from self._pass([image], self.device, shrink, fine=False)
        if not whole.found.is_finite[0]:
            raise ModelError(NOT_FINITE)
        answer = self._answer(image.shape[:2], whole.detections[0], whole.found.shapes[0])
        with torch.inference_mode():
            return explanation_of(self._network, whole, answer)

    def _forward(
        self, images: Sequence[Image], device: torch.device, shrink: float
    ) -> Steps[list[Prediction | ModelError]]:
        whole = yield from self._pass(images, device, shrink, fine=self._draws_finely)
        found = whole.found
        return [
            self._answer(image.shape[:2], one, shape) if ok else ModelError(NOT_FINITE)
            for image, one, shape, ok in zip(
                images, whole.detections, found.shapes, found.is_finite, strict=True
            )
        ]

    def _pass(
        self, images: Sequence[Image], device: torch.device, shrink: float, *, fine: bool
    ) -> Steps[stages.Pass]:
        """All stages on a batch, in the number format of this machine; in float32 where that spoils it."""
        batch, shapes = self._batch(images, device, shrink)
        steps = stages.run(self._network, batch, shapes, fine=fine)
        whole = yield from in_steps(steps, device, bf16=self._format.bf16)
        if not self._format.bf16 or all(whole.found.is_finite):
            return whole
        del whole
        return (yield from in_steps(stages.run(self._network, batch, shapes, fine=fine), device, bf16=False))

    def _batch(
        self, images: Sequence[Image], device: torch.device, shrink: float
    ) -> tuple[Tensor, list[tuple[int, int]]]:
        if self._reference:
            floats = [torch.from_numpy(i).to(device).permute(2, 0, 1).float() / 255 for i in images]
            listed, _ = self._network.transform(floats)
            return listed.tensors, listed.image_sizes
        low, high = (max(32, round(side * shrink)) for side in self._sides)
        shapes = [resized_shape(image.shape[0], image.shape[1], low, high) for image in images]
        batch = to_batch(images, shapes, mean=self.card.mean, std=self.card.std, device=device)
        return batch, shapes

    def _answer(self, size: tuple[int, ...], found: stages.Detections, shape: tuple[int, int]) -> Prediction:
        height, width = size
        boxes, frames = (
            None if one is None else resize_boxes(one.float(), list(shape), [height, width]).cpu().numpy()
            for one in (found.boxes, found.frames)
        )
        assert boxes is not None
        return Prediction(
            width=width,
            height=height,
            classes=self.card.classes,
            boxes_xyxy=boxes,
            scores=found.scores.float().cpu().numpy(),
            labels=found.labels.cpu().numpy(),
            mask_probs=None if found.probs is None else found.probs.float().cpu().numpy(),
            mask_frames=frames,
        )


def _kept(image: Image) -> Image:
    """A copy of at most KEPT_PIXELS."""
    height, width = image.shape[:2]
    shrink = math.sqrt(KEPT_PIXELS / (height * width))
    if shrink >= 1:
        return image.copy()
    size = max(1, round(width * shrink)), max(1, round(height * shrink))
    return cv2.resize(image, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)
