"""Runs an SSD on pictures: boxes and classes in one stage, without masks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torchvision.models.detection.image_list import ImageList
from torchvision.models.detection.ssd import SSD
from torchvision.models.detection.transform import resize_boxes

from engine.device import PLAIN, NumberFormat
from engine.errors import ModelError
from engine.models.card import ModelCard
from engine.predict.network import Steps
from engine.predict.preprocess import to_batch
from engine.predict.runner import NOT_FINITE, Image, Runner, in_steps
from engine.predict.settings import PredictSettings
from engine.prediction import Prediction


@dataclass(frozen=True, slots=True, eq=False)
class _Found:
    """Of one picture: boxes (N x 4, resized-image pixels), scores (N) and labels (N, 1-based), best first."""

    boxes: Tensor
    scores: Tensor
    labels: Tensor
    is_finite: bool


class SsdRunner(Runner):
    """An SSD ready to run on one device. Raises ModelError for settings that ask for another size."""

    def __init__(
        self,
        network: SSD,
        card: ModelCard,
        settings: PredictSettings | None = None,
        *,
        device: str = "cpu",
        number_format: NumberFormat = PLAIN,
    ) -> None:
        super().__init__(card, settings, device, number_format)
        self._side = network.transform.min_size[0]
        if self.settings.min_size not in (None, self._side):
            raise ModelError(
                f"Model {card.name} resizes every picture to {self._side} x {self._side} pixels, "
                "so no other size can be asked of it."
            )
        network.eval().requires_grad_(False)
        network.score_thresh = self.settings.score_threshold
        network.nms_thresh = self.settings.nms_iou
        network.detections_per_img = self.settings.max_detections
        self._network = self._fitted(network)

    @property
    def network(self) -> SSD:
        """The network as it is run: not to be changed."""
        return self._network

    def _forward(
        self, images: Sequence[Image], device: torch.device, _shrink: float
    ) -> Steps[list[Prediction | ModelError]]:
        batch = self._batch(images, device)
        found = yield from in_steps(self._pass(batch), device, bf16=self._format.bf16)
        if self._format.bf16 and not all(one.is_finite for one in found):
            found = yield from in_steps(self._pass(batch), device, bf16=False)
        return [
            self._answer(image, one) if one.is_finite else ModelError(NOT_FINITE)
            for image, one in zip(images, found, strict=True)
        ]

    def _batch(self, images: Sequence[Image], device: torch.device) -> Tensor:
        if self._reference:
            floats = [torch.from_numpy(i).to(device).permute(2, 0, 1).float() / 255 for i in images]
            tensors: Tensor = self._network.transform(floats)[0].tensors
            return tensors
        shapes = [(self._side, self._side)] * len(images)
        mean, std = self._network.transform.image_mean, self._network.transform.image_std
        return to_batch(images, shapes, mean=mean, std=std, device=device, stride=1)

    def _pass(self, batch: Tensor) -> Steps[list[_Found]]:
        network, shapes = self._network, [(self._side, self._side)] * len(batch)
        features = list(network.backbone(batch).values())
        yield
        said = {name: one.float() for name, one in network.head(features).items()}
        finite = torch.isfinite(said["cls_logits"]).flatten(1).all(dim=1).tolist()
        anchors = network.anchor_generator(ImageList(batch, shapes), features)
        anchors = [one.float() for one in anchors]
        yield
        detections = network.postprocess_detections(said, anchors, shapes)
        return [
            _Found(one["boxes"], one["scores"], one["labels"], ok)
            for one, ok in zip(detections, finite, strict=True)
        ]

    def _answer(self, image: Image, found: _Found) -> Prediction:
        height, width = image.shape[:2]
        boxes = resize_boxes(found.boxes, [self._side, self._side], [height, width])
        return Prediction(
            width=width,
            height=height,
            classes=self.card.classes,
            boxes_xyxy=boxes.cpu().numpy(),
            scores=found.scores.cpu().numpy(),
            labels=found.labels.cpu().numpy(),
            mask_probs=None,
        )
