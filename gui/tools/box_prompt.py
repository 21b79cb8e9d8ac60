"""The box tool that asks the model: a mask and its class follow the box while it is dragged."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING

from engine.document.records import Box
from engine.prompt import Click
from gui import geometry
from gui.tools.prompting import PromptTool, Question, holding, inside
from gui.tools.tool import Handles, Line, Look, Pointer, Shape, register

if TYPE_CHECKING:
    from gui.editor import Editor

_LEAST = 2.0
"""Image pixels of a side from which on a box is a box."""


class _Kind(Enum):
    NEW = auto()
    MOVE = auto()
    RESIZE = auto()


@dataclass(slots=True, eq=False)
class _Press:
    """The button is down. box: as it was then, None where a new one is begun."""

    kind: _Kind
    start: Pointer
    box: Box | None
    handle: int = 0
    has_moved: bool = False


@register
class BoxPromptTool(PromptTool):
    """Drag a box round an object: the model's mask of it, that follows the box."""

    id = "box_prompt"
    title = "Box to mask"
    shortcut = "W"
    hint = "Drag a box round an object: the model makes its mask; drag its corners, click to add or take away"
    icon = "box-prompt"

    def __init__(self, editor: Editor) -> None:
        super().__init__(editor)
        self._press: _Press | None = None
        self._pointer: Pointer | None = None

    @property
    def preview(self) -> tuple[Shape, ...]:
        box = self.prompt.question.box_xyxy if self.prompt is not None else None
        if box is None:
            return super().preview
        handles = geometry.handles_of(box=box)
        shapes: list[Shape] = [Line(geometry.box_ring(box=box), closed=True, look=Look.GUIDE)]
        if self._press is None or self._press.kind is not _Kind.NEW:
            shapes.append(Handles(handles))
            if self._pointer is not None:
                near = self._handle_at(self._pointer)
                shapes += [] if near is None else [Handles(handles[[near]], Look.ACTIVE)]
        return (*shapes, *super().preview)

    def begin(self, at: Pointer) -> None:
        self._pointer = at
        if not self.may_ask():
            return
        if at.clicks > 1 and self.prompt is not None:
            self._press = None
            self.commit()
            return
        box = self.prompt.question.box_xyxy if self.prompt is not None else None
        handle = self._handle_at(at)
        if handle is not None:
            self._press = _Press(_Kind.RESIZE, at, box, handle)
        elif box is not None and box[0] <= at.x < box[2] and box[1] <= at.y < box[3]:
            self._press = _Press(_Kind.MOVE, at, box)
        else:
            self._press = _Press(_Kind.NEW, at, None)

    def move(self, at: Pointer) -> None:
        self._pointer = at
        press, shown = self._press, self.editor.shown
        if press is None or shown is None:
            return
        if not press.has_moved:
            if math.hypot(at.x - press.start.x, at.y - press.start.y) <= at.reach / 2:
                return  # a hand that trembles while it clicks
            press.has_moved = True
            if press.kind is _Kind.NEW:
                self.take_shown()  # what the box before found is not lost
                self._press = press
        height, width = shown.size
        if press.kind is _Kind.NEW or press.box is None:
            box = geometry.box_between(start=(press.start.x, press.start.y), end=(at.x, at.y))
            box = inside(box=box, height=height, width=width)
        elif press.kind is _Kind.RESIZE:
            box = geometry.resized(
                box=press.box, handle=press.handle, x=at.x, y=at.y, height=height, width=width
            )
        else:
            dx, dy = geometry.allowed_shift(
                box=press.box, dx=at.x - press.start.x, dy=at.y - press.start.y, height=height, width=width
            )
            x0, y0, x1, y1 = press.box
            box = x0 + dx, y0 + dy, x1 + dx, y1 + dy
        if min(box[2] - box[0], box[3] - box[1]) >= _LEAST:
            self.ask(
                replace(self.prompt.question if self.prompt else Question(method=self.method), box_xyxy=box)
            )

    def end(self, at: Pointer) -> None:
        self.move(at)
        press, self._press = self._press, None
        if press is None or press.has_moved or self.prompt is None:
            return
        click = self.click(at)
        if click is not None:
            self._add_click(click)

    def hover(self, at: Pointer) -> None:
        super().hover(at)
        self._pointer = at

    def leave(self) -> None:
        self._pointer = None

    def commit(self) -> None:
        self._press = None
        super().commit()

    def cancel(self) -> None:
        self._press = None
        super().cancel()

    def _add_click(self, click: Click) -> None:
        assert self.prompt is not None
        question = self.prompt.question
        box = question.box_xyxy
        if click.positive and box is not None:
            box = holding(box=box, click=click)
        self.ask(replace(question, box_xyxy=box, clicks=(*question.clicks, click)))

    def _handle_at(self, at: Pointer) -> int | None:
        box = self.prompt.question.box_xyxy if self.prompt is not None else None
        if box is None:
            return None
        return geometry.nearest_point(points=geometry.handles_of(box=box), x=at.x, y=at.y, reach=at.reach)
