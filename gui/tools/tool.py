"""What a tool is: a pointer interaction that turns gestures into edits and says what to draw meanwhile.

A tool knows the editor and no widget. The canvas hands it pointer events in image pixels and draws its
`preview`; one gesture is one edit. Tools are registered by name with `@register`.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, Flag, auto
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
from numpy.typing import NDArray
from PySide6.QtCore import QCoreApplication

from engine.document.paint import MaskCanvas, Rectangle

if TYPE_CHECKING:
    from gui.editor import Editor

Points: TypeAlias = NDArray[np.float64]
"""K x 2 (x, y), image pixels."""


class Keys(Flag):
    """Modifier keys held during a pointer event."""

    NONE = 0
    SHIFT = auto()
    CTRL = auto()
    ALT = auto()


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where the pointer is. x, y: image pixels, also outside the image. reach: the image pixels that a
    handle's breadth on the screen covers, for hit tests. clicks: 2 for a double click.
    """

    x: float
    y: float
    keys: Keys = Keys.NONE
    reach: float = 4.0
    clicks: int = 1


class Look(Enum):
    """How a line or point of a preview is drawn; the canvas knows the colours."""

    OUTLINE = auto()  # of what is being made, in the class's colour
    GUIDE = auto()  # a helper that is not part of the result: thin, dashed
    HANDLE = auto()  # may be grabbed
    ACTIVE = auto()  # is grabbed, or under the pointer


@dataclass(frozen=True, slots=True, eq=False)
class Line:
    """A line through points; closed joins the last with the first."""

    points: Points
    closed: bool = False
    look: Look = Look.OUTLINE


@dataclass(frozen=True, slots=True, eq=False)
class Handles:
    """Points to grab."""

    points: Points
    look: Look = Look.HANDLE


@dataclass(frozen=True, slots=True)
class Disc:
    """The brush's outline. radius: image pixels."""

    x: float
    y: float
    radius: float
    erases: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Painted:
    """A mask while it is painted, shown in the place of the instance's own.

    instance_id: None for an instance that is not in the document yet. changed: by the last event alone, so
    that whoever draws takes the preview at every `preview_changed`.
    """

    instance_id: int | None
    class_id: int
    canvas: MaskCanvas
    changed: Rectangle


@dataclass(frozen=True, slots=True)
class Mark:
    """A click that counts: on the object, or on what is not to be in it."""

    x: float
    y: float
    positive: bool


@dataclass(frozen=True, slots=True)
class Caption:
    """A word over a point, in the colour of what is being made."""

    x: float
    y: float
    text: str


Shape: TypeAlias = Line | Handles | Disc | Painted | Mark | Caption


class Tool:
    """The base of all tools: every event does nothing. One tool object lives as long as its editor.

    cursor: "cross", "arrow", "none", "hand" or "busy".
    """

    id = ""
    title = ""
    shortcut = ""
    hint = ""
    icon = ""
    cursor = "cross"

    def __init__(self, editor: Editor) -> None:
        self.editor = editor

    @property
    def is_busy(self) -> bool:
        """Whether a gesture is going on that `cancel` would lose."""
        return False

    @property
    def note(self) -> str:
        """What the person should know now, in their language; empty: `hint` says it all."""
        return ""

    @property
    def preview(self) -> tuple[Shape, ...]:
        """What to draw over the picture now."""
        return ()

    @property
    def class_id(self) -> int | None:
        """The class whose colour the preview's outlines have: that of what is being made."""
        return self.editor.class_id

    def begin(self, at: Pointer) -> None:
        """The button went down."""

    def move(self, at: Pointer) -> None:
        """The pointer moved with the button down."""

    def end(self, at: Pointer) -> None:
        """The button went up."""

    def hover(self, at: Pointer) -> None:
        """The pointer moved with no button down."""

    def leave(self) -> None:
        """The pointer left the canvas."""

    def commit(self) -> None:
        """Enter, or another image while `is_busy`: finish what is being made, as far as it goes."""

    def back(self) -> None:
        """Backspace: take back the last point of what is being made."""

    @property
    def has_choice(self) -> bool:
        """Whether there are several candidates for what is being made: `cycle` goes through them."""
        return False

    def cycle(self, by: int) -> None:
        """Tab or a notch of the wheel while `has_choice`: take the candidate that many places on."""

    def choose_class(self, class_id: int) -> bool:  # noqa: ARG002 - tools with candidates use it
        """A class was chosen: whether it is that of what is being made, and of nothing else."""
        return False

    def delete(self) -> bool:
        """Delete: remove what is picked inside the tool; False leaves the key to the selected instances."""
        return False

    def cancel(self) -> None:
        """Escape, or another tool or image: drop what is being made, as if it had never been begun."""


def translated(text: str) -> str:
    """A tool's title, hint or sentence, or the name of its edit, in the person's language."""
    return QCoreApplication.translate("Tool", text)


TOOLS: dict[str, type[Tool]] = {}


def register(tool: type[Tool]) -> type[Tool]:
    """Class decorator: enter a tool under its id. Raises ValueError for an id that is taken."""
    if not tool.id or tool.id in TOOLS:
        raise ValueError(f"the tool id {tool.id!r} of {tool.__name__} is empty or taken")
    TOOLS[tool.id] = tool
    return tool
