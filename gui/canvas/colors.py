"""The colour of each label: of its area, its outline, the gaps of a dashed outline and a hatched area.

Opacity, colours, selection and what is hidden change this small table and nothing else.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from gui.editor import Sight

Rgb8 = tuple[int, int, int]

UNKNOWN: Rgb8 = (150, 150, 150)
"""Of a class that the project no longer has, and of ignore regions."""


class Kind(IntEnum):
    """How the outline and the area of a layer are drawn."""

    SOLID = 0
    PROPOSAL = 1  # a dashed outline
    IGNORED = 2  # a hatched area


class Row(IntEnum):
    """The rows of the table."""

    AREA = 0
    OUTLINE = 1
    GAP = 2  # of a dashed outline
    HATCH = 3


class Light(IntEnum):
    """How much a layer stands out."""

    NONE = 0
    SELECTED = 1  # its outline is drawn as a vector over it
    MARKED = 2  # selected, and its outline is too long for vectors: drawn here


class ColorTable:
    """table: len(Row) x capacity uint32, premultiplied ARGB, by row and label. Label 0 is transparent."""

    def __init__(self) -> None:
        self._rgb = np.zeros((1, 3), dtype=np.float32)
        self._kind = np.zeros(1, dtype=np.uint8)
        self._light = np.zeros(1, dtype=np.uint8)
        self._sight = Sight()
        self._table: NDArray[np.uint32] | None = None
        self._look_up: NDArray[np.int32] | None = None

    def style(self, labels: Sequence[int], styles: Collection[tuple[Rgb8, Kind]]) -> None:
        """Say how labels look."""
        if not labels:
            return
        if max(labels) >= len(self._kind):
            more = max(64, 2 * max(labels)) - len(self._kind)
            self._rgb = np.concatenate((self._rgb, np.zeros((more, 3), dtype=np.float32)))
            self._kind = np.concatenate((self._kind, np.zeros(more, dtype=np.uint8)))
            self._light = np.concatenate((self._light, np.zeros(more, dtype=np.uint8)))
        looks = {style: row for row, style in enumerate(dict.fromkeys(styles))}
        rows = np.fromiter((looks[style] for style in styles), np.intp, len(styles))
        places = np.array(labels)
        self._rgb[places] = np.array([rgb for rgb, _ in looks], np.float32)[rows]
        self._kind[places] = np.array([kind for _, kind in looks], np.uint8)[rows]
        self._table = None

    def light(self, labels: dict[int, Light]) -> None:
        """Say which labels stand out; all others do not."""
        self._light[:] = Light.NONE
        for label, light in labels.items():
            if label < len(self._light):
                self._light[label] = light
        self._table = None

    def see(self, sight: Sight) -> None:
        """Take another opacity or outline_only."""
        if (sight.opacity, sight.outline_only) != (self._sight.opacity, self._sight.outline_only):
            self._table = None
        self._sight = sight

    @property
    def table(self) -> NDArray[np.uint32]:
        """The colours as they are now; the columns may be fewer than a label map's capacity."""
        if self._table is None:
            self._table, self._look_up = self._made(), None
        return self._table

    @property
    def look_up(self) -> NDArray[np.int32]:
        """1 x 65,536: the flat table, row after row, as OpenCV takes one; of no more columns than fit."""
        table = self.table
        if self._look_up is None:
            self._look_up = np.zeros((1, 1 << 16), np.int32)
            self._look_up[0, : table.size] = table.view(np.int32).ravel()
        return self._look_up

    def _made(self) -> NDArray[np.uint32]:
        rgb, kind, light = self._rgb, self._kind, self._light
        opacity = 0.0 if self._sight.outline_only else self._sight.opacity
        area = np.full(len(kind), opacity, dtype=np.float32)
        area[kind == Kind.PROPOSAL] *= 0.75
        area[kind == Kind.IGNORED] = 0.12 if opacity else 0.0
        lit = light != Light.NONE
        area[lit] = 0.0 if self._sight.outline_only else np.minimum(area[lit] + 0.2, 0.9)
        bright = rgb + (255 - rgb) * 0.25
        outline = np.where((light == Light.MARKED)[:, None], 255.0, bright)
        gap = np.where(((kind == Kind.PROPOSAL) & (light != Light.MARKED))[:, None], rgb, outline)
        gap_opacity = np.where((kind == Kind.PROPOSAL) & (light != Light.MARKED), area, 1.0)
        hatch = np.where(kind == Kind.IGNORED, 0.75, area).astype(np.float32)
        table = np.stack(
            (
                _argb(rgb, area),
                _argb(outline, np.ones(len(kind))),
                _argb(gap, gap_opacity),
                _argb(rgb, hatch),
            )
        )
        table[:, 0] = 0
        return table


def _argb(rgb: NDArray[np.floating], opacity: NDArray[np.floating]) -> NDArray[np.uint32]:
    """Premultiplied 0xAARRGGBB. rgb: N x 3, 0..255. opacity: N, 0..1."""
    parts = np.round(rgb * opacity[:, None]).astype(np.uint32)
    alpha = np.round(opacity * 255).astype(np.uint32)
    return np.asarray(alpha << 24 | parts[:, 0] << 16 | parts[:, 1] << 8 | parts[:, 2], dtype=np.uint32)


def rgb_of(color: str) -> Rgb8:
    """Red, green and blue of a class's "#rrggbb"."""
    try:
        return int(color[1:3], 16), int(color[3:5], 16), int(color[5:7], 16)
    except ValueError:
        return UNKNOWN
