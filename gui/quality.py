"""How good the model's proposals are, told by what the person made of them on the images reviewed last.

Read on a thread whenever an image was accepted or a reviewed one changed. Knows the desk; no widget.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from engine.document.document import Edit
from engine.document.records import IMAGE_STATE_ID, ReviewState
from engine.project import Project
from gui.commands.registry import translated
from gui.counts import counted
from gui.desk import Desk
from gui.saving import Kept

if TYPE_CHECKING:
    from engine.tuning.live import LiveQuality

_SOON_MS = 250


class Quality(QObject):
    """Lives on the GUI thread. `now` is None until something is known."""

    changed = Signal()

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.now: LiveQuality | None = None
        self._desk = desk
        self._is_behind = False
        self._reading = 0
        self._soon = QTimer(self, interval=_SOON_MS, singleShot=True)
        self._soon.timeout.connect(self._read)
        desk.project_changed.connect(self._on_project)
        desk.editor.edited.connect(self._on_edit)
        desk.saving.changed.connect(self._on_saving)

    @Slot()
    def _on_project(self) -> None:
        self.now, self._is_behind = None, False
        self._reading += 1
        self.changed.emit()
        self._read()

    @Slot(object)
    def _on_edit(self, edit: Edit) -> None:
        document = self._desk.editor.document
        if document is None:
            return
        is_reviewed = document.state.review is ReviewState.REVIEWED
        if is_reviewed or IMAGE_STATE_ID in edit.diff.updated:
            self._is_behind = True

    @Slot()
    def _on_saving(self) -> None:
        if self._is_behind and self._desk.saving.state.kept is Kept.SAVED:
            self._is_behind = False
            self._soon.start()

    @Slot()
    def _read(self) -> None:
        project = self._desk.project
        if project is None:
            return
        self._reading += 1
        asked = self._reading

        def take(found: LiveQuality) -> None:
            if asked == self._reading:
                self.now = found
                self.changed.emit()

        self._desk.background.run(lambda: _live(project), take)


def _live(project: Project) -> LiveQuality:
    from engine.tuning.live import live_quality  # on a thread

    return live_quality(project)


def in_brief(now: LiveQuality | None) -> str:
    """Such as: 84 % right, 3.2 edits an image; empty while nothing is known."""
    if now is None or now.quality is None or now.edits_an_image is None:
        return ""
    edits = translated("{:.1f} edits an image").format(now.edits_an_image)
    return translated("{:.0f} % right").format(100 * now.quality) + f", {edits}"


def of_which(now: LiveQuality | None) -> str:
    """How many images it is of, such as: Your last 20 images."""
    count = len(now.images) if now is not None else 0
    return counted(count, translated("Your last image"), translated("Your last {} images"))


def explained(now: LiveQuality | None) -> str:
    """What the figures mean, and what they are made of."""
    told = translated(
        "How much of the objects the model had right before you looked, on the images that you reviewed "
        "last: "
        "a proposal that you accepted counts whole, one that you corrected by how much of its mask stayed; "
        "one that you removed, one of another class and an object that it missed do not count. "
        "Edits are your own steps, without the accepting."
    )
    if now is None or not now.images:
        return told
    accepted, corrected, rejected, missed = now.counts
    counts = translated("{} accepted, {} corrected, {} removed, {} missed.").format(
        accepted, corrected, rejected, missed
    )
    return f"{told}\n\n{counts}"
