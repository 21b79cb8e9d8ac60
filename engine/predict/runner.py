"""Runs a detector on pictures, one after the other or in batches, and what to do when memory ends.

Knows nothing of files, projects, threads or what the network is like. A runner owns its network: folding and
layout change it for good, so the network handed in is not to be used elsewhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from engine.device import PLAIN, NumberFormat
from engine.errors import ModelError
from engine.explanation import Explanation
from engine.models.card import ModelCard
from engine.predict.network import Steps, T, at_once
from engine.predict.prepare import fold_batch_norm
from engine.predict.settings import Mode, PredictSettings
from engine.predict.winograd import use_winograd
from engine.prediction import Prediction

Image = NDArray[np.uint8]
"""H x W x 3 RGB."""

N = TypeVar("N", bound=nn.Module)

NOT_FINITE = "The model's numbers are not finite on this picture; its weights may be damaged."

SMALLER_SIDES = (0.75, 0.5)
"""What a picture that does not fit in memory is shrunk to, before it is tried on the CPU."""


class Runner(ABC):
    """A network ready to run on one device. card: what is known of it."""

    def __init__(
        self, card: ModelCard, settings: PredictSettings | None, device: str, number_format: NumberFormat
    ) -> None:
        self.card = card
        self.settings = settings or PredictSettings()
        self.device = torch.device(device)
        self._reference = self.settings.mode is Mode.REFERENCE
        self._format = PLAIN if self._reference else number_format

    def _fitted(self, network: N) -> N:
        """The network on its device, in the form that is quickest there."""
        if not self._reference:
            fold_batch_norm(network)
        if self._format.winograd:
            use_winograd(network)
        if self._format.channels_last:
            network.to(memory_format=torch.channels_last)
        return network.to(self.device)

    @property
    @abstractmethod
    def network(self) -> nn.Module:
        """The network as it is run: not to be changed."""

    @property
    def has_masks(self) -> bool:
        """Whether there is a mask head."""
        return False

    @abstractmethod
    def _forward(
        self, images: Sequence[Image], device: torch.device, shrink: float
    ) -> Steps[list[Prediction | ModelError]]:
        """An answer a picture, at that part of the size, on the device that the network is on."""

    def explain(self, _image: Image) -> Steps[Explanation]:
        """The prediction of one picture with all that came before it, in steps. Raises ModelError."""
        raise ModelError(
            f"Model {self.card.name} has no stages that could be shown: choose a Mask R-CNN or Faster R-CNN."
        )

    @contextmanager
    def running(self) -> Iterator[None]:
        """For whoever runs stages of the network: no gradients, and numbers in this machine's format."""
        with (
            torch.inference_mode(),
            torch.autocast(self.device.type, torch.bfloat16, enabled=self._format.bf16),
        ):
            yield

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
        answers = yield from self._attempt(images, self.device)
        if answers is not None:
            return answers
        if len(images) > 1:
            half = len(images) // 2
            first = yield from self.predict_in_steps(images[:half])
            return first + (yield from self.predict_in_steps(images[half:]))
        return [self._last_resorts(images[0])]

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
            if answers := at_once(self._attempt([image], self.device, shrink)):
                return answers[0]
        if self.device.type != "cpu":
            # The network comes back afterwards; a copy on the CPU would cost its memory for good.
            try:
                cpu = torch.device("cpu")
                self.network.to(cpu)
                answers = at_once(self._attempt([image], cpu))
            finally:
                self.network.to(self.device)
            if answers:
                return answers[0]
        height, width = image.shape[:2]
        return ModelError(
            f"Memory ran out on this {width} x {height} picture even at half its size; "
            "close other programs, or label at a smaller image side."
        )

    def _attempt(
        self, images: Sequence[Image], device: torch.device, shrink: float = 1.0
    ) -> Steps[list[Prediction | ModelError] | None]:
        """Answers, or None when memory ran out."""
        return self._unless_memory_ends(lambda: self._forward(images, device, shrink))

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


def in_steps(steps: Steps[T], device: torch.device, *, bf16: bool) -> Steps[T]:
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
