"""The box tool: a rectangle by one drag."""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.document.records import Box
from gui import geometry
from gui.tools.drawing import DrawingTool, Use
from gui.tools.tool import Line, Pointer, Shape, register

if TYPE_CHECKING:
    from gui.editor import Editor


@register
class BoxTool(DrawingTool):
    """Drag from corner to corner: an instance whose mask is the rectangle."""

    id = "box"
    title = "Box"
    shortcut = "R"
    hint = "Drag from corner to corner; Shift cuts out of the selected instance, Ctrl adds to it"
    icon = "box"

    def __init__(self, editor: Editor) -> None:
        super().__init__(editor)
        self._start: Pointer | None = None
        self._last: Pointer | None = None

    @property
    def is_busy(self) -> bool:
        return self._start is not None

    @property
    def preview(self) -> tuple[Shape, ...]:
        box = self._box()
        return () if box is None else (Line(geometry.box_ring(box=box), closed=True),)

    def begin(self, at: Pointer) -> None:
        self.cancel()
        if self.may_draw(Use.of(at.keys), at):
            self._start = self._last = at

    def move(self, at: Pointer) -> None:
        self._last = at

    def end(self, at: Pointer) -> None:
        self._last = at
        box, start, shown = self._box(), self._start, self.editor.shown
        self.cancel()
        # A click without a drag draws nothing, and says nothing of it either.
        if box is None or start is None or shown is None or max(box[2] - box[0], box[3] - box[1]) < 0.5:
            return
        height, width = shown.size
        self.use(geometry.box_mask(box=box, height=height, width=width), Use.of(start.keys), "Box")

    def commit(self) -> None:
        if self._last is not None:
            self.end(self._last)

    def cancel(self) -> None:
        self._start = self._last = None

    def _box(self) -> Box | None:
        if self._start is None or self._last is None:
            return None
        return geometry.box_between(start=(self._start.x, self._start.y), end=(self._last.x, self._last.y))
