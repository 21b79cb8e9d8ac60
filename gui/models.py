"""The models that can be chosen: what there is, the download of those that are not here, which is in use.

A project remembers the one that it works with and the one before. Knows the store, the desk and the
proposals; loads and runs nothing. No widget.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from PySide6.QtCore import QObject, Signal, Slot

from engine.errors import ModelError
from engine.models.store import ListedModel, ModelState, default_store
from engine.project import Project
from engine.project.active import ActiveModel
from gui.desk import Desk
from gui.proposals import Proposals
from gui.settings import Settings


@dataclass(frozen=True, slots=True)
class Download:
    """A download under way. total: bytes, 0 until the server says."""

    name: str
    done: int = 0
    total: int = 0


class Models(QObject):
    """Lives on the GUI thread."""

    changed = Signal()  # the list, the choice or the download is another
    replaced = Signal()  # the project works with another model: its proposals are those of the old one
    failed = Signal(str)

    def __init__(self, proposals: Proposals, desk: Desk, settings: Settings) -> None:
        super().__init__()
        self.listed: tuple[ListedModel, ...] = ()
        self.download: Download | None = None
        self.active = ActiveModel()  # as the open project has it
        self._proposals, self._desk, self._settings = proposals, desk, settings
        self._background = desk.background
        self._stop = threading.Event()
        proposals.changed.connect(self.changed)
        desk.project_changed.connect(self._on_project)

    @property
    def chosen(self) -> str:
        """The name of the model in use."""
        return self._proposals.model

    def read(self) -> None:
        """List what there is, anew."""

        def read(listed: tuple[ListedModel, ...]) -> None:
            self.listed = listed
            self.changed.emit()

        self._background.run(lambda: default_store().list(), read, self.failed.emit)

    def choose(self, name: str) -> None:
        """Use this model; one that is not here yet is downloaded first."""
        found = next((one for one in self.listed if one.name == name), None)
        if found is not None and found.state is ModelState.AVAILABLE:
            self.fetch(name)
        elif found is not None and found.version is not None:
            self.use(name)

    def use(self, name: str) -> None:
        """Use a model that is here; the open project remembers it, and the one before."""
        self._settings.change(model=name)
        self._proposals.set_model(name)
        self._change(lambda project: project.activate_model(name))

    def activate(self, name: str) -> None:
        """Have the open project work with this version; proposals nobody looked at follow."""
        if self._writable is None:
            self.use(name)
            return
        before = self.chosen

        def activate(project: Project) -> ActiveModel:
            if not project.active_model().name:
                project.activate_model(before)  # so that there is something to go back to
            return project.activate_model(name)

        self._change(activate, follows=True)

    def rename(self, name: str, to: str) -> None:
        """A model has another name from now on."""
        if self._settings.choices.model == name:
            self._settings.change(model=to)
        if self._proposals.model == name:
            self._proposals.follow_model(to)
        self.adopt()

    @property
    def can_go_back(self) -> bool:
        """Whether the project had another model before."""
        return bool(self.active.previous) and self._writable is not None

    def go_back(self) -> None:
        """Use the model before this one; once more returns to it. Proposals nobody looked at follow."""
        if self.can_go_back:
            self._change(lambda project: project.go_back(), follows=True)

    def adopt(self) -> None:
        """Use what the project works with now: a training has made another version the active one."""
        self._change(lambda project: project.active_model(), follows=True)

    @property
    def _writable(self) -> Project | None:
        project = self._desk.project
        return None if project is None or project.read_only else project

    def _change(self, change: Callable[[Project], ActiveModel], *, follows: bool = False) -> None:
        project = self._writable
        if project is None:
            return

        def changed(active: ActiveModel) -> None:
            if self._desk.project is not project:
                return
            is_another = bool(active.name) and active.name != self._proposals.model
            self.active = active
            if follows and is_another:
                self._proposals.follow_model(active.name, anew=True)
                self.replaced.emit()
            self.changed.emit()

        self._background.run(lambda: change(project), changed, self.failed.emit)

    @Slot()
    def _on_project(self) -> None:
        self.active = ActiveModel()
        project = self._desk.project
        if project is None:
            return

        def read() -> tuple[ActiveModel, str]:
            active = project.active_model()
            try:
                if active.name:
                    default_store().resolve(active.name)
            except ModelError as error:
                return active, str(error)
            return active, ""

        def take(found: tuple[ActiveModel, str]) -> None:
            if self._desk.project is not project:
                return
            self.active, problem = found
            if problem:
                self.failed.emit(self.tr("The model of this project is not here. {}").format(problem))
            usable = self.active.name and not problem
            self._proposals.follow_model(self.active.name if usable else self._settings.choices.model)
            self.changed.emit()

        self._background.run(read, take, self.failed.emit)

    def fetch(self, name: str) -> None:
        """Download a model and use it; `download` tells how far it is."""
        if self.download is not None:
            return
        self._stop.clear()
        self._set(Download(name))

        def fetch() -> None:
            default_store().download(name, progress=self._progress, canceled=self._stop.is_set)

        def fetched(_none: None) -> None:
            self._set(None)
            self.read()
            self.use(name)

        def failed(sentence: str) -> None:  # also that a person has stopped it
            self._set(None)
            self.failed.emit(sentence)

        self._background.run(fetch, fetched, failed)

    def stop(self) -> None:
        """Stop the download; what has come is kept for the next time."""
        self._stop.set()

    def _progress(self, done: int, total: int | None) -> None:
        now = self.download
        if now is None or (done - now.done < 1 << 20 and done != total):
            return  # a megabyte at a time is news enough
        self._background.call(lambda: self._set(Download(now.name, done, total or 0)))

    def _set(self, download: Download | None) -> None:
        if download is not None and self.download is None and download.done:
            return  # news of a download that has ended
        self.download = download
        self.changed.emit()
