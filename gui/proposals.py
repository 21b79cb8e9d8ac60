"""Proposals of the shown image and its neighbours: asked for, kept for the session, filtered at once.

A model's answers are cached, so that thresholds act without another run. What is stored comes of an earlier
run just as well: it shows without any model. An image that a person reviewed gets none. Knows the editor,
the desk and the bridge; no widget.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, Qt, QTimer, Signal, Slot

from engine.document.contrast import AUTOMATIC, Contrast
from engine.document.diff import Diff, Source
from engine.document.document import Edit
from engine.document.records import (
    IMAGE_STATE_ID,
    ClassDef,
    Instance,
    MediaItem,
    ReviewState,
    new_id,
)
from engine.errors import MaskwrightError
from engine.media.image import contrast_in_force
from engine.media.scan import is_video_name
from engine.messages import Failed, ModelChoice, OrderId, Predicted, PredictImage, Priority
from engine.models.store import default_store
from engine.prediction import Prediction
from engine.project import Project
from engine.proposing import prediction_key, proposals
from engine.refilter import Thresholds, masks, overlaps, passing
from gui.bridge import Bridge
from gui.desk import Desk
from gui.editor import Editor, Shown
from gui.settings import Settings

KEPT = 48
"""Answers that are kept; one of 300 masks takes about a megabyte."""

SAME_OBJECT = 0.8
"""Boxes of a proposal and of a person's instance that meet by this IoU show the same object."""

_BUSY_MS = 150
_HIDDEN_KEPT = 4  # images, for as many as are made ready ahead of time


class Look(Enum):
    """What the engine does for the shown image."""

    IDLE = auto()
    LOOKING = auto()
    FAILED = auto()


@dataclass(frozen=True, slots=True)
class Status:
    """For the panel. problem: a sentence, for FAILED. has_answer: whether the mask cut-off acts at once."""

    look: Look = Look.IDLE
    problem: str = ""
    has_answer: bool = False


@dataclass(slots=True, eq=False)
class _Answer:
    """A model's answer for one image and, once they are made, the ids of its proposals by row."""

    prediction: Prediction
    contrast: Contrast
    ids: tuple[int | None, ...] | None = None


@dataclass(frozen=True, slots=True)
class _Asked:
    """An order under way."""

    media_id: int
    priority: Priority
    contrast: Contrast


@dataclass(frozen=True, slots=True, eq=False)
class _Hidden:
    """Which proposals are hidden, and what that was worked out of."""

    instances: tuple[Instance, ...]
    classes: tuple[ClassDef, ...]
    thresholds: Thresholds
    ids: frozenset[int]


