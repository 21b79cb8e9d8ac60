"""The tool that selects and moves: click, rubber band, drag, Alt-drag for a copy, handles of bare boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from engine.document.polygons import to_polygons
from engine.document.records import Box, Instance, Provenance, new_id
from gui import geometry
from gui.tools.picking import Picker
from gui.tools.tool import Handles, Keys, Line, Look, Pointer, Points, Shape, Tool, register, translated

if TYPE_CHECKING:
    from gui.editor import Editor

_OUTLINED = 60
"""Instances that are drawn as outlines while they are dragged; more of them are drawn as boxes."""


@dataclass(slots=True, eq=False)
class _Drag:
    """The gesture that is going on. `handle`: of the box that is resized; `ids` empty: a rubber band."""

    start: Pointer
    last: Pointer
    ids: tuple[int, ...] = ()
    handle: int | None = None
    under: tuple[int, ...] = ()  # what lay under the pointer when the button went down
    was_selected: bool = False
    has_moved: bool = False
    outlines: tuple[Points, ...] | None = None

    @property
    def box(self) -> Box:
        return geometry.box_between(start=(self.start.x, self.start.y), end=(self.last.x, self.last.y))


@register
class SelectTool(Tool):
    """Click selects, again takes the one beneath; drag moves; on nothing it is a rubber band."""

    id = "select"
    title = "Select and move"
    shortcut = "V"
    hint = (
        "Click to select, again for the one beneath; drag to move, Alt-drag to copy, Shift to add; "
        "double click to edit the outline"
    )
    icon = "select"
    cursor = "arrow"

    def __init__(self, editor: Editor) -> None:
        super().__init__(editor)
        self._picker = Picker(editor)
        self._drag: _Drag | None = None
        self._before_click: tuple[int, ...] = ()  # the selection before the first of two clicks

    @property
    def is_busy(self) -> bool:
        return self._drag is not None

    @property
    def preview(self) -> tuple[Shape, ...]:
        drag = self._drag
        if drag is None or not drag.has_moved:
            return self._box_handles(None)
        if drag.handle is not None:
            return self._box_handles(drag)
        if not drag.ids:
            return (Line(geometry.box_ring(box=drag.box), closed=True, look=Look.GUIDE),)
        if drag.outlines is None:
            drag.outlines = _outlines(self._present(drag.ids))
        shift = np.array(self._shift(drag), dtype=np.float64)
        return tuple(Line(ring + shift, closed=True) for ring in drag.outlines)

    def begin(self, at: Pointer) -> None:
        if at.clicks == 1:
            self._before_click = self.editor.selection
        handle = self._handle_at(at)
        if handle is not None:
            self._drag = _Drag(at, at, self.editor.selection, handle)
            return
        under = self._picker.at(at)
        selected = set(self.editor.selection)
        was_selected = any(id_ in selected for id_ in under)
        if Keys.SHIFT in at.keys:
            self._drag = _Drag(at, at)
            if under:
                self._toggle(under[0])
                self._drag = None
        elif under and not was_selected:
            self.editor.select(under[:1])
            self._drag = _Drag(at, at, under[:1], None, under)
        else:
            ids = self.editor.selection if was_selected else ()
            self._drag = _Drag(at, at, ids, None, under, was_selected)

    def move(self, at: Pointer) -> None:
        drag = self._drag
        if drag is None:
            return
        drag.last = at
        if not drag.has_moved and math.hypot(at.x - drag.start.x, at.y - drag.start.y) > at.reach / 2:
            # Nothing is dragged where nothing may change, but a rubber band is no change.
            if drag.ids and not self.editor.allows_edits():
                self._drag = None
                return
            drag.has_moved = True

    def end(self, at: Pointer) -> None:
        self.move(at)
        drag, self._drag = self._drag, None
        if drag is None:
            return
        if not drag.has_moved:
            self._click(drag)
        elif drag.handle is not None:
            self._resize(drag)
        elif drag.ids:
            self._place(drag)
        else:
            kept = self.editor.selection if Keys.SHIFT in drag.start.keys else ()
            self.editor.select((*kept, *self._picker.within(drag.box)))

    def hover(self, at: Pointer) -> None:
        under = self._picker.at(at)
        self.editor.hover(under[0] if under else None)

    def commit(self) -> None:
        if self._drag is not None:
            self.end(self._drag.last)

    def cancel(self) -> None:
        self._drag = None

    # Selecting

    def _click(self, drag: _Drag) -> None:
        """The button came up where it went down: on what was selected, take the one beneath it."""
        if Keys.SHIFT in drag.start.keys or drag.handle is not None:
            return
        if not drag.under:
            self.editor.select(())
        elif drag.start.clicks > 1:
            # The first click of the two may have gone on to the instance beneath.
            meant = [id_ for id_ in self._before_click if id_ in drag.under] or drag.under
            self.editor.select(meant[:1])
            self.editor.set_tool("vertex")
        elif drag.was_selected:
            places = [drag.under.index(id_) for id_ in self.editor.selection if id_ in drag.under]
            following = (max(places) + 1) % len(drag.under) if places else 0
            self.editor.select((drag.under[following],))

    def _toggle(self, id_: int) -> None:
        selection = self.editor.selection
        if id_ in selection:
            self.editor.select(one for one in selection if one != id_)
        else:
            self.editor.select((*selection, id_))

    # Moving

    def _present(self, ids: Sequence[int]) -> tuple[Instance, ...]:
        """Those of the instances that are still there: the engine may have replaced proposals meanwhile."""
        document = self.editor.document
        wanted = set(ids)
        return tuple(one for one in document.instances if one.id in wanted) if document else ()

    def _shift(self, drag: _Drag) -> tuple[int, int]:
        """How far the dragged instances go, in whole pixels: never out of the image."""
        instances = self._present(drag.ids)
        shown = self.editor.shown
        if shown is None or not instances:
            return 0, 0
        x0, y0, x1, y1 = geometry.bounds_of(instances=instances).T
        height, width = shown.size
        dx, dy = geometry.allowed_shift(
            box=(float(x0.min()), float(y0.min()), float(x1.max()), float(y1.max())),
            dx=round(drag.last.x - drag.start.x),
            dy=round(drag.last.y - drag.start.y),
            height=height,
            width=width,
        )
        return math.trunc(dx), math.trunc(dy)

    def _place(self, drag: _Drag) -> None:
        document = self.editor.document
        dx, dy = self._shift(drag)
        if document is None or (dx == 0 and dy == 0):
            return
        moved = [geometry.moved(instance=one, dx=dx, dy=dy) for one in self._present(drag.ids)]
        if Keys.ALT not in drag.last.keys:
            with self.editor.edit(translated("Move")):
                for one in moved:
                    document.replace(one)
            return
        copies = [
            replace(
                one, id=new_id(), z=document.next_z + place, provenance=Provenance.DRAWN, score=None,
                track_id=None,
            )
            for place, one in enumerate(moved)
        ]  # fmt: skip
        with self.editor.edit(translated("Duplicate")):
            for one in copies:
                document.add(one)
        self.editor.select(one.id for one in copies if one.id in document.records)

    # Bare boxes

    def _bare_box(self) -> Instance | None:
        """The one selected instance, where it is known by its box alone."""
        if len(self.editor.selection) != 1:
            return None
        instance = self.editor.selected[0]
        return instance if instance.mask is None and instance.box_xyxy is not None else None

    def _handle_at(self, at: Pointer) -> int | None:
        instance = self._bare_box()
        if instance is None:
            return None
        handles = geometry.handles_of(box=instance.bounds_xyxy)
        return geometry.nearest_point(points=handles, x=at.x, y=at.y, reach=at.reach)

    def _box_handles(self, drag: _Drag | None) -> tuple[Shape, ...]:
        instance = self._bare_box()
        if instance is None:
            return ()
        box = instance.bounds_xyxy if drag is None else self._resized(instance, drag)
        handles = geometry.handles_of(box=box)
        active = handles[[drag.handle]] if drag is not None and drag.handle is not None else handles[:0]
        ring = Line(geometry.box_ring(box=box), closed=True)
        return ring, Handles(handles), Handles(active, Look.ACTIVE)

    def _resized(self, instance: Instance, drag: _Drag) -> Box:
        assert self.editor.shown is not None
        assert drag.handle is not None
        height, width = self.editor.shown.size
        return geometry.resized(
            box=instance.bounds_xyxy, handle=drag.handle, x=drag.last.x, y=drag.last.y,
            height=height, width=width,
        )  # fmt: skip

    def _resize(self, drag: _Drag) -> None:
        instance = self._bare_box()
        document = self.editor.document
        if instance is not None and document is not None and drag.ids == (instance.id,):
            with self.editor.edit(translated("Resize")):
                document.replace(replace(instance, box_xyxy=self._resized(instance, drag)))


def _outlines(instances: Sequence[Instance]) -> tuple[Points, ...]:
    if len(instances) > _OUTLINED:
        return tuple(geometry.box_ring(box=one.bounds_xyxy) for one in instances)
    return tuple(
        ring.astype(np.float64)
        for one in instances
        for ring in (
            [geometry.box_ring(box=one.bounds_xyxy)]
            if one.mask is None
            else [ring for polygon in to_polygons(one.mask) for ring in polygon.rings]
        )
    )
