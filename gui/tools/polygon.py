"""The polygon tool, and the path of points that other tools share with it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from engine.document.mask import Mask
from engine.document.polygons import from_polygons
from gui.tools.drawing import DrawingTool, Use
from gui.tools.tool import Handles, Line, Look, Pointer, Points, Shape, register

if TYPE_CHECKING:
    from gui.editor import Editor

_NONE: Points = np.empty((0, 2))


class PathTool(DrawingTool):
    """A closed path made of runs: each click or freehand drag adds one, Backspace takes the last away.

    A path tool says in `run_to` how the path gets from its last point to the pointer, and in `finish`
    what becomes of the closed path.
    """

    freehand = True

    def __init__(self, editor: Editor) -> None:
        super().__init__(editor)
        self._runs: list[Points] = []
        self._purpose = Use.NEW
        self._pointer: Pointer | None = None
        self._ahead: Points = _NONE  # from the last point to the pointer, while none is down
        self._pressed: Pointer | None = None
        self._is_freehand = False

    # What a path tool says

    def may_begin(self, use: Use, at: Pointer) -> bool:
        """Whether a path may be begun here."""
        return self.may_draw(use, at)

    def run_to(self, at: Pointer) -> Points:
        """The points from the path's last one (left out) to the pointer; for the first point, itself."""
        return np.array([(at.x, at.y)])

    def finish(self, mask: Mask, use: Use) -> None:
        """The path is closed: do what it was drawn for."""
        raise NotImplementedError

    # The path

    @property
    def points(self) -> Points:
        """Every point so far."""
        return np.concatenate(self._runs) if self._runs else _NONE

    @property
    def is_busy(self) -> bool:
        return bool(self._runs)

    @property
    def preview(self) -> tuple[Shape, ...]:
        if not self._runs:
            return ()
        points = self.points
        shapes: list[Shape] = [Line(np.concatenate((points, self._ahead)))]
        if len(points) + len(self._ahead) > 2:
            end = self._ahead[-1] if len(self._ahead) else points[-1]
            shapes.append(Line(np.array([end, points[0]]), look=Look.GUIDE))
        corners = np.array([run[-1] for run in self._runs])
        shapes.append(Handles(corners))
        if self._pointer is not None and self._is_closed_by(self._pointer):
            shapes.append(Handles(points[:1], Look.ACTIVE))
        return tuple(shapes)

    def begin(self, at: Pointer) -> None:
        self._pointer, self._ahead = at, _NONE
        if not self._runs:
            self._purpose = Use.of(at.keys)
            if not self.may_begin(self._purpose, at):
                return
        elif self._is_closed_by(at) or (at.clicks > 1 and self._area_is_enclosed()):
            self.commit()
            return
        self._runs.append(self.run_to(at))
        self._pressed, self._is_freehand = at, False

    def move(self, at: Pointer) -> None:
        self._pointer = at
        if self._pressed is None or not self._runs or not self.freehand:
            return
        x, y = self._runs[-1][-1]
        moved = math.hypot(at.x - x, at.y - y)
        # A hand that trembles while it clicks draws no line.
        if moved > (max(at.reach / 3, 0.5) if self._is_freehand else at.reach):
            if not self._is_freehand:
                self._is_freehand = True
                self._runs.append(_NONE)
            self._runs[-1] = np.concatenate((self._runs[-1], [(at.x, at.y)]))

    def end(self, at: Pointer) -> None:
        drew = self._is_freehand
        self._pressed, self._is_freehand = None, False
        if drew and self._is_closed_by(at):
            self.commit()

    def hover(self, at: Pointer) -> None:
        self._pointer = at
        self._ahead = self.run_to(at) if self._runs else _NONE

    def leave(self) -> None:
        self._pointer, self._ahead = None, _NONE

    def commit(self) -> None:
        if not self._area_is_enclosed():
            return
        shown, use = self.editor.shown, self._purpose
        rings = [np.concatenate((self.points, self.closing_run()))]
        self.cancel()
        if shown is not None:
            height, width = shown.size
            self.finish(from_polygons(rings, height=height, width=width), use)

    def closing_run(self) -> Points:
        """The points between the last and the first, both left out."""
        return _NONE

    def back(self) -> None:
        if self._runs:
            self._runs.pop()
        self._ahead, self._pressed, self._is_freehand = _NONE, None, False

    def cancel(self) -> None:
        self._runs = []
        self._ahead, self._pressed, self._is_freehand = _NONE, None, False

    def _area_is_enclosed(self) -> bool:
        return sum(len(run) for run in self._runs) >= 3

    def _is_closed_by(self, at: Pointer) -> bool:
        if not self._area_is_enclosed():
            return False
        x, y = self._runs[0][0]
        return math.hypot(at.x - x, at.y - y) <= at.reach


@register
class PolygonTool(PathTool):
    """Points by clicks, or freehand by dragging, closed into a mask."""

    id = "polygon"
    title = "Polygon"
    shortcut = "P"
    hint = (
        "Click points or draw freehand; close on the first point or with Enter; "
        "Shift cuts out of the selected instance, Ctrl adds to it"
    )
    icon = "polygon"

    def finish(self, mask: Mask, use: Use) -> None:
        self.use(mask, use, "Polygon")
