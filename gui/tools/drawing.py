"""What tools that make a mask have in common: whether they may, and what becomes of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from enum import Enum, auto
from typing import TYPE_CHECKING

from engine.document.boolean import subtract, union
from engine.document.mask import EMPTY, Mask
from engine.document.records import Instance, new_id
from gui.tools.picking import Picker
from gui.tools.tool import Keys, Pointer, Tool, translated

if TYPE_CHECKING:
    from gui.editor import Editor

_SELECT_FIRST = "Select the instance to be changed first."


class Use(Enum):
    """What becomes of a shape that was drawn."""

    NEW = auto()
    ADD = auto()  # to the selected instance
    CUT = auto()  # out of the selected instances

    @classmethod
    def of(cls, keys: Keys) -> Use:
        """Shift cuts, Ctrl adds."""
        return cls.CUT if Keys.SHIFT in keys else cls.ADD if Keys.CTRL in keys else cls.NEW


class DrawingTool(Tool):
    """A tool that makes masks."""

    def __init__(self, editor: Editor) -> None:
        super().__init__(editor)
        self.picker = Picker(editor)

    def may_draw(self, use: Use, at: Pointer) -> bool:
        """Whether a shape for that use may be begun; where not, the editor's `refused` says why.

        With nothing selected, cutting and adding take the instance under the pointer.
        """
        if not self.editor.allows_edits():
            return False
        if use is Use.NEW:
            return self.has_class()
        if not self.editor.selection:
            self.editor.select(self.picker.at(at)[:1])
        if not self.editor.selection:
            self.refuse(_SELECT_FIRST)
        return bool(self.editor.selection)

    def has_class(self) -> bool:
        """Whether there is a class for a new instance; where not, the editor asks for one."""
        if self.editor.class_id is None:
            self.refuse("There is no class yet: add one before you draw.")
            self.editor.class_wanted.emit()
        return self.editor.class_id is not None

    def refuse(self, sentence: str) -> None:
        """Say why nothing is done."""
        self.editor.refused.emit(translated(sentence))

    def use(self, mask: Mask, use: Use, name: str) -> None:
        """Make the shape that was drawn an instance, or change the selected ones by it, in one edit."""
        shown = self.editor.shown
        if shown is None:
            return
        mask = mask.clipped(*shown.size)
        if mask.is_empty:
            self.refuse("The shape holds no pixel of the image.")
        elif use is Use.NEW:
            self.add_instance(mask, name)
        elif not self.editor.selection:
            self.refuse(_SELECT_FIRST)
        elif use is Use.ADD:
            self.change(self.editor.selection[-1:], lambda old: union(old, mask), "Add to instance")
        else:
            self.change(self.editor.selection, lambda old: subtract(old, mask), "Cut out")

    def add_instance(self, mask: Mask, name: str) -> None:
        """Add an instance of the current class and select it."""
        document, class_id = self.editor.document, self.editor.class_id
        if document is None or class_id is None or mask.is_empty:
            return
        instance = Instance(new_id(), class_id, mask=mask, z=document.next_z)
        with self.editor.edit(translated(name)):
            document.add(instance)
        if instance.id in document.records:
            self.editor.select((instance.id,))

    def change(self, ids: tuple[int, ...], make: Callable[[Mask], Mask], name: str) -> None:
        """Replace the masks of instances in one edit; one that has no pixel left is removed."""
        document = self.editor.document
        if document is None:
            return
        with self.editor.edit(translated(name)):
            for id_ in ids:
                old = document.records.get(id_)
                if not isinstance(old, Instance):
                    continue
                mask = make(old.mask or EMPTY)
                if not mask.is_empty:
                    document.replace(replace(old, mask=mask))
                elif old.mask is not None:
                    document.remove(id_)
