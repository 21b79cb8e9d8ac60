"""Folders of small pictures, predictions, and an engine that answers what a test wants."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
from PySide6.QtCore import QObject, Signal

from engine.document.masks import Mask
from engine.document.records import Instance, Provenance, new_id
from engine.messages import Canceled, Finished, OrderId, Predicted, PredictImage, Priority, Request
from engine.prediction import Prediction
from engine.project import Project

WIDTH, HEIGHT = 48, 32


def picture(path: Path, shade: int = 90) -> Path:
    """A small PNG of one grey with a bright square."""
    pixels = np.full((HEIGHT, WIDTH, 3), shade, np.uint8)
    pixels[8:20, 10:22] = 230
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), pixels)
    return path


def folder_of(place: Path, names: tuple[str, ...] = ("a.png", "b.png", "c.png")) -> Path:
    """A folder with these pictures."""
    for number, name in enumerate(names):
        picture(place / name, 60 + 20 * number)
    return place


def square(x: int = 4, y: int = 4, side: int = 6) -> Mask:
    """A square mask."""
    return Mask.from_crop(x, y, np.ones((side, side), np.bool_))


def drawn(class_id: int, x: int = 4) -> Instance:
    """What a person drew."""
    return Instance(new_id(), class_id, square(x))


def proposal(class_id: int, x: int = 4, score: float = 0.8, side: int = 6) -> Instance:
    """What a model proposed, without its box."""
    return Instance(new_id(), class_id, square(x, side=side), score=score, provenance=Provenance.PREDICTED)


def prediction(*scores: float, classes: tuple[str, ...] = ("bolt", "nut")) -> Prediction:
    """Boxes side by side, the first of the first class, the second of the second and so on, best first."""
    count = len(scores)
    boxes = np.array([(2 + 11 * n, 4, 12 + 11 * n, 20) for n in range(count)], np.float32).reshape(-1, 4)
    ramp = np.linspace(0.02, 0.98, 28, dtype=np.float32)
    probs = np.minimum.outer(np.minimum(ramp, ramp[::-1]) * 2, np.minimum(ramp, ramp[::-1]) * 2)
    return Prediction(
        WIDTH,
        HEIGHT,
        classes,
        boxes,
        np.array(scores, np.float32),
        np.array([n % len(classes) + 1 for n in range(count)], np.int64),
        np.repeat(probs[None].astype(np.float32), count, axis=0),
    )


class Engine(QObject):
    """Stands in for the bridge: keeps what is asked, answers when told to."""

    ready = Signal()
    model_ready = Signal(object)
    predicted = Signal(object)
    prompted = Signal(object)
    explained = Signal(object)
    image_labelled = Signal(object)
    image_upgraded = Signal(object)
    image_not_labelled = Signal(object)
    progressed = Signal(object)
    tuning = Signal(object)
    compared = Signal(object)
    ended = Signal(object)
    is_ready = True

    def __init__(self) -> None:
        super().__init__()
        self.asked: dict[OrderId, tuple[Request, Priority]] = {}
        self.canceled: list[OrderId] = []
        self.left: list[OrderId] = []
        self.paused: list[OrderId] = []
        self.resumed: list[OrderId] = []
        self._orders = 0

    def submit(self, request: Request, priority: Priority = Priority.BATCH) -> OrderId:
        """Keep it."""
        self._orders += 1
        self.asked[self._orders] = (request, priority)
        return self._orders

    def cancel(self, order: OrderId) -> None:
        """As the worker does with an order that waits."""
        self.canceled.append(order)
        if self.asked.pop(order, None) is not None:
            self.ended.emit(Canceled(order))

    def leave(self, order: OrderId) -> None:
        """Note it."""
        self.left.append(order)

    def pause(self, order: OrderId) -> None:
        """Note it."""
        self.paused.append(order)

    def go_on(self, order: OrderId) -> None:
        """Note it."""
        self.resumed.append(order)

    def order_for(self, name: str) -> OrderId:
        """The order under way for the picture of that name."""
        (found,) = (
            order
            for order, (request, _) in self.asked.items()
            if isinstance(request, PredictImage) and request.path.name == name
        )
        return found

    def is_asked_for(self, name: str) -> bool:
        """Whether somebody waits for that picture."""
        return any(
            isinstance(request, PredictImage) and request.path.name == name
            for request, _ in self.asked.values()
        )

    def answer(self, name: str, found: Prediction) -> None:
        """Answer what was asked of that picture."""
        order = self.order_for(name)
        request, _ = self.asked.pop(order)
        assert isinstance(request, PredictImage)
        self.predicted.emit(Predicted(order, request.generation, found))
        self.ended.emit(Finished(order))


def stored(folder: Path, path: str) -> dict[int, object]:
    """What the project on the disk holds of an image, opened anew for reading."""
    with Project.open(folder, read_only=True) as project:
        (item,) = (item for item in project.media() if item.path == path)
        return dict(project.load(item.id).records)
