"""Runs one model on pictures: the fast path, torchvision's own numbers, and what to do when memory ends.

Knows nothing of files, projects or threads. A Predictor owns its network: folding and layout change
it for good, so the network handed in is not to be used elsewhere.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.transform import resize_boxes

from engine.device import PLAIN, NumberFormat
from engine.errors import ModelError
from engine.explanation import Explanation
from engine.models.card import ModelCard
from engine.predict import network as stages
from engine.predict.explaining import explanation_of
from engine.predict.network import Steps, T, at_once
from engine.predict.prepare import fold_batch_norm, set_roi_scales
from engine.predict.preprocess import resized_shape, to_batch
from engine.predict.settings import Mode, PredictSettings
from engine.predict.winograd import use_winograd
from engine.prediction import Prediction

Image = NDArray[np.uint8]
"""H x W x 3 RGB."""

_NOT_FINITE = "The model's numbers are not finite on this picture; its weights may be damaged."

KEPT_PIXELS = 2_000_000
"""Of a picture that is held: its edges, for the masks of prompts."""

SMALLER_SIDES = (0.75, 0.5)
"""What a picture that does not fit in memory is shrunk to, before it is tried on the CPU."""


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


class Predictor:
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
        self.card = card
        self.settings = settings or PredictSettings()
        self.device = torch.device(device)
        self._reference = self.settings.mode is Mode.REFERENCE
        self._format = PLAIN if self._reference else number_format
        self._network = self._prepared(network).to(self.device)

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
        if not self._reference:
            fold_batch_norm(network)
        if self._format.winograd:
            use_winograd(network)
        if self._format.channels_last:
            network.to(memory_format=torch.channels_last)
        return network

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

    @contextmanager
    def running(self) -> Iterator[None]:
        """For whoever runs stages of the network: no gradients, and numbers in this machine's format."""
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=self._format.bf16),
        ):
            yield

    def hold(self, image: Image) -> Held:
        """Run the first stage on a picture (H x W x 3 uint8 RGB), once for any number of prompts.

        Raises ModelError where memory ends even at half the size, or the numbers are not finite.
        """
        return at_once(self._at_some_size(image, lambda shrink: self.try_to_hold(image, shrink)))

    def try_to_hold(self, image: Image, shrink: float = 1.0) -> Steps[Held | None]:
        """As `hold`, in steps and at that part of the size alone; None when memory ran out."""
        return self._unless_memory_ends(lambda: self._first_stage(image, shrink))

    def _first_stage(self, image: Image, shrink: float) -> Steps[Held]:
        batch, shapes = self._batch([image], self._network, self.device, shrink)
        for bf16 in dict.fromkeys((self._format.bf16, False)):
            steps = stages.features(self._network, batch, shapes, prompts=True)
            found = yield from _in_steps(steps, self.device, bf16=bf16)
            if found.is_finite[0]:
                break
        else:
            raise ModelError(_NOT_FINITE)
        proposing = stages.propose(self._network, found)
        (first,) = yield from _in_steps(proposing, self.device, bf16=self._format.bf16)
        pooled = {name: level for name, level in found.pooled.items() if name != "pool"}
        slim = stages.Features({}, pooled, found.padded, found.shapes, found.prompt_maps)
        return Held(image.shape[1], image.shape[0], slim, first.proposals, _kept(image))

    def finish(self, held: Held) -> Steps[Prediction]:
        """The second stage on what is held, in steps: what `predict` says of the picture."""
        features = held.features
        if not self._draws_finely:
            features = dataclasses.replace(features, prompt_maps=[])
        steps = stages.finish(self._network, features, [held.proposals])
        _, (found,) = yield from _in_steps(steps, self.device, bf16=self._format.bf16)
        return self._answer((held.height, held.width), found, held.features.shapes[0])

    def predict(self, images: Sequence[Image]) -> list[Prediction]:
        """Predictions in the order of `images` (H x W x 3 uint8 RGB, of any sizes).

        Raises ModelError for the first picture that could not be done.
        """
        answers = self.predict_each(images)
        for answer in answers:
            if isinstance(answer, ModelError):
                raise answer
        return [answer for answer in answers if isinstance(answer, Prediction)]

    def predict_one(self, image: Image) -> Steps[Prediction]:
        """Of one picture, in steps: see `predict_in_steps`. Raises ModelError."""
        (answer,) = yield from self.predict_in_steps([image])
        if isinstance(answer, ModelError):
            raise answer
        return answer

    def predict_each(self, images: Sequence[Image]) -> list[Prediction | ModelError]:
        """One answer a picture. Out of memory: half the batch, then a smaller side, then the CPU."""
        return at_once(self.predict_in_steps(images))

    def predict_in_steps(self, images: Sequence[Image]) -> Steps[list[Prediction | ModelError]]:
        """As `predict_each`; between two steps the network may be used for something else."""
        if not images:
            return []
        answers = yield from self._attempt(images, self._network, self.device)
        if answers is not None:
            return answers
        if len(images) > 1:
            half = len(images) // 2
            first = yield from self.predict_in_steps(images[:half])
            return first + (yield from self.predict_in_steps(images[half:]))
        return [self._last_resorts(images[0])]

    def explain(self, image: Image) -> Steps[Explanation]:
        """The prediction of one picture with all that came before it, in steps. Raises ModelError."""

        def explain(shrink: float) -> Steps[Explanation | None]:
            return self._unless_memory_ends(lambda: self._explain(image, shrink))

        return (yield from self._at_some_size(image, explain))

    def _explain(self, image: Image, shrink: float) -> Steps[Explanation]:
        whole = yield from self._pass([image], self._network, self.device, shrink, fine=False)
        if not whole.found.is_finite[0]:
            raise ModelError(_NOT_FINITE)
        answer = self._answer(image.shape[:2], whole.detections[0], whole.found.shapes[0])
        with torch.inference_mode():
            return explanation_of(self._network, whole, answer)

    def _at_some_size(self, image: Image, work: Callable[[float], Steps[T | None]]) -> Steps[T]:
        """What work(part of the size) comes to where memory suffices. Raises ModelError."""
        for shrink in (1.0, *SMALLER_SIDES):
            if (done := (yield from work(shrink))) is not None:
                return done
        height, width = image.shape[:2]
        raise ModelError(
            f"Memory ran out on this {width} x {height} picture even at half its size; close other programs."
        )

    def _last_resorts(self, image: Image) -> Prediction | ModelError:
        for shrink in SMALLER_SIDES:
            if answers := at_once(self._attempt([image], self._network, self.device, shrink)):
                return answers[0]
        if self.device.type != "cpu":
            # The network comes back afterwards; a copy on the CPU would cost its memory for good.
            try:
                cpu = torch.device("cpu")
                answers = at_once(self._attempt([image], self._network.to(cpu), cpu))
            finally:
                self._network.to(self.device)
            if answers:
                return answers[0]
        height, width = image.shape[:2]
        return ModelError(
            f"Memory ran out on this {width} x {height} picture even at half its size; "
            "close other programs, or label at a smaller image side."
        )

    def _attempt(
        self, images: Sequence[Image], network: FasterRCNN, device: torch.device, shrink: float = 1.0
    ) -> Steps[list[Prediction | ModelError] | None]:
        """Answers, or None when memory ran out."""
        return self._unless_memory_ends(lambda: self._forward(images, network, device, shrink))

    def _unless_memory_ends(self, work: Callable[[], Steps[T]]) -> Steps[T | None]:
        """What the work comes to; None when memory ran out."""
        try:
            return (yield from work())
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
        self._free()
        return None

    def _free(self) -> None:
        """Give freed memory back; outside the handler, whose traceback would keep the tensors alive."""
        if self.device.type == "cuda":
            torch.cuda.empty_cache()

    def _forward(
        self, images: Sequence[Image], network: FasterRCNN, device: torch.device, shrink: float
    ) -> Steps[list[Prediction | ModelError]]:
        whole = yield from self._pass(images, network, device, shrink, fine=self._draws_finely)
        found = whole.found
        return [
            self._answer(image.shape[:2], one, shape) if ok else ModelError(_NOT_FINITE)
            for image, one, shape, ok in zip(
                images, whole.detections, found.shapes, found.is_finite, strict=True
            )
        ]

    def _pass(
        self, images: Sequence[Image], network: FasterRCNN, device: torch.device, shrink: float, *, fine: bool
    ) -> Steps[stages.Pass]:
        """All stages on a batch, in the number format of this machine; in float32 where that spoils it."""
        batch, shapes = self._batch(images, network, device, shrink)
        steps = stages.run(network, batch, shapes, fine=fine)
        whole = yield from _in_steps(steps, device, bf16=self._format.bf16)
        if not self._format.bf16 or all(whole.found.is_finite):
            return whole
        del whole
        return (yield from _in_steps(stages.run(network, batch, shapes, fine=fine), device, bf16=False))

    def _batch(
        self, images: Sequence[Image], network: FasterRCNN, device: torch.device, shrink: float
    ) -> tuple[Tensor, list[tuple[int, int]]]:
        if self._reference:
            floats = [torch.from_numpy(i).to(device).permute(2, 0, 1).float() / 255 for i in images]
            listed, _ = network.transform(floats)
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


def _in_steps(steps: Steps[T], device: torch.device, *, bf16: bool) -> Steps[T]:
    """Each step without gradients and in that number format, neither of which outlasts it."""
    while True:
        with torch.inference_mode(), torch.autocast(device.type, torch.bfloat16, enabled=bf16):
            try:
                next(steps)
            except StopIteration as stop:
                result: T = stop.value
                return result
        yield


def is_out_of_memory(error: BaseException) -> bool:
    """True for every way in which torch and Python say that memory ran out."""
    if isinstance(error, (MemoryError, torch.OutOfMemoryError)):
        return True
    text = str(error).lower()
    return "out of memory" in text or "can't allocate memory" in text or "not enough memory" in text
