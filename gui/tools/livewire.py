"""A path that clings to edges, between two points of a picture, in milliseconds whatever its size.

The least costly path (Mortensen and Barrett, "Intelligent Scissors", 1995; OpenCV's implementation) is
searched on a small grid: fine while the goal is near, the coarser the further it is. Then the path is
drawn to the strongest edge within a cell of that grid, at the finest grain. Knows no editor.
"""

from __future__ import annotations

import math

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.media.picture import Rgb
from gui.geometry import Points

_CELLS = 72
"""A side of the grid. The search costs about a microsecond a cell: 5 ms on one core."""

_STEPS = 300
"""Points of a path at most that are drawn to edges."""

_BEND = 2.0
"""Grey levels that a step aside must be worth."""


class LiveWire:
    """The path from a start to wherever the pointer is. pixels: of the whole picture, H x W x 3 uint8."""

    def __init__(self, pixels: Rgb) -> None:
        self._pixels = pixels
        self._start = (0.0, 0.0)
        self._grain = 1
        self._cell = 0  # image pixels of a cell of the grid that is searched; 0 where there is none
        self._origin = (0, 0)
        self._size = (0, 0)  # of the grid, cells
        self._scissors = cv2.segmentation.IntelligentScissorsMB()
        self._scissors.setEdgeFeatureCannyParameters(32, 100)
        self._scissors.setGradientMagnitudeMaxLimit(200)

    def start(self, x: float, y: float, grain: float) -> None:
        """Paths begin here from now on. grain: image pixels of the finest cell; as the screen shows them."""
        height, width = self._pixels.shape[:2]
        self._start = min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)
        self._grain = max(1, round(grain))
        self._cell = 0

    def path(self, x: float, y: float) -> Points:
        """K x 2 points from the start (left out) to (x, y), which is the last one."""
        height, width = self._pixels.shape[:2]
        goal = min(max(x, 0.0), width - 1.0), min(max(y, 0.0), height - 1.0)
        distance = max(abs(goal[0] - self._start[0]), abs(goal[1] - self._start[1]))
        if distance < 2 * self._grain:
            return np.array([(x, y)])
        # A quarter to spare, so that not every event needs a grid of its own.
        wanted = self._grain * max(1, math.ceil(2.5 * distance / (_CELLS * self._grain)))
        if not self._holds(goal) or self._cell > 2 * wanted:
            self._search(wanted)
        cells = self._scissors.getContour(self._to_cell(goal)).reshape(-1, 2)
        corner = np.array(self._origin, dtype=np.float64)
        path: Points = (cells + 0.5) * self._cell + corner
        path[0], path[-1] = self._start, goal
        if self._cell > self._grain:
            path = self._drawn_to_edges(path)
        path[-1] = x, y
        return path[1:]

    def _holds(self, goal: tuple[float, float]) -> bool:
        if self._cell == 0:
            return False
        column, row = (goal[axis] - self._origin[axis] for axis in (0, 1))
        high, wide = self._size
        return 0 <= column < wide * self._cell and 0 <= row < high * self._cell

    def _to_cell(self, point: tuple[float, float]) -> tuple[int, int]:
        high, wide = self._size
        column, row = (int((point[axis] - self._origin[axis]) // self._cell) for axis in (0, 1))
        return min(max(column, 0), wide - 1), min(max(row, 0), high - 1)

    def _search(self, cell: int) -> None:
        """Work out the best paths from the start to every cell of the grid around it."""
        height, width = self._pixels.shape[:2]
        half = _CELLS * cell // 2
        x0, y0 = max(int(self._start[0]) - half, 0), max(int(self._start[1]) - half, 0)
        x1, y1 = min(int(self._start[0]) + half, width), min(int(self._start[1]) + half, height)
        grid = _reduced(self._pixels[y0:y1, x0:x1], cell)
        self._cell, self._origin, self._size = cell, (x0, y0), (grid.shape[0], grid.shape[1])
        # The full range of what is there: an edge in a dull corner counts as much as one in the light.
        self._scissors.applyImage(cv2.normalize(grid, np.empty_like(grid), 0, 255, cv2.NORM_MINMAX))
        self._scissors.buildMap(self._to_cell(self._start))

    def _drawn_to_edges(self, path: Points) -> Points:
        """The path with each point moved across it, by a cell at most, to where the edge is strongest.

        Both its ends stay where they are.
        """
        grain = self._grain
        points = _resampled(path, max(float(grain), _length(path) / _STEPS))
        if len(points) < 3:
            return path
        reach = max(1, min(math.ceil(self._cell / grain), 12))
        along = np.gradient(points, axis=0)
        across = np.stack((-along[:, 1], along[:, 0]), axis=1)
        across *= grain / np.maximum(np.hypot(across[:, 0], across[:, 1]), 1e-9)[:, None]
        offsets = np.arange(-reach, reach + 1)
        places = points[:, None, :] + offsets[None, :, None] * across[:, None, :]
        strength = self._edge_strength(places, across)
        chosen = _best_offsets(strength)
        found: Points = places[np.arange(len(points)), chosen]
        return found

    def _edge_strength(self, places: NDArray[np.float64], across: Points) -> NDArray[np.float64]:
        """How much the picture changes across the path at places (K x M x 2): K x M, grey levels."""
        height, width = self._pixels.shape[:2]

        def grey(at: NDArray[np.float64]) -> NDArray[np.float64]:
            columns = np.clip(at[..., 0], 0, width - 1).astype(np.intp)
            rows = np.clip(at[..., 1], 0, height - 1).astype(np.intp)
            return self._pixels[rows, columns].astype(np.float64)

        step = across[:, None, :]
        change: NDArray[np.float64] = np.abs(grey(places + step) - grey(places - step)).max(axis=-1)
        return change


def _best_offsets(strength: NDArray[np.float64]) -> NDArray[np.int64]:
    """Which of M offsets each of K points takes, for the most strength (K x M) in all: K.

    By dynamic programming: neighbours differ by one at most, at a price; the ends take the middle one.
    """
    count, width = strength.shape
    middle = width // 2
    choices = np.full((3, width), -np.inf)  # from the offset before, the same, the one after
    come_from = np.zeros(strength.shape, dtype=np.int64)
    best = np.where(np.arange(width) == middle, 0.0, -np.inf)
    for step in range(1, count):
        choices[0, 1:] = best[:-1] - _BEND
        choices[1] = best
        choices[2, :-1] = best[1:] - _BEND
        come_from[step] = choices.argmax(axis=0) - 1
        best = choices.max(axis=0) + strength[step]
    chosen = np.full(count, middle)
    for step in range(count - 1, 0, -1):
        chosen[step - 1] = chosen[step] + come_from[step, chosen[step]]
    return chosen


def _reduced(pixels: Rgb, cell: int) -> Rgb:
    """The pixels with each square of `cell` a side as one; of large squares only some pixels are read."""
    if cell == 1:
        return np.ascontiguousarray(pixels)
    stride = max(1, cell // 4)
    size = (max(1, pixels.shape[1] // cell), max(1, pixels.shape[0] // cell))
    some = np.ascontiguousarray(pixels[::stride, ::stride])
    return cv2.resize(some, size, interpolation=cv2.INTER_AREA).astype(np.uint8, copy=False)


def _length(path: Points) -> float:
    return float(np.hypot(*np.diff(path, axis=0).T).sum())


def _resampled(path: Points, spacing: float) -> Points:
    """Points at an even spacing along the path, both its ends among them."""
    lengths = np.concatenate(([0.0], np.cumsum(np.hypot(*np.diff(path, axis=0).T))))
    count = max(2, math.ceil(lengths[-1] / spacing) + 1)
    at = np.linspace(0.0, lengths[-1], count)
    return np.stack((np.interp(at, lengths, path[:, 0]), np.interp(at, lengths, path[:, 1])), axis=1)
