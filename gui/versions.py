"""The model versions as the window shows them: list, AP over versions, what is done with one, a comparison.

Reads and changes the model store on threads; two models are measured by the engine. No widget.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from PySide6.QtCore import QObject, Signal, Slot

from engine.errors import MaskwrightError
from engine.messages import Canceled, Compare, Compared, Failed, OrderId, Progress
from engine.models.store import default_store
from engine.project import Project
from gui.bridge import Bridge
from gui.desk import Desk
from gui.models import Models
from gui.tuning import Tuning

if TYPE_CHECKING:
    from engine.tuning.versions import Compared as Differences
    from engine.tuning.versions import VersionInfo

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two models that are being measured. done, total: images, 0 until it is known."""

    first: str
    second: str
    done: int = 0
    total: int = 0
    seconds_left: float | None = None


class Versions(QObject):
    """Lives on the GUI thread. `read` lists; whatever changes the store lists anew."""

    changed = Signal()  # `listed`, `curve` or which one is active is another
    progressed = Signal()  # `comparison` is another
    compared = Signal(object)  # Verdict: of the two that were measured
    said = Signal(str)  # a sentence on what was done
    failed = Signal(str)

    def __init__(self, desk: Desk, bridge: Bridge, models: Models, tuning: Tuning) -> None:
        super().__init__()
        self.listed: tuple[VersionInfo, ...] = ()  # the newest first
        self.curve: tuple[VersionInfo, ...] = ()  # the measured ones of this project, the oldest first
        self.comparison: Comparison | None = None
        self._desk, self._bridge, self._models, self._tuning = desk, bridge, models, tuning
        self._order: OrderId | None = None
        self._reading = 0
        bridge.progressed.connect(self._on_progress)
        bridge.compared.connect(self._on_compared)
        bridge.ended.connect(self._on_ended)
        desk.project_closing.connect(self.stop)
        models.changed.connect(self.changed)

    @property
    def in_use(self) -> str:
        """The name of the model that proposes now."""
        return self._models.chosen

    @property
    def can_activate(self) -> bool:
        """Whether the open project can be given another model."""
        return self._project is not None

    def named(self, name: str) -> VersionInfo | None:
        """The listed one of that name."""
        return next((one for one in self.listed if one.name == name), None)

    def read(self) -> None:
        """List what there is, anew."""
        self._reading += 1
        asked, folder = self._reading, self._desk.folder

        def take(found: tuple[tuple[VersionInfo, ...], tuple[VersionInfo, ...]]) -> None:
            if asked == self._reading:
                self.listed, self.curve = found
                self.changed.emit()

        self._desk.background.run(lambda: _listed(folder), take, self.failed.emit)

    # What is done with one

    def activate(self, name: str) -> None:
        """Work with this version from now on; the one before stays one click away."""
        self._models.activate(name)

    def annotate(self, name: str, notes: str) -> None:
        """Set its notes."""
        one = self.named(name)
        if one is None or one.notes != notes:
            self._change(lambda: _annotate(name, notes))

    def rename(self, name: str, to: str) -> None:
        """Give it another name, wherever it is named."""
        project = self._project
        if to == name or self._is_learning():
            self.changed.emit()  # whoever shows the new name shows the old one again
            return

        def renamed(_none: None) -> None:
            self._models.rename(name, to)
            self._tuning.rename_version(name, to)

        self._change(lambda: _rename(name, to, project), renamed)

    def export(self, name: str, folder: Path) -> None:
        """Copy its weights and card into a folder."""
        self._change(
            lambda: _export(name, folder),
            lambda file: self.said.emit(self.tr("{} is copied to {}.").format(name, file)),
        )

    def delete(self, name: str) -> None:
        """Remove it from the disk. The one in use stays."""
        project = self._project

        if name == self.in_use:
            self.failed.emit(self.tr("{} is in use: make another model active first.").format(name))
        elif not self._is_learning():
            self._change(
                lambda: _delete(name, project),
                lambda _none: self.said.emit(self.tr("{} is deleted.").format(name)),
            )

    def _is_learning(self) -> bool:
        """Whether a training is under way, which might need any of them; then that is said."""
        if self._tuning.is_running:
            self.failed.emit(
                self.tr("A training is under way, which may need this model: wait for its end, or stop it.")
            )
        return self._tuning.is_running

    @property
    def _project(self) -> Project | None:
        project = self._desk.project
        return None if project is None or project.read_only else project

    def _change(self, change: Callable[[], T], then: Callable[[T], None] = lambda _result: None) -> None:
        def changed(result: T) -> None:
            then(result)
            self.read()
            self._models.read()

        def failed(sentence: str) -> None:
            self.failed.emit(sentence)
            self.changed.emit()

        self._desk.background.run(change, changed, failed)

    # Two of them on the same images

    def differences(self, first: str, second: str, then: Callable[[Differences], None]) -> None:
        """What differs between two cards, for `then`."""
        self._desk.background.run(lambda: _differences(first, second), then, self.failed.emit)

    def compare(self, first: str, second: str) -> None:
        """Measure both on the held-out images; `compared` follows."""
        folder = self._desk.folder
        if folder is None or self._order is not None:
            return
        try:
            self._order = self._bridge.submit(Compare(folder, first, second))
        except MaskwrightError as error:
            self.failed.emit(str(error))
            return
        self._set(Comparison(first, second))

    @Slot()
    def stop(self) -> None:
        """Give the comparison up."""
        if self._order is not None:
            self._bridge.cancel(self._order)

    @Slot(object)
    def _on_progress(self, event: Progress) -> None:
        if event.order == self._order and self.comparison is not None:
            now = replace(self.comparison, done=event.done, total=event.total)
            self._set(replace(now, seconds_left=event.seconds_left))

    @Slot(object)
    def _on_compared(self, event: Compared) -> None:
        if event.order == self._order:
            self.compared.emit(event.verdict)

    @Slot(object)
    def _on_ended(self, event: Any) -> None:
        if event.order != self._order:
            return
        self._order = None
        self._set(None)
        match event:
            case Failed(message=message):
                self.failed.emit(message)
            case Canceled():
                self.said.emit(self.tr("The comparison was stopped."))

    def _set(self, comparison: Comparison | None) -> None:
        self.comparison = comparison
        self.progressed.emit()


# On threads: what these need is imported when it is wanted, so that the window need not wait for it.


def _listed(folder: Path | None) -> tuple[tuple[VersionInfo, ...], tuple[VersionInfo, ...]]:
    from engine.tuning.versions import curve, versions

    store = default_store()
    return versions(store), curve(store, folder.name) if folder else ()


def _differences(first: str, second: str) -> Differences:
    from engine.tuning.versions import compare

    return compare(default_store(), first, second)


def _annotate(name: str, notes: str) -> None:
    from engine.tuning.versions import annotate

    annotate(default_store(), name, notes)


def _rename(name: str, to: str, project: Project | None) -> None:
    from engine.tuning.versions import rename

    rename(default_store(), name, to, project)


def _export(name: str, folder: Path) -> Path:
    from engine.tuning.versions import export

    return export(default_store(), name, folder)


def _delete(name: str, project: Project | None) -> None:
    from engine.tuning.versions import delete

    delete(default_store(), name, project)
