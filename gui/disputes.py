"""The shown image's likely mistakes: what the model sees against the label, and what a person makes of it.

The model in use is asked what it sees when such an image is shown; from then on the conflicts are those with
the labels as they are, edit by edit. Knows review, desk, editor and bridge; no widget.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from PySide6.QtCore import QObject, QTimer, Signal, Slot

from engine.document.polygons import to_polygons
from engine.document.records import (
    ClassDef,
    IgnoreRegion,
    Instance,
    Provenance,
    ReviewState,
    new_id,
)
from engine.errors import MaskwrightError
from engine.messages import Failed, OrderId, Predicted, PredictImage, Priority
from engine.prediction import Prediction
from engine.project import Project
from engine.project.examined import Conflict, ConflictKind
from gui.bridge import Bridge
from gui.desk import Desk
from gui.editor import Editor
from gui.geometry import box_ring
from gui.proposals import Proposals
from gui.review import Review
from gui.tools.tool import Caption, Line, Look, Shape

_SOON_MS = 120


@dataclass(frozen=True, slots=True)
class Dispute:
    """A conflict with what the model sees there; None until it has answered, or where it sees nothing."""

    conflict: Conflict
    seen: Instance | None = None


class Disputes(QObject):
    """Lives on the GUI thread. `all` is empty for an image without a likely mistake."""

    changed = Signal()
    failed = Signal(str)

    def __init__(
        self, editor: Editor, desk: Desk, bridge: Bridge, proposals: Proposals, review: Review
    ) -> None:
        super().__init__()
        self.all: tuple[Dispute, ...] = ()
        self.place = 0  # of the one that is shown
        self.is_waiting = False  # for the model's answer
        self.is_open = False  # the shown image had likely mistakes, perhaps all settled now
        self._editor, self._desk, self._bridge = editor, desk, bridge
        self._proposals, self._review = proposals, review
        self._order: OrderId | None = None
        self._prediction: Prediction | None = None
        self._asked = 0
        self._is_dismissed = False  # for this image a person has seen enough
        self._soon = QTimer(self, interval=_SOON_MS, singleShot=True)
        self._soon.timeout.connect(self._look_again)
        editor.image_changed.connect(self._on_image)
        editor.edited.connect(self._on_edit)
        review.changed.connect(self._on_review)
        bridge.predicted.connect(self._on_predicted)
        bridge.ended.connect(self._on_ended)

    @property
    def current(self) -> Dispute | None:
        """The one that is shown on the picture."""
        return self.all[self.place] if self.place < len(self.all) else None

    @property
    def can_settle(self) -> bool:
        """Whether there is one to say yes or no to."""
        return self.current is not None and not self._editor.is_read_only

    @property
    def can_take(self) -> bool:
        """Whether what the model says there is known well enough to be taken."""
        now = self.current
        return now is not None and self.can_settle and (
            now.seen is not None or now.conflict.kind in (ConflictKind.DOUBTED, ConflictKind.OTHER_CLASS)
        )  # fmt: skip

    def name_of(self, instance_id: int | None) -> str:
        """The class that a person gave to a label of the shown image; empty where there is none."""
        document = self._editor.document
        found = document.records.get(instance_id) if document and instance_id is not None else None
        if not isinstance(found, Instance):
            return ""
        return next((one.name for one in self._editor.classes if one.id == found.class_id), "")

    # What a person does

    def next(self) -> None:
        """Show the image's next conflict, or the next image's first."""
        if self.place + 1 < len(self.all):
            self._show(self.place + 1)
        else:
            self._review.go_to_next_mistake()

    def close(self) -> None:
        """Look no more at this image's conflicts; they stay known."""
        self._clear()
        self._is_dismissed = True

    def settle(self) -> None:
        """The label is right: this conflict is not told again."""
        now, project, shown = self.current, self._desk.project, self._editor.shown
        if now is None or project is None or shown is None:
            return
        media_id, conflict = shown.item.id, now.conflict
        self._take(tuple(one for one in self.all if one is not now))
        self._desk.background.run(
            lambda: _settle(project, media_id, conflict), lambda _none: self._review.read(), self.failed.emit
        )

    def take(self) -> None:
        """Make the label what the model says, in one edit."""
        now, document = self.current, self._editor.document
        if now is None or document is None or not self.can_take:
            return
        conflict, seen = now.conflict, now.seen
        label = document.records.get(conflict.instance) if conflict.instance is not None else None
        class_id = next((one.id for one in self._editor.classes if one.name == conflict.class_name), None)
        with self._editor.edit(self.tr("Take the model's")):
            match conflict.kind:
                case ConflictKind.FORGOTTEN if seen is not None and class_id is not None:
                    kept = replace(seen, id=new_id(), class_id=class_id, score=None)
                    box = seen.box_xyxy if seen.mask is None else None
                    document.add(replace(kept, box_xyxy=box, provenance=Provenance.ACCEPTED))
                case ConflictKind.DOUBTED if isinstance(label, Instance):
                    document.remove(label.id)
                case ConflictKind.OTHER_CLASS if isinstance(label, Instance) and class_id is not None:
                    document.replace(replace(label, class_id=class_id))
                case ConflictKind.OUTLINE if isinstance(label, Instance) and seen is not None:
                    document.replace(replace(label, mask=seen.mask))

    # What is shown

    @Slot()
    def _on_image(self) -> None:
        self._clear()
        self._is_dismissed = False
        self._open()

    @Slot()
    def _on_review(self) -> None:
        if not self.is_open and not self._is_dismissed:
            self._open()

    def _open(self) -> None:
        """Show what is known of the shown image, and ask the model what it sees."""
        shown = self._editor.shown
        known = self._review.conflicts_of(shown.item.id) if shown is not None else None
        if shown is None or known is None or self._desk.project is None:
            return
        self.is_open = True
        request = PredictImage(self._desk.path_of(shown.item), shown.item.frame, self._proposals.choice)
        try:
            self._order = self._bridge.submit(request, Priority.SHOWN)
            self.is_waiting = True
        except MaskwrightError as error:
            self.failed.emit(str(error))
        self._take(tuple(Dispute(one) for one in known.conflicts))

    @Slot(object)
    def _on_predicted(self, event: Predicted) -> None:
        if event.order == self._order:
            self._prediction = event.prediction
            self._look_again()

    @Slot(object)
    def _on_ended(self, event: Any) -> None:
        if event.order != self._order:
            return
        self._order = None
        if isinstance(event, Failed):
            self.is_waiting = False
            self.failed.emit(event.message)
            self.changed.emit()

    @Slot(object)
    def _on_edit(self, _edit: object) -> None:
        if self.is_open:
            self._soon.start()

    @Slot()
    def _look_again(self) -> None:
        """Hold the model's answer against the labels as they are now."""
        shown, project, prediction = self._editor.shown, self._desk.project, self._prediction
        if shown is None or project is None or prediction is None or not self.is_open:
            return
        if shown.document.state.review is not ReviewState.REVIEWED:
            self._clear()
            return
        self._asked += 1
        asked, media_id = self._asked, shown.item.id
        document, classes = shown.document, self._editor.classes
        labelled = tuple(one for one in document.instances if not one.provenance.is_proposal)
        ignored = tuple(document.ignore_regions)

        def take(found: tuple[Dispute, ...]) -> None:
            if asked == self._asked and self.is_open:
                self.is_waiting = False
                self._take(found)
                known = self._review.conflicts_of(media_id)
                if {one.conflict for one in found} != set(known.conflicts if known else ()):
                    self._review.read()

        def look() -> tuple[Dispute, ...]:
            found = _found(project, media_id, prediction, labelled, ignored, classes)
            if not project.read_only:
                _keep(project, media_id, found)
            return found

        self._desk.background.run(look, take, self.failed.emit)

    def _clear(self) -> None:
        if self._order is not None:
            self._bridge.cancel(self._order)
        self._order, self._prediction = None, None
        self._asked += 1
        self._soon.stop()
        self.is_waiting = self.is_open = False
        self._take(())

    def _take(self, found: tuple[Dispute, ...]) -> None:
        before = self.current
        self.all = found
        places = [n for n, one in enumerate(found) if before is not None and _is_same(one, before)]
        self._show(places[0] if places else min(self.place, max(len(found) - 1, 0)), is_other=not places)

    def _show(self, place: int, *, is_other: bool = True) -> None:
        """is_other: than before; then its label is selected, else what a person selects stays so."""
        self.place = place
        now, document = self.current, self._editor.document
        self._editor.set_marks(marks_of(now) if now is not None else ())
        if now is not None and document is not None and is_other:
            label = now.conflict.instance
            self._editor.select([label] if label is not None and label in document.records else [])
        self.changed.emit()


