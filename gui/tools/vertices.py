"""The tool that edits a mask's outline by its vertices."""

from __future__ import annotations

import math
from collections import OrderedDict
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING

import numpy as np

from engine.document.mask import Mask
from engine.document.records import Box, Instance
from gui import geometry
from gui.outline import Outline, redrawn
from gui.tools.picking import Picker
from gui.tools.tool import Handles, Keys, Line, Look, Pointer, Shape, Tool, register, translated

if TYPE_CHECKING:
    from gui.editor import Editor

_REMEMBERED = 32
"""Outlines of the shown instance that undo and redo bring back with the vertices where they were."""


class _Kind(Enum):
    VERTICES = auto()
    EDGE = auto()
    BAND = auto()


@dataclass(slots=True, eq=False)
class _Drag:
    """The gesture that is going on, and the outline as it would be now."""

    kind: _Kind
    start: Pointer
    last: Pointer
    origin: Outline  # with the new vertex, where an edge is dragged
    draft: Outline
    has_moved: bool = False

    @property
    def box(self) -> Box:
        return geometry.box_between(start=(self.start.x, self.start.y), end=(self.last.x, self.last.y))


@register
class VertexTool(Tool):
    """Shows the vertices of the instance selected last; where none is moved, no pixel changes."""

    id = "vertex"
    title = "Edit vertices"
    shortcut = "Ctrl+J"
    hint = (
        "Drag a vertex, or an edge for a new one; Alt-click, double click or Delete removes it; "
        "a rubber band picks many"
    )
    icon = "vertices"
    cursor = "arrow"

    def __init__(self, editor: Editor) -> None:
        super().__init__(editor)
        self._picker = Picker(editor)
        self._drag: _Drag | None = None
        self._picked: frozenset[int] = frozenset()
        self._pointer: Pointer | None = None
        self._shown: tuple[int, Mask] | None = None  # whose outline it is
        self._outline = Outline(())
        self._known: OrderedDict[Mask, Outline] = OrderedDict()

    @property
    def is_busy(self) -> bool:
        return self._drag is not None

    @property
    def class_id(self) -> int | None:
        """The edited instance's own."""
        instance = self._instance()
        return instance.class_id if instance else None

    @property
    def preview(self) -> tuple[Shape, ...]:
        drag = self._drag
        if self._instance() is None and drag is None:
            return ()
        outline = self._outline if drag is None else drag.draft
        lines = [Line(ring.points, closed=True) for ring in outline.rings]
        picked = sorted(self._picked)
        shapes: list[Shape] = [*lines, Handles(outline.points), Handles(outline.points[picked], Look.ACTIVE)]
        if drag is not None and drag.kind is _Kind.BAND and drag.has_moved:
            shapes.append(Line(geometry.box_ring(box=drag.box), closed=True, look=Look.GUIDE))
        if drag is None and self._pointer is not None:
            shapes += self._under(self._pointer)
        return tuple(shapes)

    def begin(self, at: Pointer) -> None:
        self.cancel()
        self._pointer = at
        instance = self._instance()
        outline = self._outline
        vertex = None if instance is None else self._vertex_at(at)
        if vertex is not None:
            if Keys.ALT in at.keys or at.clicks > 1:
                self._remove({vertex})
                return
            if Keys.SHIFT in at.keys:
                self._picked ^= {vertex}
                return
            if vertex not in self._picked:
                self._picked = frozenset({vertex})
            self._drag = _Drag(_Kind.VERTICES, at, at, outline, outline)
            return
        edge = None if instance is None else self._edge_at(at)
        if edge is not None:
            index, x, y = edge
            self._picked = frozenset()
            self._drag = _Drag(_Kind.EDGE, at, at, outline.inserted(index, x, y), outline)
        else:
            self._drag = _Drag(_Kind.BAND, at, at, outline, outline)

    def move(self, at: Pointer) -> None:
        self._pointer = at
        drag = self._drag
        if drag is None:
            return
        drag.last = at
        if not drag.has_moved and math.hypot(at.x - drag.start.x, at.y - drag.start.y) > at.reach / 4:
            if drag.kind is not _Kind.BAND and not self.editor.allows_edits():
                self.cancel()
                return
            drag.has_moved = True
            if drag.kind is _Kind.EDGE:
                edge = self._edge_at(drag.start)
                self._picked = frozenset() if edge is None else frozenset({edge[0] + 1})
        if drag.has_moved and drag.kind is not _Kind.BAND:
            drag.draft = drag.origin.moved(self._picked, *self._shift(drag))

    def end(self, at: Pointer) -> None:
        self.move(at)
        drag, self._drag = self._drag, None
        if drag is None:
            return
        if drag.kind is _Kind.BAND:
            self._end_band(drag)
        elif drag.has_moved:
            count = len(self._picked)
            name = translated("Move vertex" if count == 1 else "Move {n} vertices").format(n=count)
            self._become(drag.draft, translated("Insert vertex") if drag.kind is _Kind.EDGE else name)

    def hover(self, at: Pointer) -> None:
        self._pointer = at
        under = self._picker.at(at)
        self.editor.hover(under[0] if under else None)

    def leave(self) -> None:
        self._pointer = None

    def delete(self) -> bool:
        if self._instance() is None or not self._picked:
            return False
        self._remove(self._picked)
        return True

    def commit(self) -> None:
        if self._drag is not None:
            self.end(self._drag.last)

    def cancel(self) -> None:
        drag, self._drag = self._drag, None
        if drag is not None and drag.kind is _Kind.EDGE and drag.has_moved:
            self._picked = frozenset()

    # What is shown

    def _instance(self) -> Instance | None:
        """The instance whose outline is edited, its outline at hand; None where there is none to edit."""
        document = self.editor.document
        selection = self.editor.selection
        record = document.records.get(selection[-1]) if document and selection else None
        if not isinstance(record, Instance) or record.mask is None:
            self._shown, self._outline, self._picked = None, Outline(()), frozenset()
            self._known.clear()
            return None
        if self._shown is None or self._shown[0] != record.id:
            self._known.clear()
        if self._shown is None or self._shown[0] != record.id or self._shown[1] is not record.mask:
            known = self._known.get(record.mask)
            self._keep(record.id, record.mask, known or Outline.of(record.mask, record.rings))
            self._picked = frozenset()
        return record

    def _keep(self, id_: int, mask: Mask, outline: Outline) -> None:
        self._shown, self._outline = (id_, mask), outline
        self._known[mask] = outline
        self._known.move_to_end(mask)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)

    def _vertex_at(self, at: Pointer) -> int | None:
        return geometry.nearest_point(points=self._outline.points, x=at.x, y=at.y, reach=at.reach)

    def _edge_at(self, at: Pointer) -> tuple[int, float, float] | None:
        return geometry.nearest_edge(
            starts=self._outline.points, ends=self._outline.ends, x=at.x, y=at.y, reach=at.reach
        )

    def _under(self, at: Pointer) -> list[Shape]:
        """What a press would take hold of."""
        vertex = self._vertex_at(at)
        if vertex is not None:
            return [Handles(self._outline.points[[vertex]], Look.ACTIVE)]
        edge = self._edge_at(at)
        return [] if edge is None else [Handles(np.array([edge[1:]]), Look.ACTIVE)]

    # What becomes of a gesture

    def _shift(self, drag: _Drag) -> tuple[float, float]:
        """How far the picked vertices go: never out of the image."""
        shown = self.editor.shown
        if shown is None or not self._picked:
            return 0.0, 0.0
        points = drag.origin.points[sorted(self._picked)]
        (x0, y0), (x1, y1) = points.min(axis=0).tolist(), points.max(axis=0).tolist()
        height, width = shown.size
        return geometry.allowed_shift(
            box=(x0, y0, x1, y1), dx=drag.last.x - drag.start.x, dy=drag.last.y - drag.start.y,
            height=height, width=width,
        )  # fmt: skip

    def _end_band(self, drag: _Drag) -> None:
        if drag.has_moved:
            found = geometry.points_within(points=self._outline.points, box=drag.box)
            kept = self._picked if Keys.SHIFT in drag.start.keys else frozenset()
            self._picked = kept | frozenset(found)
            return
        self._picked = frozenset()
        under = self._picker.at(drag.start)
        if under and not set(under) & set(self.editor.selection[-1:]):
            self.editor.select(under[:1])

    def _remove(self, vertices: frozenset[int] | set[int]) -> None:
        if self.editor.allows_edits():
            count = len(vertices)
            name = translated("Delete vertex" if count == 1 else "Delete {n} vertices").format(n=count)
            self._picked = frozenset()
            self._become(self._outline.without(vertices), name)

    def _become(self, after: Outline, name: str) -> None:
        """Make the instance's mask what the outline says, in one edit; without a pixel it is removed."""
        before = self._outline
        shown, picked = self.editor.shown, self._picked
        was = self._shown
        instance = self._instance()
        if shown is None or instance is None or was is None or was[1] is not instance.mask:
            return  # somebody else changed or removed it meanwhile: that outline is no longer its own
        height, width = shown.size
        mask = redrawn(was[1], before, after, height=height, width=width)
        with self.editor.edit(name):
            if mask.is_empty:
                shown.document.remove(instance.id)
            else:
                shown.document.replace(replace(instance, mask=mask))
        now = shown.document.records.get(instance.id)
        if isinstance(now, Instance) and now.mask is not None and now.mask == mask:
            self._keep(now.id, now.mask, after)
            self._picked = picked