class Proposals(QObject):
    """Lives on the GUI thread."""

    changed = Signal()  # status, thresholds or model are others
    failed = Signal(str)  # a sentence: what the person asked for could not be done

    def __init__(self, editor: Editor, desk: Desk, bridge: Bridge, settings: Settings) -> None:
        super().__init__()
        choices = settings.choices
        self.status = Status()
        self.thresholds = Thresholds(choices.score, choices.overlap, choices.across_classes, choices.cutoff)
        self._editor, self._desk, self._bridge, self._settings = editor, desk, bridge, settings
        self._choice = ModelChoice(choices.model)
        self._generation = 0  # of project and model: what an older one answers is dropped
        self._orders: dict[OrderId, _Asked] = {}
        self._answers: OrderedDict[int, _Answer] = OrderedDict()
        self._hidden: tuple[_Hidden, ...] = ()
        self._batch_id = ""
        self._cutting = 0
        self._tentative: dict[int, str] = {}  # keys of proposals that are not on record, by media id
        self._wanted_anew: int | None = None  # the person asked for this image, whatever it has
        self._keep_choices = QTimer(self, interval=500, singleShot=True)
        self._keep_choices.timeout.connect(self._write_choices)
        editor.see(replace(editor.sight, score=choices.score))
        desk.loader.hides = self._hides
        editor.image_changed.connect(self._on_image)
        editor.edited.connect(self._on_edit)
        editor.classes_changed.connect(self._refresh)
        desk.project_changed.connect(self._on_project)
        bridge.ready.connect(self._look_by_itself, Qt.ConnectionType.QueuedConnection)
        bridge.predicted.connect(self._on_predicted)
        bridge.ended.connect(self._on_ended)

    # Which model, and when it runs

    @property
    def model(self) -> str:
        """The name of the model that is used."""
        return self._choice.model

    @property
    def predicts_by_itself(self) -> bool:
        """Whether images without instances get proposals as they are shown."""
        return self._settings.choices.predicts_by_itself

    def set_predicts_by_itself(self, on: bool) -> None:
        """Look at images as they are shown, or only when asked."""
        self._settings.change(predicts_by_itself=on)
        if on:
            self._look_by_itself()
        self.changed.emit()

    def follow_model(self, name: str, *, anew: bool = False) -> None:
        """Use the model that a project works with. anew: proposals of the shown image are of an old one."""
        if name == self._choice.model:
            return
        self._choice = ModelChoice(name)
        self._start_anew()
        self.changed.emit()
        shown = self._editor.shown
        if anew and shown is not None and shown.document.state.review is ReviewState.PROPOSED:
            self.predict()
        else:
            self._look_by_itself()

    def set_model(self, name: str) -> None:
        """Use another model from now on, also for the shown image unless it was reviewed."""
        if name == self._choice.model:
            return
        self._choice = ModelChoice(name)
        self._start_anew()
        self.changed.emit()
        shown = self._editor.shown
        if shown is not None and shown.document.state.review is not ReviewState.REVIEWED:
            self.predict()

    @property
    def choice(self) -> ModelChoice:
        """The model with its settings, as requests carry it."""
        return self._choice

    def predict(self) -> None:
        """Look at the shown image now; its proposals are replaced. A reviewed image is left alone."""
        shown = self._editor.shown
        if shown is None:
            return
        if shown.document.state.review is ReviewState.REVIEWED:
            self.failed.emit(
                self.tr("This image is reviewed: take its review back before a model looks at it.")
            )
            return
        self._answers.pop(shown.item.id, None)
        self._wanted_anew = shown.item.id
        self._ask(shown.item, Priority.SHOWN)

    def _ask(self, item: MediaItem, priority: Priority) -> None:
        if item.id in self._answers and self._answers[item.id].contrast == item.contrast:
            return
        for order, asked in tuple(self._orders.items()):
            if asked.media_id == item.id:
                if asked.priority <= priority and asked.contrast == item.contrast:
                    return
                self._bridge.cancel(order)
        path, contrast = self._desk.path_of(item), item.contrast
        request = PredictImage(path, item.frame, self._choice, self._generation, contrast)
        try:
            self._orders[self._bridge.submit(request, priority)] = _Asked(item.id, priority, contrast)
        except MaskwrightError as error:
            self._tell(str(error))
        else:
            self._tell()

    @Slot()
    def _look_by_itself(self) -> None:
        shown = self._editor.shown
        if not self._bridge.is_ready or shown is None or self._editor.is_read_only:
            return
        if shown.is_stale and shown.document.state.review is ReviewState.PROPOSED:
            self._wanted_anew = shown.item.id
            self._ask(shown.item, Priority.SHOWN)
        if not self.predicts_by_itself:
            return
        if shown.document.state.review is ReviewState.UNLABELLED and not shown.document.instances:
            self._ask(shown.item, Priority.SHOWN)
        near = self._desk.neighbours()
        for order, asked in tuple(self._orders.items()):
            if asked.priority is Priority.AHEAD and asked.media_id not in {item.id for item in near}:
                self._bridge.cancel(order)
        for item in near:
            if self._desk.state_of(item.id).review is ReviewState.UNLABELLED:
                self._ask(item, Priority.AHEAD)

    def _start_anew(self) -> None:
        """Another project or model: forget the old one's answers and orders."""
        self._generation += 1
        orders = tuple(self._orders)
        self._orders.clear()
        for order in orders:
            self._bridge.cancel(order)
        self._answers.clear()
        self._hidden = ()
        self._tentative.clear()
        self._desk.tentative.clear()
        self._wanted_anew = None

    @Slot()
    def _on_project(self) -> None:
        self._start_anew()
        self._batch_id = f"window {new_id():x}"
        self._tell()

    @Slot()
    def _on_image(self) -> None:
        self._wanted_anew = None
        self._refresh()
        shown = self._editor.shown
        if shown is not None:
            left = self._end_trial(shown.item.id) is not None
            if left and shown.item.id in self._answers:
                self._answers[shown.item.id].ids = None  # its proposals went with the document of then
            if not shown.document.instances:
                self._propose()
            self._look_by_itself()
        self._tell()

    # What a model answered

    @Slot(object)
    def _on_predicted(self, event: Predicted) -> None:
        asked = self._orders.get(event.order)
        if asked is None or event.generation != self._generation:
            return
        self._answers[asked.media_id] = _Answer(event.prediction, asked.contrast)
        self._answers.move_to_end(asked.media_id)
        while len(self._answers) > KEPT:
            self._answers.popitem(last=False)
        for order, other in tuple(self._orders.items()):
            if other.media_id == asked.media_id and order != event.order:
                self._bridge.cancel(order)
        shown = self._editor.shown
        if shown is not None and shown.item.id == asked.media_id:
            self._propose()

    @Slot(object)
    def _on_ended(self, event: Any) -> None:
        asked = self._orders.pop(event.order, None)
        if asked is None:
            return
        shown = self._editor.shown
        if isinstance(event, Failed) and shown is not None and shown.item.id == asked.media_id:
            self._wanted_anew = None
            self._tell(event.message)
        else:
            self._tell()

    def _propose(self) -> None:
        """Put the cached answer's proposals into the shown image, unless it got them before."""
        shown, project = self._editor.shown, self._desk.project
        answer = self._answers.get(shown.item.id) if shown else None
        if shown is None or project is None or answer is None or answer.ids is not None:
            return
        if answer.contrast != shown.item.contrast:
            return  # the picture is seen otherwise by now
        generation, cutoff, choice = self._generation, self.thresholds.mask_cutoff, self._choice

        def made(found: _Made) -> None:
            if generation == self._generation and self._editor.shown is shown:
                self._put(shown, project, answer, found)

        self._desk.background.run(
            lambda: _make(project, shown.item, answer, choice, cutoff), made, self._tell
        )

    def _put(self, shown: Shown, project: Project, answer: _Answer, made: _Made) -> None:
        document = shown.document
        is_asked = self._wanted_anew == shown.item.id
        is_wanted = is_asked or not document.instances
        if document.state.review is ReviewState.REVIEWED or not is_wanted or answer.ids is not None:
            return
        if self._editor.tool.is_busy:  # what is under the pointer must not be swapped
            QTimer.singleShot(_BUSY_MS, self, self._propose)
            return
        self._wanted_anew = None
        self._editor.set_classes(made.classes)
        self._desk.saving.flush_put_off()
        if is_asked:
            self._end_trial(shown.item.id)
        elif is_video_name(shown.item.path) and not self._desk.lists(shown.item.id):
            # Somebody goes through a film: a frame is put on record when the person does something with it.
            self._tentative[shown.item.id] = made.key
            self._desk.tentative.add(shown.item.id)
        found = {one.id: one for one in made.instances if one is not None}
        answer.prediction = made.prediction
        answer.ids = tuple(None if one is None else one.id for one in made.instances)
        kept = {id_: record for id_, record in document.records.items() if not _is_proposal(record)}
        state = replace(document.state, review=ReviewState.PROPOSED)
        diff = Diff.between(document.records, {**kept, **found, IMAGE_STATE_ID: state})
        document.apply(diff, name=self.tr("Propose"), source=Source.ENGINE)
        if shown.item.id not in self._tentative:
            self._store(project, shown.item, found.values(), made.key)
        self._tell()

    def _store(self, project: Project, item: MediaItem, found: Iterable[Instance], key: str) -> None:
        if not project.read_only:
            stored = project.queue_proposals(item.id, found, key=key, batch_id=self._batch_id)
            self._desk.saving.track(stored)

    def _end_trial(self, media_id: int) -> str | None:
        """Take a frame from those whose proposals are not on record; their key, None where it was none."""
        self._desk.tentative.discard(media_id)
        return self._tentative.pop(media_id, None)

    def _put_on_record(self) -> None:
        """The person did something with a frame: what the model proposed for it is kept with that."""
        shown, project = self._editor.shown, self._desk.project
        key = self._end_trial(shown.item.id) if shown else None
        if shown is None or project is None or key is None:
            return
        self._desk.list_frame(shown.item)
        self._store(project, shown.item, filter(_is_proposal, shown.document.instances), key)

    # Thresholds

    def set_score(self, score: float) -> None:
        """Hide proposals below this score, 0..1."""
        self.thresholds = replace(self.thresholds, score=score)
        self._editor.see(replace(self._editor.sight, score=score))
        self._chosen()

    def set_overlap(self, overlap: float, *, across_classes: bool | None = None) -> None:
        """Hide of two proposals whose boxes meet by more than this IoU the one of lower score; 1: none."""
        across = self.thresholds.across_classes if across_classes is None else across_classes
        self.thresholds = replace(self.thresholds, overlap=overlap, across_classes=across)
        self._refresh()
        self._chosen()

    def set_classes(self, names: frozenset[str] | None) -> None:
        """Show proposals of these classes only; None: of all."""
        self.thresholds = replace(self.thresholds, classes=names)
        self._refresh()
        self._chosen()

    def set_cutoff(self, cutoff: float) -> None:
        """Take the pixels of this probability and above for an object's, 0..1, exclusive.

        Where no answer is kept (proposals of an earlier run) the model looks again first.
        """
        self.thresholds = replace(self.thresholds, mask_cutoff=cutoff)
        self._chosen()
        shown = self._editor.shown
        if shown is None or shown.document.state.review is ReviewState.REVIEWED:
            return
        answer = self._answers.get(shown.item.id)
        if answer is None:
            if any(_is_proposal(one) for one in shown.document.instances):
                self.predict()
        elif answer.ids is not None:
            self._cut(shown, answer, cutoff)

    def _cut(self, shown: Shown, answer: _Answer, cutoff: float) -> None:
        self._cutting += 1
        cutting, ids = self._cutting, answer.ids or ()

        def cut(found: list[Any]) -> None:
            if cutting != self._cutting or self._editor.shown is not shown:
                return
            if self._editor.tool.is_busy:
                QTimer.singleShot(_BUSY_MS, self, lambda: cut(found))
                return
            document = shown.document
            records = document.records
            updated = {}
            for id_, mask in zip(ids, found, strict=True):
                old = records.get(id_) if id_ is not None else None
                if isinstance(old, Instance) and _is_proposal(old) and mask is not None and not mask.is_empty:
                    new = replace(old, mask=mask)
                    if new != old:
                        updated[old.id] = (old, new)
            edit = document.apply(Diff(updated=updated), name=self.tr("Cut-off"), source=Source.ENGINE)
            if edit is not None and shown.item.id not in self._tentative:
                self._desk.saving.put_off(edit.diff)

        self._desk.background.run(lambda: list(masks(answer.prediction, cutoff)), cut)

    def _chosen(self) -> None:
        self._keep_choices.start()
        self.changed.emit()

    @Slot()
    def _write_choices(self) -> None:
        now = self.thresholds
        self._settings.change(
            score=now.score, overlap=now.overlap, across_classes=now.across_classes, cutoff=now.mask_cutoff
        )

    @Slot(object)
    def _on_edit(self, edit: Edit) -> None:
        if edit.source is Source.USER:
            self._put_on_record()
        if edit.diff.ids - {IMAGE_STATE_ID}:
            self._refresh()

    @Slot()
    def _refresh(self) -> None:
        """Work out which proposals better ones, a person's work or the class filter hide."""
        shown = self._editor.shown
        hidden = self._hides(shown.document.instances, self._editor.classes) if shown else frozenset()
        self._editor.see(replace(self._editor.sight, suppressed=hidden))

    def _hides(self, instances: tuple[Instance, ...], classes: tuple[ClassDef, ...]) -> frozenset[int]:
        """As `hidden_proposals`, on any thread; the loader asks first, and whoever shows it asks again."""
        thresholds = self.thresholds
        for one in self._hidden:
            if one.instances is instances and (one.classes, one.thresholds) == (classes, thresholds):
                return one.ids
        ids = hidden_proposals(instances, {one.id: one.name for one in classes}, thresholds)
        self._hidden = (*self._hidden[1 - _HIDDEN_KEPT :], _Hidden(instances, classes, thresholds, ids))
        return ids

    def _tell(self, problem: str = "") -> None:
        shown = self._editor.shown
        look = Look.IDLE
        if shown is not None and any(one.media_id == shown.item.id for one in self._orders.values()):
            look = Look.LOOKING
        if problem:
            look = Look.FAILED
        has_answer = shown is not None and shown.item.id in self._answers
        status = Status(look, problem, has_answer)
        if status != self.status:
            self.status = status
            self.changed.emit()


