"""The brush, and what the eraser shares with it: a gesture on a canvas of tiles, one edit in the end."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from engine.document.mask import EMPTY
from engine.document.paint import MaskCanvas, Rectangle
from engine.document.records import Instance, new_id
from gui.tools.drawing import DrawingTool
from gui.tools.tool import Disc, Keys, Painted, Pointer, Shape, register, translated

if TYPE_CHECKING:
    from gui.editor import Editor


@dataclass(slots=True, eq=False)
class _Stroke:
    """What is being painted. `target`: as it was when the stroke began, None for a new instance."""

    canvas: MaskCanvas
    target: Instance | None
    class_id: int
    erases: bool
    last: Pointer
    changed: Rectangle


class StrokeTool(DrawingTool):
    """Paints on the selected instance, or erases from it. An event costs what the brush covers."""

    cursor = "none"
    erases = False

    def __init__(self, editor: Editor) -> None:
        super().__init__(editor)
        self._stroke: _Stroke | None = None
        self._pointer: Pointer | None = None

    @property
    def is_busy(self) -> bool:
        return self._stroke is not None

    @property
    def preview(self) -> tuple[Shape, ...]:
        shapes: list[Shape] = []
        stroke = self._stroke
        if stroke is not None:
            id_ = stroke.target.id if stroke.target else None
            shapes.append(Painted(id_, stroke.class_id, stroke.canvas, stroke.changed))
        if self._pointer is not None:
            at = self._pointer
            erases = stroke.erases if stroke else self._erases_with(at)
            shapes.append(Disc(at.x, at.y, self.editor.brush_radius, erases))
        return tuple(shapes)

    def begin(self, at: Pointer) -> None:
        self._finish()  # of a stroke whose end was never told
        self._pointer = at
        shown = self.editor.shown
        if shown is None or not self.editor.allows_edits():
            return
        erases = self._erases_with(at)
        target = self._target(at, erases)
        if target is None and (erases or not self.has_class()):
            return
        class_id = target.class_id if target else self.editor.class_id
        assert class_id is not None
        height, width = shown.size
        mask = target.mask if target is not None and target.mask is not None else EMPTY
        canvas = MaskCanvas(mask, height=height, width=width)
        self._stroke = _Stroke(canvas, target, class_id, erases, at, (0, 0, 0, 0))
        self._paint_to(at)

    def move(self, at: Pointer) -> None:
        self._pointer = at
        self._paint_to(at)

    def end(self, at: Pointer) -> None:
        stroke = self._stroke
        if stroke is not None and (at.x, at.y) != (stroke.last.x, stroke.last.y):
            self._paint_to(at)
        self._pointer = at
        self._finish()

    def hover(self, at: Pointer) -> None:
        self._pointer = at
        under = self.picker.at(at)
        self.editor.hover(under[0] if under else None)

    def leave(self) -> None:
        self._pointer = None

    def commit(self) -> None:
        self._finish()

    def cancel(self) -> None:
        self._stroke = None

    def _erases_with(self, at: Pointer) -> bool:
        return self.erases or Keys.SHIFT in at.keys

    def _target(self, at: Pointer, erases: bool) -> Instance | None:
        """What is changed: the instance selected last or, for the eraser, what is under the pointer."""
        document = self.editor.document
        if document is None:
            return None
        if not self.editor.selection and erases:
            self.editor.select(self.picker.at(at)[:1])
        if not self.editor.selection:
            return None
        target = document.instance(self.editor.selection[-1])
        return None if erases and target.mask is None else target

    def _paint_to(self, at: Pointer) -> None:
        stroke = self._stroke
        if stroke is None:
            return
        apply = stroke.canvas.erase if stroke.erases else stroke.canvas.paint
        path = [(stroke.last.x, stroke.last.y), (at.x, at.y)]
        stroke.changed = apply(path, self.editor.brush_radius)
        stroke.last = at

    def _finish(self) -> None:
        """Make the stroke one edit. An instance that is gone by now is drawn anew: no stroke is lost."""
        stroke, self._stroke = self._stroke, None
        document = self.editor.document
        if stroke is None or document is None:
            return
        mask = stroke.canvas.to_mask()
        name = translated("Erase" if stroke.erases else "Brush")
        now = document.records.get(stroke.target.id) if stroke.target else None
        if not isinstance(now, Instance):
            if mask.is_empty or stroke.erases:
                return
            instance = Instance(new_id(), stroke.class_id, mask=mask, z=document.next_z)
            with self.editor.edit(name):
                document.add(instance)
            if instance.id in document.records:
                self.editor.select((instance.id,))
            return
        with self.editor.edit(name):
            if mask.is_empty and now.mask is not None:
                document.remove(now.id)
            elif not mask.is_empty:
                document.replace(replace(now, mask=mask))


@register
class BrushTool(StrokeTool):
    """Paints on the selected instance or, with none selected, a new one."""

    id = "brush"
    title = "Brush"
    shortcut = "B"
    hint = (
        "Paint on the selected instance, or a new one where none is selected; [ and ] change the size; "
        "Shift erases"
    )
    icon = "brush"
