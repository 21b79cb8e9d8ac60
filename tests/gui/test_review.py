"""What to look at next and likely mistakes in the window: going to them, settling them, the job."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import cast

import pytest
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication

from engine.document.diff import Diff
from engine.document.records import IMAGE_STATE_ID, ImageState, Instance, Provenance, ReviewState
from engine.messages import Canceled, Examine, Failed, Finished, Predicted, PredictImage, Progress
from engine.prediction import Prediction
from engine.project import Project
from engine.project.examined import Conflict, ConflictKind, Examined
from engine.tuning import review_queue
from engine.tuning.review_queue import likely_mistakes
from gui.bridge import Bridge
from gui.disputes import Disputes, marks_of
from gui.panels.media_filter import Sort, Standing
from gui.panels.media_list import MediaList
from gui.panels.review_bar import ACTIONS, ReviewBar
from gui.panels.surveyor import Surveyor
from gui.review import Looking, Review, Wanted
from gui.saving import Kept
from gui.tools.tool import Line, Look
from tests.gui import test_tuning
from tests.gui.making import drawn, prediction
from tests.gui.test_tuning import Bench

Wait = Callable[..., None]
bench = test_tuning.bench

FAR = (30.0, 20.0, 40.0, 28.0)


@dataclass
class Table:
    """a.png, b.png and c.png; b is reviewed with one bolt at (4, 4)."""

    bench: Bench
    review: Review
    disputes: Disputes
    project: Project
    bolt: Instance
    wait: Wait
    said: list[str]

    @property
    def shown(self) -> str:
        shown = self.bench.desk.editor.shown
        return shown.item.path if shown else ""

    def id_of(self, name: str) -> int:
        return next(item.id for item in self.bench.desk.media if item.path == name)

    def examined(self, *conflicts: Conflict) -> None:
        """The model has found these on b.png."""
        self.project.put_examined(Examined(self.id_of("b.png"), "key", None, conflicts))
        self.review.read()
        self.wait(lambda: bool(self.review.mistakes) is bool(conflicts))

    def see(self, name: str) -> None:
        self.bench.desk.show(self.id_of(name))
        self.wait(lambda: self.shown == name)

    def answer(self, found: Prediction) -> None:
        """The model says what it sees on b.png."""
        engine = self.bench.engine
        self.wait(lambda: engine.is_asked_for("b.png"))
        engine.answer("b.png", found)
        self.wait(lambda: not self.disputes.is_waiting)

    def saved(self) -> None:
        self.wait(lambda: self.bench.desk.saving.state.kept is Kept.SAVED)


@pytest.fixture
def table(bench: Bench, wait: Wait) -> Table:
    desk, project = bench.desk, bench.desk.project
    assert project is not None
    bolt_class = project.ensure_class("bolt")
    nut_class = project.ensure_class("nut")
    bolt = drawn(bolt_class.id)
    b = next(item for item in desk.media if item.path == "b.png")
    reviewed = ImageState(ReviewState.REVIEWED)
    change = Diff(added={bolt.id: bolt}, updated={IMAGE_STATE_ID: (ImageState(), reviewed)})
    project.save(b.id, change, name="Review").result()
    desk.editor.set_classes((bolt_class, nut_class))
    desk.note_states({b.id: reviewed})
    review = Review(desk, cast(Bridge, bench.engine), bench.proposals, bench.jobs)
    disputes = Disputes(desk.editor, desk, cast(Bridge, bench.engine), bench.proposals, review)
    said: list[str] = []
    review.said.connect(said.append)
    disputes.failed.connect(said.append)
    return Table(bench, review, disputes, project, bolt, wait, said)


# The queue


def test_that_the_next_one_worth_a_look_is_shown_until_there_is_none(table: Table) -> None:
    assert table.shown == "a.png"
    table.review.go_to_next_worth()
    table.wait(lambda: table.shown == "c.png")
    assert [one.path for one in table.review.queue if one.path == "b.png"] == [], "it is reviewed"
    table.review.go_to_next_worth()
    table.wait(lambda: table.shown == "a.png")
    for name in ("a.png", "c.png"):
        media_id = table.id_of(name)
        done = replace(table.bench.desk.state_of(media_id), review=ReviewState.REVIEWED)
        table.project.save(
            media_id, Diff(updated={IMAGE_STATE_ID: (ImageState(), done)}), name="Review"
        ).result()
        table.bench.desk.note_states({media_id: done})
    table.review.go_to_next_worth()
    table.wait(lambda: table.said)
    assert table.said == ["Every image is reviewed or put off."]


def test_that_the_model_looks_at_unreviewed_or_at_reviewed_images_and_can_be_stopped(table: Table) -> None:
    engine = table.bench.engine
    table.review.look(Wanted.MISTAKES)
    table.review.look(Wanted.WORTH)
    ((order, (request, _)),) = engine.asked.items()
    assert isinstance(request, Examine)
    assert request.only == (table.id_of("b.png"),)
    assert request.choice == table.bench.proposals.choice
    engine.progressed.emit(Progress(order, 1, 1, 0, 2.0, 3.0))
    assert table.review.looking == Looking(Wanted.MISTAKES, 1, 1, 3.0)
    engine.asked.clear()
    engine.ended.emit(Finished(order))
    table.wait(lambda: table.said)
    assert table.said == ["The model agrees with the labels of all reviewed images."]
    table.review.look(Wanted.WORTH)
    ((order, (request, _)),) = engine.asked.items()
    assert isinstance(request, Examine)
    assert request.only == (table.id_of("a.png"), table.id_of("c.png"))
    table.review.stop()
    assert order in engine.canceled
    assert not table.review.is_looking
    table.review.look(Wanted.WORTH)
    (order,) = engine.asked
    engine.ended.emit(Failed(order, "The model cannot be loaded."))
    assert table.said[-1] == "The model cannot be loaded."
    assert not table.review.is_looking


def test_that_the_queue_is_read_only_once_somebody_asks_for_it(
    table: Table, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Project] = []
    choose = review_queue.review_queue

    def chosen(project: Project, count: int) -> tuple[review_queue.Suggestion, ...]:
        read.append(project)
        return choose(project, count)

    monkeypatch.setattr(review_queue, "review_queue", chosen)
    table.examined(forgotten())
    assert not read
    table.review.go_to_next_worth()
    table.wait(lambda: table.review.queue)
    table.examined()
    assert len(read) == 2, "what is known is kept up to date"


def test_that_who_waits_for_the_lists_is_served_by_the_last_reading(table: Table) -> None:
    served: list[int] = []
    table.review.read(then=lambda: served.append(1))
    table.review.read()
    table.review.read(then=lambda: served.append(2))
    table.wait(lambda: len(served) == 2)
    assert served == [1, 2]


def test_that_looking_ends_with_its_project(table: Table) -> None:
    table.review.look(Wanted.WORTH)
    (order,) = table.bench.engine.asked
    table.bench.desk.leave()
    assert order in table.bench.engine.canceled
    assert table.review.queue == ()


# Likely mistakes


def kinds(table: Table) -> set[ConflictKind]:
    return {one.conflict.kind for one in table.disputes.all}


def forgotten(name: str = "bolt") -> Conflict:
    return Conflict(ConflictKind.FORGOTTEN, FAR, name, 0.9)


def test_that_going_to_mistakes_says_where_there_is_none(table: Table) -> None:
    table.disputes.next()
    assert "Model > Look for likely mistakes" in table.said[0]
    table.examined(forgotten())
    table.see("b.png")
    table.disputes.next()
    assert table.said[-1] == "This is the only image with a likely mistake."


def test_that_what_the_model_sees_is_drawn_over_the_picture_and_can_be_taken(table: Table) -> None:
    table.examined(forgotten())
    table.disputes.next()
    table.wait(lambda: table.shown == "b.png")
    editor = table.bench.desk.editor
    assert table.disputes.is_waiting
    assert not table.disputes.can_take, "what it sees is not known yet"
    (line, _) = editor.marks
    assert isinstance(line, Line)
    assert line.look is Look.GUIDE
    table.answer(prediction(0.3, 0.9))  # of the two it is sure of the nut alone
    now = table.disputes.current
    assert now is not None
    assert (now.conflict.kind, now.conflict.class_name) == (ConflictKind.FORGOTTEN, "nut")
    assert now.seen is not None
    assert editor.marks[0].look is Look.ACTIVE  # type: ignore[union-attr]
    table.disputes.take()
    added = [one for one in editor.visible if one.id != table.bolt.id]
    assert [one.provenance for one in added] == [Provenance.ACCEPTED]
    assert added[0].mask == now.seen.mask
    table.saved()
    table.wait(lambda: ConflictKind.FORGOTTEN not in kinds(table))
    assert editor.shown is not None
    assert editor.shown.document.state.review is ReviewState.REVIEWED
    table.bench.desk.saving.undo()
    table.wait(lambda: ConflictKind.FORGOTTEN in kinds(table))


def test_that_a_label_that_is_right_is_never_disputed_again(table: Table) -> None:
    doubted = Conflict(ConflictKind.DOUBTED, table.bolt.bounds_xyxy, "bolt", 0.6, table.bolt.id)
    table.examined(doubted, forgotten())
    table.see("b.png")
    assert len(table.disputes.all) == 2
    assert table.bench.desk.editor.selection == (table.bolt.id,), "the label in question"
    table.disputes.settle()
    assert [one.conflict for one in table.disputes.all] == [forgotten()]
    table.wait(lambda: len(table.review.mistakes[0].conflicts) == 1)
    table.answer(prediction())  # it sees nothing at all now
    assert kinds(table) == set()
    table.wait(lambda: not table.review.mistakes)
    table.examined()
    table.project.put_examined(Examined(table.id_of("b.png"), "another model", None, (doubted,)))
    assert likely_mistakes(table.project) == ()
    assert not table.bench.desk.editor.marks


@pytest.mark.parametrize("kind", [ConflictKind.DOUBTED, ConflictKind.OTHER_CLASS])
def test_that_the_models_word_on_a_label_can_be_taken_at_once(table: Table, kind: ConflictKind) -> None:
    table.examined(Conflict(kind, table.bolt.bounds_xyxy, "nut", 0.9, table.bolt.id))
    table.see("b.png")
    editor = table.bench.desk.editor
    assert editor.selection == (table.bolt.id,), "the label in question"
    table.disputes.take()
    left = {one.id: one.class_id for one in editor.visible}
    nut = next(one.id for one in editor.classes if one.name == "nut")
    assert left == ({} if kind is ConflictKind.DOUBTED else {table.bolt.id: nut})


def test_that_conflicts_are_put_away_and_come_back_with_the_image(table: Table) -> None:
    table.examined(forgotten())
    table.see("b.png")
    table.disputes.close()
    assert not table.disputes.is_open
    assert table.bench.desk.editor.marks == ()
    assert not table.bench.engine.is_asked_for("b.png")
    table.review.read()
    done: list[bool] = []
    table.review.read(then=lambda: done.append(True))
    table.wait(lambda: done)
    assert not table.disputes.is_open, "reading the lists again does not bring them back"
    table.see("a.png")
    table.see("b.png")
    assert table.disputes.is_open


def test_that_an_answer_for_an_image_that_is_left_is_dropped(table: Table) -> None:
    table.examined(forgotten())
    table.see("b.png")
    (order,) = (o for o, (r, _) in table.bench.engine.asked.items() if isinstance(r, PredictImage))
    table.see("a.png")
    assert order in table.bench.engine.canceled
    table.bench.engine.predicted.emit(Predicted(order, 0, prediction(0.9)))
    table.bench.engine.ended.emit(Canceled(order))
    assert table.disputes.all == ()
    assert table.bench.desk.editor.marks == ()


def test_that_the_line_says_what_is_in_dispute(application: QApplication, table: Table) -> None:
    actions = [QAction(id_) for id_ in ACTIONS]
    bar = ReviewBar(table.review, table.disputes, actions)
    bar.show()
    application.processEvents()
    assert not bar.dispute.isVisible()
    table.examined(Conflict(ConflictKind.OTHER_CLASS, FAR, "nut", 0.93, table.bolt.id), forgotten())
    table.see("b.png")
    assert bar.told.text().startswith("1 of 2: The model takes this bolt for a nut (93%).")
    table.disputes.next()
    assert bar.told.text().startswith("2 of 2: The model sees a bolt (90%) where nothing is labelled.")
    table.answer(prediction())
    table.wait(lambda: bar.told.text() == "The model sees nothing where a bolt is labelled.")
    table.review.look(Wanted.MISTAKES)
    assert bar.job.isVisible()
    table.review.stop()
    assert bar.job.isHidden()
    bar.close()


def test_that_a_mark_without_a_mask_is_its_box() -> None:
    from gui.disputes import Dispute

    line, caption = marks_of(Dispute(forgotten()))
    assert isinstance(line, Line)
    assert line.points.min(axis=0).tolist() == [30, 20]
    assert caption.text == "bolt ?"  # type: ignore[union-attr]


# The list


def test_that_the_list_is_sorted_by_the_queue_and_shows_likely_mistakes_alone(table: Table) -> None:
    desk = table.bench.desk
    surveyor = Surveyor(desk)
    listed = MediaList(desk, surveyor, table.review)
    table.wait(lambda: not surveyor.is_behind)
    table.examined(forgotten())
    listed.sort_by(Sort.WORTH)
    table.wait(lambda: table.review.queue)
    queue = [one.media_id for one in table.review.queue]
    table.wait(lambda: listed.model.ids[:2] == queue)
    assert set(listed.model.ids) == {one.id for one in desk.media}
    listed.sort_by(Sort.MISTAKE)
    table.wait(lambda: listed.model.ids[0] == table.id_of("b.png"))
    listed.form.standing.setCurrentIndex(listed.form.standing.findData(Standing.DOUBTED))
    table.wait(lambda: listed.model.ids == [table.id_of("b.png")])
    listed.close()
