"""Saves every edit of the shown image as it is made, says how that goes, and undoes and redoes.

The project's journal is the history, so that undo goes back beyond the start of the program. Knows the
editor and the project; no widget.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from engine import applog
from engine.document.diff import Diff, Source
from engine.document.document import Document, Edit, Step
from engine.document.records import ClassDef
from engine.errors import MaskwrightError
from engine.project import Project
from engine.project.journal import Past
from gui.background import Background
from gui.editor import Editor

RETRY_MS = 5000
_PUT_OFF_MS = 400
_BUSY_MS = 150


class Kept(Enum):
    """How the work stands."""

    SAVED = auto()  # all of it is on the disk
    SAVING = auto()  # some of it is on its way
    FAILED = auto()  # the disk refused some of it; it is tried again and again


@dataclass(frozen=True, slots=True)
class SaveState:
    """What to tell a person. waiting: edits not on the disk; problem: a sentence, for FAILED."""

    kept: Kept = Kept.SAVED
    waiting: int = 0
    problem: str = ""


class Saving(QObject):
    """Between the editor and the project that is open."""

    changed = Signal()  # `state` is another
    past_changed = Signal()  # what can be undone or redone is another

    def __init__(self, editor: Editor, background: Background) -> None:
        super().__init__()
        self.state = SaveState()
        self.past = Past()
        self._editor = editor
        self._background = background
        self._project: Project | None = None
        self._waiting = 0
        self.edits = 0  # counted, for whoever must see that none was made meanwhile
        self._put_off: tuple[int, Diff] | None = None
        self._put_off_timer = QTimer(self, interval=_PUT_OFF_MS, singleShot=True)
        self._put_off_timer.timeout.connect(self.flush_put_off)
        self._retry_timer = QTimer(self, interval=RETRY_MS)
        self._retry_timer.timeout.connect(self.retry)
        self._looked_timer = QTimer(self, interval=RETRY_MS, singleShot=True)  # whether the file is there
        editor.edited.connect(self._on_edit)

    def follow(self, project: Project | None) -> None:
        """Save into this project from now on; what the old one got is its own affair."""
        self._project = project
        self._waiting = 0
        self._put_off = None
        self.set_past(Past())
        self._tell(SaveState())

    def set_past(self, past: Past) -> None:
        """Take the names of what can be undone and redone on the image that is shown now."""
        self.past = past
        self.past_changed.emit()

    # Saving

    @Slot(object)
    def _on_edit(self, edit: Edit) -> None:
        if edit.step is not Step.DO:
            return
        self.edits += 1
        shown, project = self._editor.shown, self._writable
        if project is None or shown is None or edit.source is Source.ENGINE:
            return  # who makes a model's edit also sees to its saving
        self.flush_put_off()
        if edit.source is Source.USER:
            self.set_past(Past((*self.past.done, edit.name)))
        self._track(lambda: project.save(shown.item.id, edit.diff, name=edit.name, source=edit.source))

    def put_off(self, diff: Diff) -> None:
        """Save a model's change of the shown image soon: a slider that is dragged makes many of them.

        It is saved before the next edit, undo or change of image.
        """
        shown = self._editor.shown
        if shown is None or self._writable is None:
            return
        before = self._put_off[1] if self._put_off else Diff()
        self._put_off = (shown.item.id, before.squash(diff))
        self._put_off_timer.start()

    @Slot()
    def flush_put_off(self) -> None:
        """Save what was put off, now."""
        self._put_off_timer.stop()
        put_off, self._put_off = self._put_off, None
        project = self._writable
        if put_off is not None and project is not None and not put_off[1].is_empty:
            media_id, diff = put_off
            self._track(lambda: project.save(media_id, diff, name="Cut-off", source=Source.ENGINE))

    def track(self, future: Future[Any]) -> None:
        """Count a write that somebody else queued among those that are on their way."""
        self._track(lambda: future)

    @Slot()
    def retry(self) -> None:
        """Try again to write what the disk refused."""
        project = self._writable
        if project is not None:
            self._track(project.retry)

    @property
    def _writable(self) -> Project | None:
        return None if self._project is None or self._project.read_only else self._project

    def _track(self, queue: Callable[[], Future[Any]]) -> None:
        project = self._project
        try:
            future = queue()
        except MaskwrightError as error:  # the project was closed meanwhile
            self._tell(SaveState(Kept.FAILED, self.state.waiting, str(error)))
            return
        self._waiting += 1
        if self.state.kept is not Kept.FAILED:
            self._tell(SaveState(Kept.SAVING, self._waiting))
        future.add_done_callback(lambda done: self._background.call(lambda: self._landed(project, done)))

    def _landed(self, project: Project | None, future: Future[Any]) -> None:
        if project is not self._project or project is None:
            return
        self._waiting -= 1
        error = future.exception()
        if error is not None and not isinstance(error, MaskwrightError):
            error = MaskwrightError(applog.record_fault(error))
        unsaved = project.unsaved
        if error is not None and unsaved:
            self._tell(SaveState(Kept.FAILED, unsaved, str(error)))
            return
        if error is not None:
            # Not the disk: the project does not take this edit. Show what it holds.
            self._editor.refused.emit(str(error))
            self.resync()
        if self.state.kept is not Kept.FAILED or not unsaved:
            self._tell(SaveState(Kept.SAVING if self._waiting else Kept.SAVED, unsaved))
        if error is None and not self._looked_timer.isActive():
            self._looked_timer.start()
            self._background.run(project.database.exists, lambda there: self._looked(project, there=there))

    def _looked(self, project: Project, *, there: bool) -> None:
        """An open file can be written wherever its folder was moved to, and even when it was removed."""
        if not there and project is self._project:
            sentence = self.tr(
                "{} is not there any more: its folder was moved, renamed or removed. What you do goes along "
                "with a moved one and is lost with a removed one: open the folder where it is now."
            )
            self._editor.refused.emit(sentence.format(project.database))

    def _tell(self, state: SaveState) -> None:
        if state.kept is Kept.FAILED:
            self._retry_timer.start()
        else:
            self._retry_timer.stop()
        if state != self.state:
            self.state = state
            self.changed.emit()

    # Undo

    def undo(self) -> None:
        """Take back the last edit of the shown image, or the last point of what is being drawn."""
        if self._editor.tool.is_busy:
            self._editor.back()
        elif self.past.done:
            self._move(Step.UNDO)

    def redo(self) -> None:
        """Repeat what was undone last."""
        if self.past.undone and not self._editor.tool.is_busy:
            self._move(Step.REDO)

    def _move(self, step: Step) -> None:
        shown, project = self._editor.shown, self._writable
        if shown is None or project is None:
            return
        self.flush_put_off()
        media_id, edits = shown.item.id, self.edits
        move = project.queue_undo if step is Step.UNDO else project.queue_redo

        def queue() -> Future[Diff | None]:
            future = move(media_id)
            future.add_done_callback(moved)
            return future

        def moved(future: Future[Diff | None]) -> None:
            with suppress(MaskwrightError):  # a refusal is told by `_landed`
                diff, past = future.result(), project.history(media_id)
                self._background.call(lambda: self._moved(media_id, diff, past, edits, step))

        self._track(queue)

    def _moved(self, media_id: int, diff: Diff | None, past: Past, edits: int, step: Step) -> None:
        shown = self._editor.shown
        if shown is None or shown.item.id != media_id:
            return
        self.set_past(past)
        if diff is None:
            return
        if edits != self.edits:
            self.resync()
            return
        self._apply(diff, step)

    def _apply(self, diff: Diff, step: Step) -> None:
        document = self._editor.document
        assert document is not None
        name = self.tr("Undo") if step is Step.UNDO else self.tr("Redo")
        edit = document.apply(diff, name=name, step=step)
        if edit is not None:
            touched = (*edit.diff.added, *edit.diff.updated)
            self._editor.select(one.id for one in document.instances if one.id in touched)

    @Slot()
    def resync(self) -> None:
        """Bring the shown document to what the project holds: after a batch, or where the two parted."""
        shown, project = self._editor.shown, self._project
        if shown is None or project is None:
            return
        self.flush_put_off()
        media_id, edits = shown.item.id, self.edits

        def loaded(found: tuple[Document, Past, tuple[ClassDef, ...]]) -> None:
            if self._editor.shown is not shown:
                return
            if self.edits != edits or self._editor.tool.is_busy:
                QTimer.singleShot(_BUSY_MS, self, self.resync)  # what is drawn now comes first
                return
            fresh, past, classes = found
            if classes != self._editor.classes:
                self._editor.set_classes(classes)
            diff = Diff.between(shown.document.records, fresh.records)
            # Neither new nor a person's: REDO, because nobody saves that.
            shown.document.apply(diff, name="Reload", step=Step.REDO)
            self.set_past(past)

        self._background.run(
            lambda: (project.load(media_id), project.history(media_id), project.classes()),
            loaded,
            self._editor.refused.emit,
        )
