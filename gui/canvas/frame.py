"""The picture and the masks as they are on the screen: a buffer of which only what changed is drawn anew.

A moved picture is scrolled and only its new margins are drawn. Knows no widget and no document.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeVar, cast

import cv2
import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QPoint, QRect
from PySide6.QtGui import QColor, QImage, QPainter, QRegion

from engine.document.paint import Rectangle
from gui.camera import Placement
from gui.canvas.adjust import Table
from gui.canvas.colors import ColorTable, Row
from gui.canvas.overlay import Overlay
from gui.canvas.pyramid import Scaled

T = TypeVar("T", bound=np.generic)

_LOOKS_UP_16_BITS = int(cv2.__version__.split(".")[0]) >= 5  # a third of what numpy takes
_DASH = 4  # view pixels of a dash, and of the gap after it
_HATCH = 8  # view pixels from one line of a hatched area to the next


class Frame:
    """image: what the view shows, device pixels. Set the parts, `invalidate`, then `refresh`."""

    def __init__(self) -> None:
        self.image = QImage()
        self.pyramid: Scaled | None = None
        self.overlay: Overlay | None = None
        self.adjust: Table | None = None
        self.background = QColor("#2b2b2b")
        self.placement = Placement(1.0, 0, 0)
        self._pixels: NDArray[np.uint32] = np.zeros((0, 0), dtype=np.uint32)
        self._dirty = QRegion()
        self._scratch = _Scratch()
        self._patterns: dict[tuple[int, int, float], tuple[NDArray[np.uint16], NDArray[np.uint16]]] = {}

    def resize(self, width: int, height: int) -> None:
        """Take another size, device pixels."""
        if (width, height) == (self.image.width(), self.image.height()):
            return
        self.image = QImage(width, height, QImage.Format.Format_RGB32)
        # Qt draws into the very memory that numpy sees here.
        self._pixels = np.frombuffer(self.image.bits(), dtype=np.uint32).reshape(height, width)
        self.invalidate()

    def invalidate(self) -> None:
        """Everything is to be drawn anew."""
        self._dirty = QRegion(0, 0, self.image.width(), self.image.height())

    def invalidate_image(self, rectangle: Rectangle) -> QRect:
        """A rectangle of the image (pixels) is to be drawn anew; returns where that is, device pixels."""
        x0, y0, x1, y1 = self.placement.pixels_of(*rectangle)
        margin = self.breadth  # an outline lies inside its mask, but another mask's end may uncover one
        rect = QRect(QPoint(x0 - margin, y0 - margin), QPoint(x1 + margin - 1, y1 + margin - 1))
        if rectangle[2] and rectangle[3]:
            self._dirty += rect
        return rect

    def move_to(self, placement: Placement) -> None:
        """Look from elsewhere: pixels that are still right are kept."""
        before, self.placement = self.placement, placement
        if placement == before:
            return
        width, height = self.image.width(), self.image.height()
        dx, dy = placement.x - before.x, placement.y - before.y
        if placement.scale != before.scale or abs(dx) >= width or abs(dy) >= height:
            self.invalidate()
            return
        kept_x, kept_y = max(0, -dx), max(0, -dy)
        wide, high = width - abs(dx), height - abs(dy)
        kept = self._pixels[kept_y : kept_y + high, kept_x : kept_x + wide]
        self._pixels[kept_y + dy : kept_y + dy + high, kept_x + dx : kept_x + dx + wide] = kept
        self._dirty.translate(dx, dy)
        whole = QRegion(0, 0, width, height)
        self._dirty += whole - QRegion(kept_x + dx, kept_y + dy, wide, high)

    def refresh(self) -> None:
        """Draw what is to be drawn anew."""
        width, height = self.image.width(), self.image.height()
        dirty = self._dirty & QRegion(0, 0, width, height)
        self._dirty = QRegion()
        for rect in _few(dirty):
            self._draw(rect.left(), rect.top(), rect.left() + rect.width(), rect.top() + rect.height())

    @property
    def breadth(self) -> int:
        """Of an outline, device pixels."""
        return max(1, round(1.5 * self.placement.ratio))

    # One rectangle

    def _draw(self, x0: int, y0: int, x1: int, y1: int) -> None:
        inside = self._inside_image(x0, y0, x1, y1)
        if inside != (x0, y0, x1, y1):
            self._pixels[y0:y1, x0:x1] = self.background.rgb()
        x0, y0, x1, y1 = inside
        if self.pyramid is None or x1 <= x0 or y1 <= y0:
            return
        self._draw_picture(self.pyramid, x0, y0, x1, y1)
        if self.adjust is not None:
            part = self._pixels[y0:y1, x0:x1]
            part[:] = cv2.LUT(part.view(np.uint8), self.adjust).view(np.uint32)
            part |= 0xFF000000
        if self.overlay is not None and not self.overlay.labels.is_empty:
            self._draw_overlay(self.overlay, x0, y0, x1, y1)

    def _inside_image(self, x0: int, y0: int, x1: int, y1: int) -> tuple[int, int, int, int]:
        """What of device pixels the picture covers; nothing where there is none."""
        if self.pyramid is None:
            return 0, 0, 0, 0
        rows, columns = self.pyramid.size_at(0)
        left, top, right, bottom = self.placement.pixels_of(0, 0, columns, rows)
        return max(x0, left), max(y0, top), min(x1, right), min(y1, bottom)

    def _draw_picture(self, pyramid: Scaled, x0: int, y0: int, x1: int, y1: int) -> None:
        place = self.placement
        level = pyramid.level_for(place.scale)
        height, width = pyramid.size_at(level)
        at_level = Placement(place.scale * 2**level, place.x, place.y)
        # A pixel more around: of a picture that is made smaller each one seen is a mean of neighbours.
        around = (x0 - 1, y0 - 1, x1 + 1, y1 + 1)
        left, top, right, bottom = at_level.image_pixels(*around, height=height, width=width)
        pixels = pyramid.region(level, left, top, right, bottom)
        blend = cv2.INTER_NEAREST if at_level.scale >= 1 else cv2.INTER_LINEAR
        edges = (x0, y0, x1, y1)
        sampled = _sampled(pixels, at_level, left, top, edges, border=cv2.BORDER_REPLICATE, blend=blend)
        self._pixels[y0:y1, x0:x1] = sampled.view(np.uint32)[..., 0]

    def _draw_overlay(self, overlay: Overlay, x0: int, y0: int, x1: int, y1: int) -> None:
        labels, margin = overlay.labels.labels, self.breadth
        around = (x0 - margin, y0 - margin, x1 + margin, y1 + margin)
        rows, columns = labels.shape
        left, top, right, bottom = self.placement.image_pixels(*around, height=rows, width=columns)
        part = labels[top:bottom, left:right]
        # OpenCV moves the bits of an int32 as well, but wants to be told that they are a float32.
        bits = part if part.dtype == np.uint16 else part.view(np.float32)
        seen = _sampled(bits, self.placement, left, top, around, border=cv2.BORDER_CONSTANT).view(part.dtype)
        index = self._indices(seen, overlay, x0, y0)
        height, width = index.shape
        colors = self._colors_at(index, overlay.colors)
        source = QImage(colors.data, width, height, 4 * width, QImage.Format.Format_ARGB32_Premultiplied)
        painter = QPainter(self.image)
        painter.drawImage(x0, y0, source)
        painter.end()

    def _colors_at(self, index: NDArray[np.integer], colors: ColorTable) -> NDArray[np.uint32]:
        """The flat table's colours at places in it, H x W."""
        if index.dtype == np.uint16 and _LOOKS_UP_16_BITS:
            found: Any = index  # OpenCV's typing knows bytes only
            return np.asarray(cv2.LUT(found, colors.look_up)).view(np.uint32)
        made = self._scratch.array("colors", np.uint32, *index.shape)
        np.take(colors.table, index, out=made, mode="clip")
        return made

    def _indices(self, seen: NDArray[np.integer], overlay: Overlay, x0: int, y0: int) -> NDArray[np.integer]:
        """Each pixel's place in the flat colour table. seen: labels with a margin around."""
        margin, scratch = self.breadth, self._scratch
        height, width = seen.shape[0] - 2 * margin, seen.shape[1] - 2 * margin
        inner = seen[margin:-margin, margin:-margin]
        edge = scratch.array("edge", np.bool_, height, width)
        # Each pixel against the one `margin` before it, which is that one against the one behind it too.
        across = scratch.array("across", np.bool_, height, width + margin)
        np.not_equal(seen[margin:-margin, :-margin], seen[margin:-margin, margin:], out=across)
        down = scratch.array("down", np.bool_, height + margin, width)
        np.not_equal(seen[:-margin, margin:-margin], seen[margin:, margin:-margin], out=down)
        np.logical_or(across[:, :-margin], across[:, margin:], out=edge)
        np.logical_or(edge, down[:-margin], out=edge)
        np.logical_or(edge, down[margin:], out=edge)
        dashes, hatches = self._pattern(x0, y0, width, height)
        rows, columns = overlay.colors.table.shape
        kind: type[np.integer] = np.uint16 if rows * columns <= 1 << 16 else np.int64
        index = scratch.array("index", kind, height, width)
        if overlay.has_ignored:
            np.copyto(index, hatches)
            np.copyto(index, dashes, where=edge)
        else:
            np.multiply(edge, dashes, out=index)
        index *= kind(columns)
        np.add(index, inner, out=index, casting="unsafe")  # a label is below `columns`
        return index

    def _pattern(
        self, x0: int, y0: int, width: int, height: int
    ) -> tuple[NDArray[np.uint16], NDArray[np.uint16]]:
        """Rows of the table for outlines and for areas, that move along with the image."""
        ratio = self.placement.ratio
        dash, hatch = round(2 * _DASH * ratio), round(_HATCH * ratio)
        period = 2 * dash * hatch
        key = (self.image.width(), self.image.height(), ratio)
        if key not in self._patterns:
            y, x = np.ogrid[:period, :period]
            # Two across for one down, so that few outlines run along the stripes.
            dashes = np.where((2 * x + y) // 2 % dash < dash // 2, Row.OUTLINE, Row.GAP)
            hatches = np.where((x + y) % hatch < max(1, round(1.5 * ratio)), Row.HATCH, Row.AREA)
            times = (key[1] // period + 2, key[0] // period + 2)
            self._patterns = {
                key: (np.tile(dashes.astype(np.uint16), times), np.tile(hatches.astype(np.uint16), times))
            }
        dashes, hatches = self._patterns[key]
        left, top = (x0 - self.placement.x) % period, (y0 - self.placement.y) % period
        return (
            dashes[top : top + height, left : left + width],
            hatches[top : top + height, left : left + width],
        )


class _Scratch:
    """Arrays that are used for one rectangle after the other: fresh memory costs more than the work in it."""

    def __init__(self) -> None:
        self._kept: dict[str, NDArray[np.uint8]] = {}

    def array(self, name: str, kind: type[T], height: int, width: int) -> NDArray[T]:
        """height x width of that type, with whatever was there before."""
        size = height * width * np.dtype(kind).itemsize
        kept = self._kept.get(name)
        if kept is None or kept.size < size:
            kept = self._kept[name] = np.empty(size, dtype=np.uint8)
        return kept[:size].view(kind).reshape(height, width)


def _sampled(
    pixels: NDArray[np.integer | np.floating],
    placement: Placement,
    left: int,
    top: int,
    edges: tuple[int, int, int, int],
    *,
    border: int,
    blend: int = cv2.INTER_NEAREST,
) -> NDArray[np.integer | np.floating]:
    """What lies under each device pixel. left, top: the image's pixel that is the first of `pixels`."""
    x0, y0, x1, y1 = edges
    step = 1 / placement.scale
    matrix = np.array(
        [
            [step, 0, (x0 + 0.5 - placement.x) * step - left - 0.5],
            [0, step, (y0 + 0.5 - placement.y) * step - top - 0.5],
        ]
    )
    return cv2.warpAffine(
        pixels,
        matrix,
        (x1 - x0, y1 - y0),
        flags=blend | cv2.WARP_INVERSE_MAP,
        borderMode=border,
    )


def _few(region: QRegion) -> list[QRect]:
    """The rectangles of a region, or the one around them where they are many."""
    rects = list(cast(Iterable[QRect], region))  # Qt's typing does not know that it can be gone through
    return rects if len(rects) <= 16 else [region.boundingRect()]
