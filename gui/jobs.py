"""Many images at once from the window: labelling, and boxes to masks. One run at a time, with progress,
failures, cancel and undo.

Knows the desk, the bridge and which images are meant; the panel shows `run`. No widget.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

from PySide6.QtCore import QObject, Signal, Slot

from engine.document.records import ReviewState
from engine.errors import MaskwrightError
from engine.messages import (
    Canceled,
    Failed,
    Finished,
    ImageFailed,
    ImageLabelled,
    ImageUpgraded,
    LabelFolder,
    ModelReady,
    OrderId,
    Priority,
    Progress,
    UpgradeBoxes,
)
from engine.project.journal import Batch
from engine.upgrading import doubted, undo_upgrade
from gui import counts
from gui.bridge import Bridge
from gui.desk import Desk
from gui.proposals import Proposals

BATCH_PREFIX = "label "  # as the engine names the batches of labelling runs


class Stage(Enum):
    """How a run stands."""

    STARTING = auto()  # the model is being loaded
    RUNNING = auto()
    STOPPING = auto()
    DONE = auto()
    CANCELED = auto()
    FAILED = auto()

    @property
    def is_over(self) -> bool:
        """Whether nothing more will come."""
        return self in (Stage.DONE, Stage.CANCELED, Stage.FAILED)


@dataclass(frozen=True, slots=True)
class Run:
    """A run as a person sees it. rate: images a second. failures: (path, reason).

    is_upgrade: of boxes to masks. instances: proposals or masks made so far; doubtful: of those masks.
    problem: a sentence, for FAILED. device: where the model runs, in words.
    """

    stage: Stage
    total: int = 0
    done: int = 0
    instances: int = 0
    rate: float = 0.0
    seconds_left: float | None = None
    failures: tuple[tuple[str, str], ...] = ()
    problem: str = ""
    device: str = ""
    is_upgrade: bool = False
    doubtful: int = 0
    up_to_date: int = 0
    reviewed: int = 0


class Jobs(QObject):
    """Lives on the GUI thread."""

    changed = Signal()  # `run` or `batches` is another
    said = Signal(str)  # a sentence on how something ended

    def __init__(self, desk: Desk, bridge: Bridge, proposals: Proposals) -> None:
        super().__init__()
        self.run: Run | None = None
        self.batches: tuple[Batch, ...] = ()
        self._desk, self._bridge, self._proposals = desk, bridge, proposals
        self._order: OrderId | None = None
        self._request: LabelFolder | UpgradeBoxes | None = None
        self._upgraded: list[int] = []  # the images of the last run from boxes to masks
        desk.project_changed.connect(self._on_project)
        desk.project_closing.connect(self._drop)
        bridge.model_ready.connect(self._on_ready)
        bridge.image_labelled.connect(self._on_labelled)
        bridge.image_upgraded.connect(self._on_upgraded)
        bridge.image_not_labelled.connect(self._on_not_labelled)
        bridge.progressed.connect(self._on_progress)
        bridge.ended.connect(self._on_ended)

    @property
    def is_running(self) -> bool:
        """Whether a run is under way."""
        return self._order is not None

    @property
    def can_go_on(self) -> bool:
        """Whether the last run left something to go on with."""
        return (
            not self.is_running
            and self._request is not None
            and self.run is not None
            and (self.run.stage is not Stage.DONE or bool(self.run.failures))
        )

    def images(
        self, *, unlabelled_only: bool = False, media_ids: Iterable[int] | None = None
    ) -> tuple[str, ...]:
        """Paths of the images that a run would be of: of all, or of those ids; reviewed ones never."""
        wanted = (item.id for item in self._desk.media) if media_ids is None else media_ids
        found = dict[str, None]()
        for media_id in wanted:
            item, review = self._desk.item(media_id), self._desk.state_of(media_id).review
            if item.missing or review is ReviewState.REVIEWED:
                continue
            if not unlabelled_only or review is ReviewState.UNLABELLED:
                found[item.path] = None
        return tuple(found)

    def label(
        self,
        paths: tuple[str, ...],
        *,
        classes: tuple[str, ...] | None = None,
        again: bool = False,
        every: int = 0,
    ) -> None:
        """Propose instances for these images with the chosen model, in the background.

        every: of a video each n-th frame; 0 for the frames that are images already.
        """
        folder = self._desk.folder
        if self.is_running or folder is None or not paths:
            return
        self._start(LabelFolder(folder, self._proposals.choice, paths, classes, None, again, every=every))

    def upgrade(self, media_ids: tuple[int, ...] = (), instance_ids: frozenset[int] = frozenset()) -> None:
        """Give boxes without a mask theirs: on these images (all when empty), of these instances likewise."""
        folder = self._desk.folder
        if self.is_running or folder is None:
            return
        self._desk.saving.flush_put_off()
        self._upgraded = []
        shown, choice = self._proposals.thresholds, self._proposals.choice
        self._start(
            UpgradeBoxes(
                folder,
                choice,
                media_ids,
                instance_ids,
                least_score=shown.score,
                mask_cutoff=shown.mask_cutoff,
            )
        )

    @property
    def can_undo_upgrade(self) -> bool:
        """Whether the last run from boxes to masks changed anything in the open project."""
        return not self.is_running and bool(self._upgraded)

    def undo_upgrade(self) -> None:
        """Take the masks of the last run back where nothing was edited since."""
        project, media_ids = self._desk.project, tuple(self._upgraded)
        if project is None or not self.can_undo_upgrade:
            return
        self._upgraded = []

        def undone(count: int) -> None:
            if self._desk.project is project:
                self.said.emit(self.tr("The boxes of {} are boxes again.").format(counts.images(count)))
                if self.run is not None and self.run.is_upgrade:  # it tells of what is gone
                    self._set(None)
                self._reload()

        self._desk.background.run(lambda: undo_upgrade(project, media_ids), undone, self.said.emit)
        self.changed.emit()

    def go_on(self) -> None:
        """Continue a run that was stopped or failed: what is up to date is not done again."""
        request = self._request
        if self.can_go_on and request is not None:
            self._start(replace(request, again=False) if isinstance(request, LabelFolder) else request)

    def cancel(self) -> None:
        """Stop after the image at hand; what is done stays."""
        if self._order is not None and self.run is not None:
            self._set(replace(self.run, stage=Stage.STOPPING))
            self._bridge.cancel(self._order)

    def undo_batch(self, batch_id: str) -> None:
        """Remove the proposals of a run that nobody touched, and bring back those they replaced."""
        project = self._desk.project
        if project is None or self.is_running:
            return

        def undone(count: int) -> None:
            if self._desk.project is not project:
                return
            self.said.emit(self.tr("The labelling run is undone on {}.").format(counts.images(count)))
            if self.run is not None and not self.run.is_upgrade:  # else it tells of what is gone
                self._set(None)
            self._reload()
            self._read_batches()

        self._desk.background.run(lambda: project.undo_batch(batch_id), undone, self.said.emit)

    def _reload(self) -> None:
        self._desk.reload_states()
        if self._desk.current is not None:
            self._desk.reload_image(self._desk.current.id)

    def _start(self, request: LabelFolder | UpgradeBoxes) -> None:
        self._request = request
        try:
            self._order = self._bridge.submit(request, Priority.BATCH)
        except MaskwrightError as error:
            self.said.emit(str(error))
            return
        is_upgrade = isinstance(request, UpgradeBoxes)
        wanted = request.media_ids if isinstance(request, UpgradeBoxes) else request.only
        self._set(Run(Stage.STARTING, total=len(wanted), is_upgrade=is_upgrade))

    def _set(self, run: Run | None) -> None:
        self.run = run
        self.changed.emit()

    @Slot(object)
    def _on_ready(self, event: ModelReady) -> None:
        if event.order == self._order and self.run is not None:
            self._set(replace(self.run, device=event.device))

    @Slot(object)
    def _on_progress(self, event: Progress) -> None:
        if event.order != self._order or self.run is None:
            return
        stage = Stage.RUNNING if self.run.stage is Stage.STARTING else self.run.stage
        self._set(
            replace(
                self.run,
                stage=stage,
                total=event.total,
                done=event.done,
                rate=event.rate,
                seconds_left=event.seconds_left,
            )
        )

    @Slot(object)
    def _on_labelled(self, event: ImageLabelled) -> None:
        if event.order != self._order or self.run is None:
            return
        # Progress follows, but not after a cancel.
        self.run = replace(self.run, done=self.run.done + 1, instances=self.run.instances + event.instances)
        state = replace(self._desk.state_of(event.media_id), review=ReviewState.PROPOSED)
        self._desk.note_states({event.media_id: state})
        if self._desk.current is not None and self._desk.current.id == event.media_id:
            self._desk.reload_image(event.media_id)

    @Slot(object)
    def _on_upgraded(self, event: ImageUpgraded) -> None:
        if event.order != self._order or self.run is None:
            return
        run = self.run
        self.run = replace(
            run,
            done=run.done + 1,
            instances=run.instances + event.masks,
            doubtful=run.doubtful + event.doubtful,
        )
        self._upgraded.append(event.media_id)
        if event.doubtful:
            self._desk.note_states({event.media_id: doubted(self._desk.state_of(event.media_id))})
        self._desk.reload_image(event.media_id)

    @Slot(object)
    def _on_not_labelled(self, event: ImageFailed) -> None:
        if event.order == self._order and self.run is not None:
            self._set(replace(self.run, failures=(*self.run.failures, (event.path, event.reason))))

    @Slot(object)
    def _on_ended(self, event: Any) -> None:
        if event.order != self._order or self.run is None:
            return
        self._order = None
        run = self.run
        match event:
            case Finished(summary=summary):
                run = replace(
                    run,
                    stage=Stage.DONE,
                    seconds_left=None,
                    up_to_date=int(summary.get("up_to_date", 0)),
                    reviewed=int(summary.get("reviewed", 0)),
                )
            case Failed(message=message):
                run = replace(run, stage=Stage.FAILED, problem=message, seconds_left=None)
            case Canceled():
                run = replace(run, stage=Stage.CANCELED, seconds_left=None)
        self._set(run)
        self._desk.reload_classes()
        self._read_batches()

    @Slot()
    def _on_project(self) -> None:
        self._request, self.batches, self._upgraded = None, (), []
        self._set(None)
        self._read_batches()

    @Slot()
    def _drop(self) -> None:
        """The project is let go: the run ends with it, and can be continued when it is opened again."""
        order, self._order = self._order, None
        if order is not None:
            self._bridge.cancel(order)

    def _read_batches(self) -> None:
        project = self._desk.project
        if project is None:
            return

        def read(batches: tuple[Batch, ...]) -> None:
            if self._desk.project is project:
                self.batches = tuple(one for one in batches if one.id.startswith(BATCH_PREFIX) and one.images)
                self.changed.emit()

        self._desk.background.run(project.batches, read, self.said.emit)
