"""What to look at next, and reviewed images that the model disagrees with, as lists to go through.

Both are read from the project on a thread; the engine makes them better by looking at images itself, one job
at a time. Knows desk, bridge and proposals; no widget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from PySide6.QtCore import QObject, Signal, Slot

from engine.document.records import ReviewState
from engine.errors import MaskwrightError
from engine.messages import Examine, Failed, Finished, OrderId, Progress
from engine.project import Project
from gui.bridge import Bridge
from gui.desk import Desk
from gui.jobs import Jobs
from gui.proposals import Proposals

if TYPE_CHECKING:
    from engine.tuning.review_queue import LikelyMistake, Suggestion

COUNT = 50
"""Images of the queue that are known at a time."""


class Wanted(Enum):
    """What the model looks at images for."""

    WORTH = auto()  # which of those that nobody has reviewed are most worth it
    MISTAKES = auto()  # where reviewed ones may be wrong


@dataclass(frozen=True, slots=True)
class Looking:
    """The model looks at images. done, total: images; total 0 until it is known."""

    wanted: Wanted
    done: int = 0
    total: int = 0
    seconds_left: float | None = None


class Review(QObject):
    """Lives on the GUI thread."""

    changed = Signal()  # `queue` or `mistakes` is another
    progressed = Signal()  # `looking` is another
    said = Signal(str)

    def __init__(self, desk: Desk, bridge: Bridge, proposals: Proposals, jobs: Jobs) -> None:
        super().__init__()
        self.queue: tuple[Suggestion, ...] = ()  # the most useful first; empty until somebody asks for it
        self.mistakes: tuple[LikelyMistake, ...] = ()  # the worst first
        self.looking: Looking | None = None
        self._desk, self._bridge, self._proposals, self._jobs = desk, bridge, proposals, jobs
        self._order: OrderId | None = None
        self._reading = 0
        self._then: list[Callable[[], None]] = []  # who waits for what is read last
        self._had_run = False
        self._wants_queue = False
        desk.project_changed.connect(self._on_project)
        desk.project_closing.connect(self.stop)
        jobs.changed.connect(self._on_jobs)
        bridge.progressed.connect(self._on_progress)
        bridge.ended.connect(self._on_ended)

    # Going through them

    def conflicts_of(self, media_id: int) -> LikelyMistake | None:
        """What the model said of a reviewed image."""
        return next((one for one in self.mistakes if one.media_id == media_id), None)

    def go_to_next_worth(self) -> None:
        """Show the most useful image that still needs a look; another than the one that is shown."""
        if not self._show_first_waiting(one.media_id for one in self.queue):
            self.read(then=self._show_worth_or_say, queue=True)

    def go_to_next_mistake(self) -> None:
        """Show the likely mistake after the shown one, or the worst."""
        ids = [one.media_id for one in self.mistakes if self._desk.knows(one.media_id)]
        current = self._desk.current
        if not ids:
            self.said.emit(
                self.tr("No likely mistake is known. Model > Look for likely mistakes has the model look.")
            )
            return
        here = ids.index(current.id) if current is not None and current.id in ids else -1
        if ids[(here + 1) % len(ids)] == (current.id if current else None):
            self.said.emit(self.tr("This is the only image with a likely mistake."))
            return
        self._desk.show(ids[(here + 1) % len(ids)])

    def _show_worth_or_say(self) -> None:
        if not self._show_first_waiting(one.media_id for one in self.queue):
            self.said.emit(self.tr("Every image is reviewed or put off."))

    def _show_first_waiting(self, ids: Iterable[int]) -> bool:
        current = self._desk.current
        for media_id in ids:
            state = self._desk.state_of(media_id)
            waits = state.review is not ReviewState.REVIEWED and not state.skip
            if waits and self._desk.knows(media_id) and (current is None or current.id != media_id):
                self._desk.show(media_id)
                return True
        return False

    # Reading them

    def read(self, then: Callable[[], None] | None = None, *, queue: bool = False) -> None:
        """Read the mistakes anew, and the queue once it was asked for; `then` is called when they are there.

        queue: it is asked for. Of 100,000 images it takes longer than all else that opening a folder does.
        """
        project = self._desk.project
        if project is None:
            return
        self._wants_queue = with_queue = self._wants_queue or queue
        if then is not None:
            self._then.append(then)
        self._reading += 1
        asked = self._reading

        def take(found: tuple[tuple[Suggestion, ...], tuple[LikelyMistake, ...]]) -> None:
            if asked != self._reading or self._desk.project is not project:
                return
            if found != (self.queue, self.mistakes):
                self.queue, self.mistakes = found
            self.changed.emit()
            waiting, self._then = self._then, []
            for one in waiting:
                one()

        self._desk.background.run(lambda: _lists(project, with_queue=with_queue), take, self.said.emit)

    @Slot()
    def _on_project(self) -> None:
        self.queue, self.mistakes = (), ()
        self._then.clear()
        self._wants_queue = False
        self._reading += 1
        self.changed.emit()
        self.read()

    @Slot()
    def _on_jobs(self) -> None:
        """A run of labelling that has ended has made doubts of its own."""
        if self._had_run and not self._jobs.is_running:
            self.read()
        self._had_run = self._jobs.is_running

    # Having the model look

    @property
    def is_looking(self) -> bool:
        """Whether the model looks at images."""
        return self._order is not None

    def look(self, wanted: Wanted) -> None:
        """Have the model in use look at what it has not looked at yet; goes on where it was stopped."""
        folder = self._desk.folder
        if folder is None or self.is_looking:
            return
        ids = tuple(
            item.id
            for item in self._desk.media
            if not item.missing
            and (self._desk.state_of(item.id).review is ReviewState.REVIEWED) is (wanted is Wanted.MISTAKES)
        )
        if not ids:
            told = {
                Wanted.WORTH: self.tr("Every image is reviewed."),
                Wanted.MISTAKES: self.tr("No image is reviewed yet: there are no labels to look through."),
            }
            self.said.emit(told[wanted])
            return
        try:
            self._order = self._bridge.submit(Examine(folder, self._proposals.choice, ids))
        except MaskwrightError as error:
            self.said.emit(str(error))
            return
        self._set(Looking(wanted))

    @Slot()
    def stop(self) -> None:
        """Stop after the image at hand; what was found stays."""
        if self._order is not None:
            self._bridge.cancel(self._order)

    @Slot(object)
    def _on_progress(self, event: Progress) -> None:
        if event.order == self._order and self.looking is not None:
            self._set(
                replace(self.looking, done=event.done, total=event.total, seconds_left=event.seconds_left)
            )

    @Slot(object)
    def _on_ended(self, event: Any) -> None:
        if event.order != self._order or self.looking is None:
            return
        self._order = None
        wanted = self.looking.wanted
        self._set(None)
        match event:
            case Failed(message=message):
                self.said.emit(message)
            case Finished():
                self.read(then=lambda: self.said.emit(self._found(wanted)))
            case _:
                self.read()

    def _found(self, wanted: Wanted) -> str:
        if wanted is Wanted.WORTH:
            return self.tr("The images most worth a look are known: J shows the next.")
        if not self.mistakes:
            return self.tr("The model agrees with the labels of all reviewed images.")
        if len(self.mistakes) == 1:
            return self.tr("One reviewed image may hold a mistake: K shows it.")
        return self.tr("{} reviewed images may hold a mistake: K shows the next.").format(len(self.mistakes))

    def _set(self, looking: Looking | None) -> None:
        self.looking = looking
        self.progressed.emit()


def _lists(project: Project, *, with_queue: bool) -> tuple[tuple[Suggestion, ...], tuple[LikelyMistake, ...]]:
    from engine.tuning.review_queue import likely_mistakes, review_queue  # on a thread

    return review_queue(project, COUNT) if with_queue else (), likely_mistakes(project)
