"""Fine-tuning from the window: what would be learned from, the run under way, its verdict, and what follows.

The training is a process of the engine's; here its news become a snapshot that panels show, and curves. A
version that passed the gate is used from then on and the proposals that nobody has looked at are made anew.
Knows the desk, the bridge and the other runs; no widget.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum, auto
from functools import partial
from typing import Any

from PySide6.QtCore import QObject, QTimer, Signal, Slot

from engine.document.records import ReviewState
from engine.errors import MaskwrightError
from engine.messages import (
    Canceled,
    Described,
    EndedEarly,
    Failed,
    Fetching,
    FineTune,
    Finished,
    Judged,
    Measured,
    Measuring,
    Noted,
    OrderId,
    Paused,
    Pictured,
    Preparing,
    Resumed,
    Saved,
    Started,
    Stepped,
    TuneDescription,
    TuningNews,
    Verdict,
)
from engine.messages import Tuning as News
from engine.models.store import default_store
from engine.project import Project
from gui.bridge import Bridge
from gui.desk import Desk
from gui.jobs import Jobs
from gui.models import Models

_AGAIN_MS = (2_000, 8_000, 30_000)


class Stage(Enum):
    """How a training stands."""

    STARTING = auto()  # the data is looked at, the base fetched, the process started
    LEARNING = auto()
    PAUSED = auto()
    JUDGING = auto()  # old and new model are measured on the held-out images
    STOPPING = auto()
    DONE = auto()
    STOPPED = auto()
    FAILED = auto()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self in (Stage.DONE, Stage.STOPPED, Stage.FAILED)


@dataclass(frozen=True, slots=True)
class Training:
    """A training as a person sees it.

    steps: planned, None where minutes are. progress: 0..1. memory: bytes, 0 where it is not known. doing:
    what it does between steps, in words. note: a sentence worth knowing. problem: a sentence, for FAILED.
    resumable: the step after which a stopped one goes on; None where there is nothing to go on from.
    """

    stage: Stage
    name: str = ""
    step: int = 0
    steps: int | None = None
    progress: float = 0.0
    seconds_left: float | None = None
    seconds_a_step: float | None = None
    memory: int = 0
    device: str = ""
    doing: str = ""
    note: str = ""
    problem: str = ""
    resumable: int | None = None

    @property
    def is_preparing(self) -> bool:
        """Whether nothing can be said yet of how far it is."""
        return self.stage is Stage.STARTING


class Tuning(QObject):
    """Lives on the GUI thread. One training at a time."""

    changed = Signal()  # `training`, the curves or the verdict are others
    pictured = Signal()  # `pictures` are others
    described = Signal()  # `description` or `problem` is another
    began = Signal()
    judged = Signal()  # a training has ended with a verdict
    interrupted = Signal()  # the project that was opened has a training that was stopped
    said = Signal(str)  # a sentence on how something ended

    def __init__(self, desk: Desk, bridge: Bridge, jobs: Jobs, models: Models) -> None:
        super().__init__()
        self.training: Training | None = None
        self.description: TuneDescription | None = None
        self.problem = ""  # why nothing can be learned now, and what to do
        self.verdict: Verdict | None = None
        self.losses: list[tuple[float, float]] = []  # step, loss
        self.aps: list[tuple[float, float]] = []  # step, AP of the averaged weights
        self.pictures: tuple[Pictured, ...] = ()  # at each measurement, the oldest first
        self._desk, self._bridge, self._jobs, self._models = desk, bridge, jobs, models
        self._order: OrderId | None = None
        self._describing = 0
        self._wants_refresh = False
        desk.project_changed.connect(self._on_project)
        desk.project_closing.connect(self._drop)
        bridge.tuning.connect(self._on_news)
        bridge.ended.connect(self._on_ended)
        jobs.changed.connect(self._refresh_proposals)
        models.replaced.connect(self._want_refresh)

    # What could be learned

    def describe(self, request: FineTune) -> None:
        """Find out what this request would learn from; `described` follows."""
        project = self._desk.project
        if project is None:
            return
        self._describing += 1
        asked = self._describing

        def take(found: TuneDescription | None, problem: str = "") -> None:
            if asked == self._describing:
                self.description, self.problem = found, problem
                self.described.emit()

        self._desk.background.run(
            lambda: _described(request, project), take, lambda problem: take(None, problem)
        )

    # What a person does

    @property
    def is_running(self) -> bool:
        """Whether a training is under way, paused ones too."""
        return self._order is not None

    @property
    def can_pause(self) -> bool:
        """Whether a training goes on that can be held."""
        return self.training is not None and self.training.stage is Stage.LEARNING

    @property
    def is_paused(self) -> bool:
        """Whether a training waits to be resumed."""
        return self.training is not None and self.training.stage is Stage.PAUSED

    @property
    def can_cancel(self) -> bool:
        """Whether a training is under way that was not asked to stop yet."""
        return self.is_running and self.training is not None and self.training.stage is not Stage.STOPPING

    @property
    def can_go_on(self) -> bool:
        """Whether a training was stopped, now or when the project was last left, and can be continued."""
        return not self.is_running and self.training is not None and self.training.resumable is not None

    def learn(self, request: FineTune) -> None:
        """Start a training; the current model stays in use meanwhile."""
        if self.is_running:
            return
        try:
            self._order = self._bridge.submit(request)
        except MaskwrightError as error:
            self.said.emit(str(error))
            return
        if not request.resume:
            self.losses, self.aps, self.pictures = [], [], ()
            self.pictured.emit()
        self.verdict = None
        before = self.training if request.resume else None
        begun = Training(Stage.STARTING)
        if before is not None:
            begun = replace(begun, name=before.name, step=before.step, resumable=before.resumable)
        self._set(begun)
        self.began.emit()

    def go_on(self) -> None:
        """Continue the training that was stopped, after its last restart file."""
        if self.can_go_on and self._desk.folder is not None:
            self.learn(FineTune(self._desk.folder, resume=True))

    def pause(self) -> None:
        """Hold the training after its step; it keeps what it has in memory."""
        if self._order is not None and self.can_pause:
            self._bridge.pause(self._order)

    def resume(self) -> None:
        """Let a paused training go on."""
        if self._order is not None and self.is_paused:
            self._bridge.go_on(self._order)

    def discard(self) -> None:
        """Throw away what a stopped training left: it will not go on."""
        if self.can_go_on and self.training is not None:
            name = self.training.name
            self._set(None)
            self._desk.background.run(lambda: _forget(name), lambda _none: None)

    def cancel(self) -> None:
        """End the training; a restart file stays, to continue from."""
        if self._order is not None and self.training is not None:
            self._set(replace(self.training, stage=Stage.STOPPING, seconds_left=None))
            self._bridge.cancel(self._order)

    def rename_version(self, name: str, to: str) -> None:
        """A version that the verdict may tell of has another name."""
        verdict = self.verdict
        if verdict is not None and name in (verdict.new_name, verdict.old_name):
            new, old = (to if one == name else one for one in (verdict.new_name, verdict.old_name))
            self.verdict = replace(verdict, new_name=new, old_name=old)
            self.changed.emit()

    # What the engine says

    @Slot(object)
    def _on_news(self, event: News) -> None:
        if event.order != self._order or self.training is None:
            return
        news, now = event.news, self.training
        match news:
            case Started(step=step):  # what a resumed run does again is not drawn twice
                self.losses = [point for point in self.losses if point[0] <= step]
                self.aps = [point for point in self.aps if point[0] <= step]
                self.pictures = tuple(one for one in self.pictures if one.step <= step)
            case Pictured():
                self.pictures = (*self.pictures, news)
                self.pictured.emit()
            case Judged(verdict=verdict):
                self.verdict = verdict
            case Measured(step=step, metrics=metrics):
                self.aps.append((step, metrics.get("mask_ap", metrics.get("box_ap", float("nan")))))
            case Stepped(step=step, loss=loss):
                self.losses.append((step, float("nan") if news.skipped else loss))
        if now.stage is not Stage.STOPPING:
            self._set(self._after(now, news))

    def _after(self, now: Training, news: TuningNews) -> Training:
        match news:
            case Preparing(done=done, total=total):
                return replace(now, doing=self.tr("looking at new images, {} of {}").format(done, total))
            case Described(description=description):
                return replace(now, name=description.name, steps=description.iterations)
            case Fetching(name=name, done=done):
                told = self.tr("downloading {}, {:.0f} MB so far").format(name, done / 1e6)
                return replace(now, doing=told)
            case Started():
                return replace(
                    now,
                    stage=Stage.LEARNING,
                    device=news.device,
                    step=news.step,
                    steps=news.iterations,
                    doing="",
                )
            case Stepped():
                return replace(
                    now,
                    stage=Stage.LEARNING,
                    step=news.step,
                    progress=news.progress,
                    seconds_left=news.seconds_left,
                    seconds_a_step=news.seconds_a_step,
                    memory=news.memory,
                    doing="",
                )
            case Paused():
                return replace(now, stage=Stage.PAUSED, doing="")
            case Resumed():
                return replace(now, stage=Stage.LEARNING)
            case Measuring(done=done, total=total):
                told = self.tr("measuring, {} of {} images").format(done, total)
                stage = Stage.JUDGING if now.progress >= 1.0 else now.stage
                return replace(now, stage=stage, doing=told)
            case Saved(step=step):
                return replace(now, resumable=step, note="")
            case Noted(text=text):
                return replace(now, note=text)
            case EndedEarly():
                return replace(now, progress=1.0, doing=self.tr("it stopped getting better"))
            case _:
                return replace(now)

    @Slot(object)
    def _on_ended(self, event: Any) -> None:
        if event.order != self._order or self.training is None:
            return
        self._order = None
        now = replace(self.training, seconds_left=None, doing="", note="")
        match event:
            case Finished():
                self._set(replace(now, stage=Stage.DONE, progress=1.0, resumable=None))
                self._settle()
            case Failed(message=message):
                self._set(replace(now, stage=Stage.FAILED, problem=message))
                self.said.emit(self.tr("Nothing was learned: {}").format(message))
            case Canceled():
                self._set(replace(now, stage=Stage.STOPPED))

    def _settle(self) -> None:
        """A training has come to its end: use what passed the gate, and say so."""
        if self.verdict is None:
            return
        if self.verdict.is_active:
            self._models.adopt()
        self.judged.emit()

    # What follows

    @Slot()
    def _want_refresh(self) -> None:
        self._wants_refresh = True
        self._refresh_proposals()

    @Slot()
    def _refresh_proposals(self) -> None:
        """Have the model in use propose anew what nobody has looked at, once no other run is under way."""
        if not self._wants_refresh or self._jobs.is_running or self._desk.project is None:
            return
        self._wants_refresh = False
        proposed = [
            id_ for id_, state in self._desk.list.states.items() if state.review is ReviewState.PROPOSED
        ]
        self._jobs.label(self._jobs.images(media_ids=proposed))

    @Slot()
    def _on_project(self) -> None:
        """A training that was stopped when this project was left can go on."""
        self._describing += 1
        self.description, self.problem, self.verdict = None, "", None
        self.losses, self.aps, self.pictures = [], [], ()
        self._wants_refresh = False
        self._set(None)
        self.pictured.emit()
        project = self._desk.project
        if project is None or project.read_only:
            return

        self._look_for_stopped(project, _AGAIN_MS)

    def _look_for_stopped(self, project: Project, again_ms: tuple[int, ...]) -> None:
        """Offer the training that was stopped; one that was left a moment ago may still be at its file."""

        def take(found: Training | None) -> None:
            if self._desk.project is not project or self.is_running or self.training is not None:
                return
            if found is not None:
                self._set(found)
                self.interrupted.emit()
            elif again_ms:
                look = partial(self._look_for_stopped, project, again_ms[1:])
                QTimer.singleShot(again_ms[0], self, look)

        self._desk.background.run(lambda: _stopped(project), take)

    @Slot()
    def _drop(self) -> None:
        """The project is let go: its training stops, and can go on when it is opened again."""
        order, self._order = self._order, None
        if order is not None:
            self._bridge.leave(order)  # not cancel: that kills what cannot write its restart file at once

    def _set(self, training: Training | None) -> None:
        self.training = training
        self.changed.emit()


# On threads: what these need is imported when it is wanted, so that the window need not wait for it.


def _described(request: FineTune, project: Project) -> TuneDescription:
    from engine.tuning.planning import describe

    return describe(request, project)


def _stopped(project: Project) -> Training | None:
    from engine.tuning.stopped import stopped_run

    found = stopped_run(default_store().root, project.folder)
    return Training(Stage.STOPPED, found.name, found.step, resumable=found.step) if found else None


def _forget(name: str) -> None:
    from engine.tuning.stopped import forget

    forget(default_store().root, name)
