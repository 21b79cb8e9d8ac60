"""Which visible mask lies topmost at each pixel of the image: a map of small numbers, kept by rectangles.

An edit costs what its rectangle holds, whatever the size of the image and the count of its masks.
Knows no colour, no class and no widget.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.document.document import Document
from engine.document.mask import EMPTY, Mask
from engine.document.paint import MaskCanvas, Rectangle
from engine.document.records import Instance

Labels: TypeAlias = NDArray[np.uint16] | NDArray[np.int32]

BEING_PAINTED = -1
"""The id of a mask that is painted and belongs to no visible layer yet."""

_LOWEST = -(2**62)  # the z of ignore regions: below every instance
_MOST_UINT16 = 65_535
_MANY = 64  # rectangles; from here on one around them all is cheaper


class Layer(NamedTuple):
    """A visible mask. z: higher ones cover lower ones; equal ones by id."""

    id: int
    mask: Mask
    z: int


def layers_of(document: Document, instances: Iterable[Instance]) -> list[Layer]:
    """The ignore regions of a document, below everything, and those of some instances that have a mask."""
    layers = [Layer(region.id, region.mask, _LOWEST) for region in document.ignore_regions]
    layers += [Layer(one.id, one.mask, one.z) for one in instances if one.mask is not None]
    return layers


class LabelMap:
    """labels: H x W, 0 where nothing is, else the label of the topmost layer there (`label_of`)."""

    def __init__(self, height: int, width: int) -> None:
        self.labels: Labels = np.zeros((height, width), dtype=np.uint16)
        self._layers: dict[int, Layer] = {}
        self._label_of: dict[int, int] = {}
        self._ids = np.zeros(64, dtype=np.int64)  # by label; 0 is none
        self._boxes = np.zeros((64, 4), dtype=np.int64)  # by label: x0, y0, x1, y1
        self._free: list[int] = []
        self._used = 1
        self._is_blank = True  # nothing was ever painted
        self._painted: tuple[int, MaskCanvas, Rectangle] | None = None

    @property
    def capacity(self) -> int:
        """All labels are below this number; it grows."""
        return len(self._ids)

    @property
    def is_empty(self) -> bool:
        """Whether there is no layer and nothing is painted."""
        return not self._label_of

    def label_of(self, id_: int) -> int:
        """The label of a layer; 0 where there is no such layer."""
        return self._label_of.get(id_, 0)

    def labels_of(self, ids: Iterable[int]) -> list[int]:
        """`label_of` of each."""
        return [self._label_of.get(id_, 0) for id_ in ids]

    def ids_within(self, x0: float, y0: float, x1: float, y1: float, *, least: float = 0.0) -> list[int]:
        """Ids of the layers whose boxes meet a rectangle and a side of `least` at least, large first."""
        found = self._meeting(x0, y0, x1, y1)
        boxes = self._boxes[found]
        sides = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
        order = np.argsort(-sides, kind="stable")
        found = found[order[: np.count_nonzero(sides >= least)]]
        return [int(id_) for id_ in self._ids[found]]

    def box_of(self, id_: int) -> Rectangle:
        """The box of a layer's mask; zeros where there is no such layer."""
        x0, y0, x1, y1 = self._boxes[self.label_of(id_)].tolist()
        return x0, y0, x1 - x0, y1 - y0

    def update(self, layers: Iterable[Layer]) -> list[Rectangle]:
        """Take the layers that are visible now; returns the rectangles in which labels may have changed."""
        after = {layer.id: layer for layer in layers}
        touched: list[Rectangle] = []
        for id_ in [id_ for id_ in self._layers if id_ not in after]:
            touched.append(self._layers[id_].mask.bbox_xywh)
            self._release(id_)
        placed: list[Layer] = []
        for id_, layer in after.items():
            before = self._layers.get(id_)
            if before is not None and before.mask is layer.mask and before.z == layer.z:
                continue
            if before is not None:
                touched.append(before.mask.bbox_xywh)
            touched.append(layer.mask.bbox_xywh)
            placed.append(layer)
        self._layers = after
        self._place([layer.id for layer in placed], [layer.mask for layer in placed])
        return self._repaint(touched)

    def paint(self, id_: int | None, canvas: MaskCanvas, changed: Rectangle) -> list[Rectangle]:
        """Show a canvas in the place of a layer's mask, or on top of all. changed: what to draw anew."""
        shown = id_ if id_ is not None and id_ in self._layers else BEING_PAINTED
        touched = [changed]
        if self._painted is not None and (self._painted[0], self._painted[1]) != (shown, canvas):
            touched += self.end_painting()
        before = self._painted[2] if self._painted is not None else (0, 0, 0, 0)
        self._painted = (shown, canvas, _around([before, changed]))
        self._place([shown], [self._layers[shown].mask if shown in self._layers else EMPTY])
        return self._repaint(touched)

    def end_painting(self) -> list[Rectangle]:
        """Show the layer's own mask again; returns the rectangles that changed."""
        if self._painted is None:
            return []
        id_, _, extent = self._painted
        self._painted = None
        if id_ == BEING_PAINTED:
            self._release(id_)
        elif id_ in self._layers:
            self._place([id_], [self._layers[id_].mask])
        return self._repaint([extent])

    # Labels

    def _place(self, ids: Sequence[int], masks: Sequence[Mask]) -> None:
        """Give layers their labels, where they have none, and their boxes."""
        if not ids:
            return
        labels = []
        for id_ in ids:
            label = self._label_of.get(id_)
            if label is None:
                label = self._label_of[id_] = self._free.pop() if self._free else self._new_label()
            labels.append(label)
        boxes = [mask.bbox_xywh for mask in masks]
        if self._painted is not None and self._painted[0] in ids:
            painted = ids.index(self._painted[0])
            boxes[painted] = _around([boxes[painted], self._painted[2]])
        self._ids[labels] = ids
        self._boxes[labels] = boxes
        self._boxes[labels, 2:] += self._boxes[labels, :2]

    def _new_label(self) -> int:
        label = self._used
        self._used += 1
        if label >= self.capacity:
            self._ids = np.concatenate((self._ids, np.zeros_like(self._ids)))
            self._boxes = np.concatenate((self._boxes, np.zeros_like(self._boxes)))
        if label > _MOST_UINT16 and self.labels.dtype == np.uint16:
            self.labels = self.labels.astype(np.int32)
        return label

    def _release(self, id_: int) -> None:
        label = self._label_of.pop(id_)
        self._ids[label] = 0
        self._boxes[label] = 0
        self._free.append(label)

    # Pixels

    def _meeting(self, x0: float, y0: float, x1: float, y1: float) -> NDArray[np.intp]:
        boxes = self._boxes
        return np.flatnonzero(
            (boxes[:, 0] < x1) & (boxes[:, 2] > x0) & (boxes[:, 1] < y1) & (boxes[:, 3] > y0)
        )

    def _repaint(self, rectangles: Sequence[Rectangle]) -> list[Rectangle]:
        height, width = self.labels.shape
        if len(rectangles) > _MANY:
            rectangles = [_around(rectangles)]
        wanted = [one for one in (_clipped(one, height, width) for one in rectangles) if one[2] and one[3]]
        if 2 * sum(one[2] * one[3] for one in wanted) > height * width:
            wanted = [_around(wanted)]
        wanted = list(dict.fromkeys(wanted))
        for one in wanted:
            self._repaint_one(one)
        return wanted

    def _repaint_one(self, rectangle: Rectangle) -> None:
        x0, y0, width, height = rectangle
        x1, y1 = x0 + width, y0 + height
        part = self.labels[y0:y1, x0:x1]
        if not self._is_blank:  # writing zeros would be the first to touch all that memory
            part[:] = 0
        self._is_blank = False
        for id_ in sorted((int(id_) for id_ in self._ids[self._meeting(x0, y0, x1, y1)]), key=self._height):
            if self._painted is not None and self._painted[0] == id_:
                pixels, left, top = self._painted[1].pixels(x0, y0, width, height), x0, y0
            else:
                mask = self._layers[id_].mask
                pixels, left, top = mask.window(x0, y0, x1, y1), max(mask.x, x0), max(mask.y, y0)
            rows, columns = pixels.shape
            place = part[top - y0 : top - y0 + rows, left - x0 : left - x0 + columns]
            np.copyto(place, self._label_of[id_], where=pixels)

    def _height(self, id_: int) -> tuple[float, int]:
        """Where a layer lies in the stack, as a number to sort by."""
        return (self._layers[id_].z, id_) if id_ in self._layers else (float("inf"), id_)


def _clipped(rectangle: Rectangle, height: int, width: int) -> Rectangle:
    x, y, w, h = rectangle
    x0, y0 = max(x, 0), max(y, 0)
    return x0, y0, max(min(x + w, width) - x0, 0), max(min(y + h, height) - y0, 0)


def _around(rectangles: Sequence[Rectangle]) -> Rectangle:
    """The rectangle around those that are not empty."""
    edges = np.array([one for one in rectangles if one[2] and one[3]], dtype=np.int64).reshape(-1, 4)
    if not len(edges):
        return 0, 0, 0, 0
    x0, y0 = edges[:, :2].min(axis=0).tolist()
    x1, y1 = (edges[:, :2] + edges[:, 2:]).max(axis=0).tolist()
    return x0, y0, x1 - x0, y1 - y0