@dataclass(frozen=True, slots=True, eq=False)
class _Made:
    """Proposals made of an answer, by row; the project's classes with theirs; what they were made from."""

    prediction: Prediction
    instances: list[Instance | None]
    classes: tuple[ClassDef, ...]
    key: str


def _make(project: Project, item: MediaItem, answer: _Answer, choice: ModelChoice, cutoff: float) -> _Made:
    class_id: Callable[[str], int]
    prediction = answer.prediction
    if project.read_only:
        known = {one.name: one.id for one in project.classes()}
        wanted = np.array([prediction.classes[label - 1] in known for label in prediction.labels], np.bool_)
        prediction = prediction.take(wanted)  # a class that cannot be made cannot be shown
        class_id = known.__getitem__
    else:

        def class_id(name: str) -> int:
            return project.ensure_class(name).id

    instances = proposals(prediction, class_id, cutoff)
    try:
        content = project.ensure_hash(item.id) if not project.read_only else ""
        weights = default_store().resolve(choice.model).card.sha256
        contrast = contrast_in_force(project.path_of(item), item.frame, answer.contrast)
    except MaskwrightError:
        content, weights, contrast = "", "", AUTOMATIC  # the file is gone by now: a batch will look again
    # With another cut-off a batch would make other masks: then the key is that of no batch.
    cut = "" if cutoff == Thresholds().mask_cutoff else f" cutoff={cutoff}"
    key = prediction_key(content, item.frame, weights, choice.settings, None, contrast) + cut
    return _Made(prediction, instances, project.classes(), key if content else "")


