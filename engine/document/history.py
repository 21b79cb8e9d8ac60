"""Undo and redo of one document, as deep as memory: an edit costs what it changed, not what it touched.

Only a person's edits enter; what the engine or an import does is neither undone nor in the way. An
undo takes back the fields and pixels that its edit changed and leaves everything else as it is by
then. Where the engine has replaced a proposal meanwhile, that record is skipped; an edit of which
nothing is left is passed over. An image never becomes reviewed by undo or redo after the engine has
changed it: nobody has looked at that. Knows documents and the codec; the project's journal does
the same across restarts.
"""

from __future__ import annotations

from dataclasses import dataclass

from engine.document.codec import from_bytes, to_bytes
from engine.document.diff import Diff, Source
from engine.document.document import Document, Edit, Step
from engine.document.rules import without_verdict


@dataclass(frozen=True, slots=True)
class _Past:
    """An edit in its compact form. `foreign`: how many edits of others had been made by then."""

    name: str
    data: bytes
    foreign: int


class History:
    """The edits of a document from now on, to be undone and redone."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._done: list[_Past] = []
        self._undone: list[_Past] = []
        self._foreign = 0
        self._end = document.subscribe(self._on_edit)

    @property
    def undo_name(self) -> str | None:
        """The name of the edit that `undo` takes back; None where there is none."""
        return self._done[-1].name if self._done else None

    @property
    def redo_name(self) -> str | None:
        """The name of the edit that `redo` repeats; None where there is none."""
        return self._undone[-1].name if self._undone else None

    @property
    def size_bytes(self) -> int:
        """What all remembered edits take."""
        return sum(len(past.data) for past in (*self._done, *self._undone))

    def undo(self) -> Edit | None:
        """Take back the person's last edit of which something is left; None where there is none.

        Raises EditError inside an edit.
        """
        return self._move(self._done, self._undone, Step.UNDO)

    def redo(self) -> Edit | None:
        """Repeat the edit that was undone last; None where there is none. Raises EditError inside an edit."""
        return self._move(self._undone, self._done, Step.REDO)

    def close(self) -> None:
        """Stop following the document."""
        self._end()

    def _move(self, here: list[_Past], there: list[_Past], step: Step) -> Edit | None:
        while here:
            past = here[-1]
            diff = self._wanted(past, step)
            edit = self._document.apply(diff, name=past.name, step=step)
            here.pop()
            if edit is not None:
                done = edit.diff.invert() if step is Step.UNDO else edit.diff
                there.append(_Past(past.name, to_bytes(done), self._foreign))
                return edit
        return None

    def _wanted(self, past: _Past, step: Step) -> Diff:
        diff = from_bytes(past.data, self._document.records)
        if step is Step.UNDO:
            diff = diff.invert()
        return diff if past.foreign == self._foreign else without_verdict(diff)

    def _on_edit(self, edit: Edit) -> None:
        if edit.source is not Source.USER:
            self._foreign += 1
        elif edit.step is Step.DO:
            self._done.append(_Past(edit.name, to_bytes(edit.diff), self._foreign))
            self._undone.clear()
