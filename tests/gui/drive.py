"""The editor without a window: pointer and keys as the canvas would tell them, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType, SimpleNamespace
from typing import Any, TypeVar, cast

import numpy as np

from engine.document.document import Document, Edit
from engine.document.history import History
from engine.document.mask import Mask
from engine.document.records import ClassDef, IgnoreRegion, Instance, MediaItem, Record
from engine.media.picture import Rgb
from gui.commands.registry import COMMANDS, Context
from gui.editor import Editor, Shown
from gui.tools.tool import Keys, Pointer

CLASSES = (ClassDef(1, "bolt", "#cc3311"), ClassDef(2, "nut", "#0077bb"))

S = TypeVar("S")


class TestEditor:
    """An editor that shows one image, by default 80 high and 100 wide, with the given records on it.

    Every coordinate is in image pixels. `edits` and `refusals` hold what the editor told.
    """

    __test__ = False  # pytest collects no tests here

    def __init__(
        self, *records: Instance | IgnoreRegion, height: int = 80, width: int = 100, pixels: Rgb | None = None
    ) -> None:
        self.editor = Editor()
        self.editor.set_classes(CLASSES)
        self.edits: list[Edit] = []
        self.refusals: list[str] = []
        self.editor.edited.connect(self.edits.append)
        self.editor.refused.connect(self.refusals.append)
        self.reach = 4.0
        self.show(*records, pixels=np.zeros((height, width, 3), np.uint8) if pixels is None else pixels)

    def show(self, *records: Instance | IgnoreRegion, pixels: Rgb) -> None:
        """Swap another image in."""
        document = Document({record.id: record for record in records})
        self.history = History(document)
        height, width = pixels.shape[:2]
        self.editor.show(Shown(MediaItem(1, "a.png", width=width, height=height), pixels, document))

    # Commands

    def context(self) -> Context:
        """What commands that only need the editor work on, in a view of 200 by 160."""
        nothing = cast(Any, None)
        view = SimpleNamespace(width=lambda: 200, height=lambda: 160)
        return Context(self.editor, nothing, nothing, nothing, nothing, nothing, nothing, nothing, view)

    def run(self, id_: str, *answer: object, context: Context | None = None) -> TestEditor:
        """Run a command as its shortcut would: only where it can be run now."""
        context = context or self.context()
        command = COMMANDS[id_]
        if command.when(context):
            command.run(context, *answer)
        return self

    # What there is

    @property
    def document(self) -> Document:
        """The document that is shown."""
        assert self.editor.document is not None
        return self.editor.document

    @property
    def records(self) -> Mapping[int, Record]:
        """The records as they are now, kept as they are."""
        return MappingProxyType(dict(self.document.records))

    @property
    def names(self) -> list[str]:
        """The names of the edits so far."""
        return [edit.name for edit in self.edits]

    @property
    def selection(self) -> list[int]:
        """The selected ids."""
        return list(self.editor.selection)

    def only(self) -> Instance:
        """The one instance there is."""
        (instance,) = self.document.instances
        return instance

    def mask(self, id_: int) -> Mask:
        """The mask of an instance that has one."""
        mask = self.document.instance(id_).mask
        assert mask is not None
        return mask

    def shapes(self, kind: type[S]) -> list[S]:
        """What of that kind the tool draws now."""
        return [shape for shape in self.editor.tool.preview if isinstance(shape, kind)]

    # What a person does

    def use(self, tool: str) -> TestEditor:
        """Take another tool."""
        self.editor.set_tool(tool)
        return self

    def select(self, *ids: int) -> TestEditor:
        """Select exactly these."""
        self.editor.select(ids)
        return self

    def pointer_down(self, x: float, y: float, keys: Keys = Keys.NONE, clicks: int = 1) -> None:
        """Press the button."""
        self.editor.pointer_down(self._at(x, y, keys, clicks))

    def pointer_move(self, x: float, y: float, keys: Keys = Keys.NONE) -> None:
        """Move with the button down."""
        self.editor.pointer_move(self._at(x, y, keys))

    def pointer_up(self, x: float, y: float, keys: Keys = Keys.NONE) -> None:
        """Let the button go."""
        self.editor.pointer_up(self._at(x, y, keys))

    def hover(self, x: float, y: float, keys: Keys = Keys.NONE) -> None:
        """Move with no button down."""
        self.editor.pointer_hover(self._at(x, y, keys))

    def click(self, x: float, y: float, keys: Keys = Keys.NONE, clicks: int = 1) -> None:
        """Come there, press and let go."""
        self.hover(x, y, keys)
        self.pointer_down(x, y, keys, clicks)
        self.pointer_up(x, y, keys)

    def double_click(self, x: float, y: float, keys: Keys = Keys.NONE) -> None:
        """Two clicks, as the canvas tells them."""
        self.click(x, y, keys)
        self.click(x, y, keys, clicks=2)

    def drag(self, *points: tuple[float, float], keys: Keys = Keys.NONE) -> None:
        """Press at the first point, move along the others, let go at the last."""
        self.hover(*points[0], keys)
        self.pointer_down(*points[0], keys)
        for point in points[1:]:
            self.pointer_move(*point, keys)
        self.pointer_up(*points[-1], keys)

    def undo(self) -> Edit | None:
        """Take the last edit back."""
        return self.history.undo()

    def redo(self) -> Edit | None:
        """Repeat what was undone."""
        return self.history.redo()

    def _at(self, x: float, y: float, keys: Keys, clicks: int = 1) -> Pointer:
        return Pointer(x, y, keys, self.reach, clicks)


def rectangle(id_: int, x: int, y: int, width: int, height: int, **fields: object) -> Instance:
    """An instance of class 1 whose mask is a rectangle."""
    mask = Mask.from_crop(x, y, np.ones((height, width)))
    return Instance(id_, **{"class_id": 1, "mask": mask, "z": id_, **fields})  # type: ignore[arg-type]
