"""The mirror of the open project: which label files are kept beside the pictures, and what came between.

Knows the desk and the engine's mirror, whose thread does the work; no widget.
"""

from __future__ import annotations

from PySide6.QtCore import QObject, Signal, Slot

from engine.exchange.mirror import MirrorKind, Outcome, choose_mirror, mirror_kind
from engine.exchange.mirroring import Mirroring
from engine.project import Project
from gui.background import Background
from gui.desk import Desk


class Mirror(QObject):
    """Lives on the GUI thread."""

    changed = Signal()  # `kind` or `conflicts` is another
    asked = Signal()  # there are new conflicts, on which a person must decide
    said = Signal(str)  # a sentence for a person

    def __init__(self, desk: Desk, background: Background) -> None:
        super().__init__()
        self.kind = MirrorKind.OFF
        self.conflicts: tuple[str, ...] = ()
        self._left: frozenset[str] = frozenset()  # conflicts that a person has seen and let be
        self._desk, self._background = desk, background
        self._threads: list[Mirroring] = []
        desk.project_changed.connect(self._on_project)
        desk.project_closing.connect(self._stop)

    def choose(self, kind: MirrorKind) -> None:
        """Keep such files beside the pictures from now on, or none."""
        project = self._writable
        if project is not None:
            self._stop()
            self._background.run(
                lambda: choose_mirror(project, kind), lambda _none: self._begin(project, kind), self.said.emit
            )

    def settle(self, *, overwrite: bool) -> None:
        """Replace the files that are another's by the project's labels, or leave them as they are."""
        paths = frozenset(self.conflicts)
        self._left = frozenset() if overwrite else self._left | paths
        if overwrite and self._threads:
            self._threads[-1].overwrite(paths)
        self.conflicts = ()
        self.changed.emit()

    def close(self) -> None:
        """Write what is new and end."""
        for thread in self._threads:
            thread.close()
        self._threads = []

    @property
    def _writable(self) -> Project | None:
        project = self._desk.project
        return None if project is None or project.read_only else project

    @Slot()
    def _on_project(self) -> None:
        self._show(MirrorKind.OFF)
        project = self._writable
        if project is not None:
            self._background.run(lambda: mirror_kind(project), lambda kind: self._begin(project, kind))

    def _begin(self, project: Project, kind: MirrorKind) -> None:
        if self._desk.project is not project:
            return
        self._show(kind)
        if kind is not MirrorKind.OFF:
            self._threads.append(Mirroring(project, lambda outcome: self._tell(project, outcome)))

    def _tell(self, project: Project, outcome: Outcome) -> None:
        """On the mirror's thread."""
        self._background.call(lambda: self._heard(project, outcome))

    def _heard(self, project: Project, outcome: Outcome) -> None:
        if self._desk.project is not project or self.kind is MirrorKind.OFF:
            return
        before = self.conflicts
        self.conflicts = tuple(path for path in outcome.conflicts if path not in self._left)
        if outcome.problem or (outcome.sentence and self.conflicts):
            self.said.emit(outcome.sentence)
        if set(self.conflicts) - set(before):
            self.asked.emit()
        if self.conflicts != before:
            self.changed.emit()

    def _show(self, kind: MirrorKind) -> None:
        self.kind, self.conflicts, self._left = kind, (), frozenset()
        self.changed.emit()

    @Slot()
    def _stop(self) -> None:
        for thread in self._threads:
            thread.stop()
