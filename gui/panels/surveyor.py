"""Keeps the survey of the open project up to date, so that panels can show counts and scores.

It is read on a thread: whole when the project, its images or classes change; of single images after they
were edited. Knows the desk; no widget.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from engine.project import Project
from engine.project.facts import EMPTY, Survey
from engine.project.statistics import Statistics, statistics
from gui.desk import Desk
from gui.saving import Kept

T = TypeVar("T")
_SOON_MS = 300
_log = logging.getLogger(__name__)


class Surveyor(QObject):
    """`survey` is what was read last, `statistics` its counts; `changed` says that the survey is another."""

    changed = Signal()
    counted = Signal()  # `statistics` is another: of what the score slider shows

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self.survey = EMPTY
        self.statistics = Statistics()
        self._desk = desk
        self._project: Project | None = desk.project
        self._asked = 0  # generation: what an older whole survey brings is dropped
        self._under_way = 0
        self._edited: set[int] = set()
        self._wants_all = False
        self._soon = QTimer(self, interval=_SOON_MS, singleShot=True)
        self._soon.timeout.connect(self._look)
        self._counting = 0
        self._score = desk.editor.sight.score
        self._count_soon = QTimer(self, interval=_SOON_MS, singleShot=True)
        self._count_soon.timeout.connect(self._count)
        self.changed.connect(self._count)
        desk.editor.sight_changed.connect(self._on_sight)
        desk.project_changed.connect(self._start_anew)
        desk.media_changed.connect(self.refresh)
        desk.item_changed.connect(self._note)
        desk.editor.classes_changed.connect(self._on_classes)
        self._classes: frozenset[int] = frozenset()

    @property
    def is_behind(self) -> bool:
        """Whether something was edited that is not counted yet."""
        return self._wants_all or bool(self._edited) or self._soon.isActive() or self._under_way > 0

    @Slot()
    def refresh(self) -> None:
        """Read all of it anew."""
        self._wants_all = True
        self._look()

    @Slot()
    def _start_anew(self) -> None:
        self._soon.stop()
        self._edited.clear()
        self._asked += 1
        self._project = self._desk.project
        self.survey = EMPTY
        self.changed.emit()

    @Slot(int)
    def _note(self, media_id: int) -> None:
        self._edited.add(media_id)
        if not self._soon.isActive():
            self._soon.start()

    @Slot()
    def _on_classes(self) -> None:
        # A name or colour counts nothing; a class that came or went may have taken instances along.
        ids = frozenset(one.id for one in self._desk.editor.classes)
        if ids != self._classes:
            self._classes = ids
            self.refresh()

    @Slot()
    def _on_sight(self) -> None:
        if self._desk.editor.sight.score != self._score:
            self._score = self._desk.editor.sight.score
            self._count_soon.start()

    @Slot()
    def _count(self) -> None:
        self._counting += 1
        counting, survey, score = self._counting, self.survey, self._score

        def take(found: Statistics) -> None:
            if counting == self._counting:
                self.statistics = found
                self.counted.emit()

        self._run(lambda: statistics(survey.seen_at(score)), take)

    @Slot()
    def _look(self) -> None:
        project = self._desk.project
        if project is None or project is not self._project:
            return
        if self._wants_all:
            self._wants_all = False
            self._edited.clear()
            self._asked += 1
            asked = self._asked
            self._run(project.survey, lambda found: self._take(asked, found))
        elif self._edited and self._desk.saving.state.kept is Kept.SAVING:
            self._soon.start()  # the project does not know of the edit yet
        elif self._edited:
            ids, self._edited = frozenset(self._edited), set()
            asked, old = self._asked, self.survey
            self._run(
                lambda: (old, old.replaced(ids, project.survey(ids))),
                lambda found: self._take_some(asked, ids, *found),
            )

    def _run(self, work: Callable[[], T], then: Callable[[T], None]) -> None:
        self._under_way += 1

        def landed(result: T) -> None:
            self._under_way -= 1
            then(result)

        def failed(sentence: str) -> None:
            self._under_way -= 1
            _log.warning("the images were not counted: %s", sentence)

        self._desk.background.run(work, landed, failed)

    def _take(self, asked: int, found: Survey) -> None:
        if asked == self._asked:
            self.survey = found
            self.changed.emit()

    def _take_some(self, asked: int, ids: frozenset[int], old: Survey, found: Survey) -> None:
        if asked != self._asked:
            return
        if self.survey is not old:  # two came at once
            self._edited |= ids
            self._soon.start()
            return
        self.survey = found
        self.changed.emit()