def _is_same(one: Dispute, other: Dispute) -> bool:
    a, b = one.conflict, other.conflict
    return (a.kind, a.instance, a.box_xyxy) == (b.kind, b.instance, b.box_xyxy)


def marks_of(dispute: Dispute) -> tuple[Shape, ...]:
    """What the model sees, drawn over the picture: its outline, else a box where it disagrees."""
    conflict, seen = dispute.conflict, dispute.seen
    x0, y0, _, _ = conflict.box_xyxy
    caption = Caption(x0, y0, f"{conflict.class_name} ?")
    if seen is None or seen.mask is None or seen.mask.is_empty:
        box = seen.bounds_xyxy if seen is not None else conflict.box_xyxy
        return (Line(box_ring(box=box), closed=True, look=Look.GUIDE), caption)
    rings = [ring for polygon in to_polygons(seen.mask) for ring in (polygon.exterior, *polygon.holes)]
    return (*(Line(np.asarray(ring, np.float64), closed=True, look=Look.ACTIVE) for ring in rings), caption)


# On threads: what these need is imported when it is wanted.


def _found(
    project: Project,
    media_id: int,
    prediction: Prediction,
    labelled: tuple[Instance, ...],
    ignored: tuple[IgnoreRegion, ...],
    classes: tuple[ClassDef, ...],
) -> tuple[Dispute, ...]:
    from engine.tuning.doubts import conflicts, seen_there
    from engine.tuning.settled import settled, unsettled

    names = {one.id: one.name for one in classes}
    found = conflicts(prediction, labelled, ignored, names)
    left = unsettled(found, settled(project, media_id).get(media_id, ()))
    return tuple(Dispute(one, seen_there(prediction, one, labelled)) for one in left)


def _keep(project: Project, media_id: int, found: tuple[Dispute, ...]) -> None:
    from engine.tuning.settled import keep

    keep(project, media_id, tuple(one.conflict for one in found))


def _settle(project: Project, media_id: int, conflict: Conflict) -> None:
    from engine.tuning.settled import settle

    settle(project, media_id, conflict)