def hidden_proposals(
    instances: tuple[Instance, ...], names: dict[int, str], thresholds: Thresholds
) -> frozenset[int]:
    """Ids of the proposals that are hidden whatever their score.

    By the class filter, by a better proposal of more overlap than allowed, or by a person's instance of the
    same object. names: by class id.
    """
    offered = sorted((one for one in instances if _is_proposal(one)), key=lambda one: -(one.score or 0.0))
    if not offered:
        return frozenset()
    classes = tuple(names.values())
    places = {id_: place + 1 for place, id_ in enumerate(names)}
    boxes = np.array([one.bounds_xyxy for one in offered], np.float32).reshape(-1, 4)
    stand_in = Prediction(
        0,
        0,
        classes,
        boxes,
        np.array([one.score or 0.0 for one in offered], np.float32),
        np.array([places.get(one.class_id, 0) for one in offered], np.int64),
        None,
    )
    shown = np.zeros(len(offered), np.bool_)
    shown[passing(stand_in, replace(thresholds, score=0.0))] = True
    others = [one.bounds_xyxy for one in instances if not _is_proposal(one)]
    if others:
        rows, _, _ = overlaps(boxes, np.array(others, np.float32), SAME_OBJECT)
        shown[rows] = False
    return frozenset(one.id for one, seen in zip(offered, shown, strict=True) if not seen)


def _is_proposal(record: object) -> bool:
    return isinstance(record, Instance) and record.provenance.is_proposal
