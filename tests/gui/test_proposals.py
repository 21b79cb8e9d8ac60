"""Proposals in the editor: when the model is asked, what thresholds do, what is never touched."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from engine.document.records import Instance, Provenance, ReviewState
from engine.messages import Failed, Predicted, PredictImage, Priority
from engine.project import Project
from engine.refilter import Thresholds
from gui.bridge import Bridge
from gui.desk import Desk
from gui.editor import Editor
from gui.proposals import Look, Proposals, hidden_proposals
from gui.saving import Kept
from gui.settings import Settings
from tests.engine.media.films import write_film
from tests.gui.making import HEIGHT, WIDTH, Engine, drawn, folder_of, prediction, proposal, stored

Wait = Callable[..., None]


@dataclass
class Bench:
    """The parts under test with an engine that answers what it is told to."""

    editor: Editor
    desk: Desk
    engine: Engine
    proposals: Proposals
    settings: Settings
    folder: Path
    wait: Wait

    @property
    def instances(self) -> tuple[Instance, ...]:
        assert self.editor.document is not None
        return self.editor.document.instances

    @property
    def scores(self) -> list[float]:
        """Of the visible proposals, best first."""
        return sorted((round(one.score or 0, 2) for one in self.editor.visible), reverse=True)

    def settle(self) -> None:
        """Wait until all is on the disk."""
        self.wait(lambda: self.desk.saving.state.kept is Kept.SAVED)

    def look(self, *scores: float) -> None:
        """Answer for the shown image and wait for the proposals."""
        assert self.editor.shown is not None
        self.engine.answer(self.editor.shown.item.path, prediction(*scores))
        self.wait(lambda: len(self.instances) >= len(scores))
        self.settle()

    def go(self, name: str) -> None:
        """Show another image."""
        (media_id,) = (item.id for item in self.desk.media if item.path == name)
        self.desk.show(media_id)
        self.wait(lambda: self.editor.shown is not None and self.editor.shown.item.path == name)


@pytest.fixture
def bench(application: QApplication, tmp_path: Path, wait: Wait) -> Iterator[Bench]:
    folder = folder_of(tmp_path / "pictures", ("a.png", "b.png", "c.png", "d.png"))
    editor, engine, settings = Editor(), Engine(), Settings(tmp_path / "settings.json")
    desk = Desk(editor)
    proposals = Proposals(editor, desk, cast(Bridge, engine), settings)
    desk.open([folder])
    wait(lambda: editor.shown)
    yield Bench(editor, desk, engine, proposals, settings, folder, wait)
    desk.close()


def test_that_the_shown_image_is_asked_for_first_and_its_neighbours_ahead(bench: Bench) -> None:
    asked = {request.path.name: priority for request, priority in bench.engine.asked.values()}  # type: ignore[union-attr]
    assert asked == {"a.png": Priority.SHOWN, "b.png": Priority.AHEAD, "c.png": Priority.AHEAD}
    assert bench.proposals.status.look is Look.LOOKING


def test_that_an_answer_becomes_proposals_that_are_kept_on_the_disk(bench: Bench) -> None:
    bench.look(0.9, 0.6, 0.3)
    assert [one.provenance for one in bench.instances] == [Provenance.PREDICTED] * 3
    assert bench.scores == [0.9, 0.6], "those below the threshold are there and hidden"
    assert [one.name for one in bench.editor.classes] == ["bolt", "nut"]
    assert bench.desk.state_of(bench.desk.order[0]).review is ReviewState.PROPOSED
    assert bench.proposals.status.look is Look.IDLE
    assert {one.id for one in bench.instances} < set(stored(bench.folder, "a.png"))


def test_that_proposals_are_not_undone_but_what_a_person_does_with_them_is(bench: Bench) -> None:
    bench.look(0.9, 0.6)
    assert bench.desk.saving.past.done == ()
    best = max(bench.instances, key=lambda one: one.score or 0)
    assert bench.editor.shown is not None
    with bench.editor.edit("Accept"):
        bench.editor.shown.document.accept(best.id)
    bench.desk.saving.undo()
    bench.wait(lambda: all(one.provenance.is_proposal for one in bench.instances))
    bench.settle()
    assert len(bench.instances) == 2


def test_that_a_neighbours_answer_is_there_at_once_when_it_is_shown(bench: Bench) -> None:
    bench.engine.answer("b.png", prediction(0.8))
    bench.go("b.png")
    bench.wait(lambda: bench.instances)
    assert not bench.engine.is_asked_for("b.png")
    bench.settle()


def test_that_a_neighbour_that_is_shown_before_its_turn_becomes_urgent(bench: Bench) -> None:
    bench.go("b.png")
    order = bench.engine.order_for("b.png")
    assert bench.engine.asked[order][1] is Priority.SHOWN


def test_that_what_is_no_longer_near_is_not_looked_at(bench: Bench) -> None:
    bench.go("d.png")
    assert not bench.engine.is_asked_for("b.png")
    assert bench.engine.is_asked_for("c.png")


def test_that_an_image_with_a_persons_work_is_not_looked_at_unasked(bench: Bench) -> None:
    bench.look(0.9)
    bench.engine.answer("b.png", prediction())
    bench.go("b.png")
    bench.wait(lambda: bench.desk.state_of(bench.desk.order[1]).review is ReviewState.PROPOSED)
    bench.go("c.png")
    assert bench.desk.project is not None
    with bench.editor.edit("Draw"):
        assert bench.editor.shown is not None
        bench.editor.shown.document.add(drawn(bench.editor.classes[0].id))
    bench.settle()
    bench.engine.answer("c.png", prediction(0.9, 0.8))
    bench.go("d.png")
    bench.go("c.png")
    assert [one.provenance for one in bench.instances] == [Provenance.DRAWN]
    bench.proposals.predict()
    bench.look(0.9, 0.8)
    assert sorted(one.provenance for one in bench.instances) == ["drawn", "predicted", "predicted"]


def test_that_a_reviewed_image_gets_no_proposals(bench: Bench) -> None:
    assert bench.editor.shown is not None
    with bench.editor.edit("Accept image"):
        bench.editor.shown.document.accept_image([])
    bench.settle()
    bench.engine.answer("a.png", prediction(0.9))
    told: list[str] = []
    bench.proposals.failed.connect(told.append)
    bench.proposals.predict()
    assert "reviewed" in told[0]
    assert bench.instances == ()
    bench.go("b.png")
    bench.go("a.png")
    assert bench.instances == ()
    assert [one for one in stored(bench.folder, "a.png").values() if isinstance(one, Instance)] == []


def test_that_asking_again_replaces_proposals_and_nothing_else(bench: Bench) -> None:
    bench.look(0.9, 0.8, 0.7)
    assert bench.editor.shown is not None
    kept = bench.instances[0]
    with bench.editor.edit("Accept"):
        bench.editor.shown.document.accept(kept.id)
    bench.proposals.predict()
    before = {one.id for one in bench.instances}
    bench.engine.answer("a.png", prediction(0.65))
    bench.wait(lambda: len(bench.instances) == 2)
    bench.settle()
    assert before & {one.id for one in bench.instances} == {kept.id}
    assert {key for key in stored(bench.folder, "a.png") if key} == {one.id for one in bench.instances}


def test_that_the_score_slider_acts_at_once_and_is_remembered(bench: Bench) -> None:
    bench.look(0.9, 0.6, 0.3)
    bench.proposals.set_score(0.2)
    assert bench.scores == [0.9, 0.6, 0.3]
    bench.proposals.set_score(0.7)
    assert bench.scores == [0.9]
    bench.wait(lambda: bench.settings.choices.score == 0.7)
    assert Settings(bench.settings.path).choices.score == 0.7


def test_that_the_class_filter_hides_proposals_and_never_a_persons_work(bench: Bench) -> None:
    bench.look(0.9, 0.8)
    assert bench.editor.shown is not None
    nut = next(one for one in bench.instances if one.score and one.score < 0.85)
    bench.proposals.set_classes(frozenset({"bolt"}))
    assert bench.scores == [0.9]
    with bench.editor.edit("Accept"):
        bench.editor.shown.document.accept(nut.id)
    assert bench.scores == [0.9, 0.8]
    bench.settle()


def test_that_the_cutoff_makes_masks_anew_and_keeps_them_on_the_disk(bench: Bench) -> None:
    bench.look(0.9, 0.8)
    areas = [one.mask.area for one in bench.instances if one.mask]
    for cutoff in (0.6, 0.7, 0.75):
        bench.proposals.set_cutoff(cutoff)
    bench.wait(
        lambda: all(
            one.mask is not None and one.mask.area < before
            for one, before in zip(bench.instances, areas, strict=True)
        )
    )
    bench.desk.saving.flush_put_off()
    bench.settle()
    on_disk = stored(bench.folder, "a.png")
    assert all(on_disk[one.id] == one for one in bench.instances)


def test_that_a_cutoff_is_saved_before_the_edit_that_follows_it(bench: Bench) -> None:
    bench.look(0.9)
    (before,) = bench.instances
    bench.proposals.set_cutoff(0.75)
    bench.wait(lambda: bench.instances[0].mask != before.mask)
    assert bench.editor.shown is not None
    with bench.editor.edit("Accept"):
        bench.editor.shown.document.accept(before.id)
    bench.settle()
    assert stored(bench.folder, "a.png")[before.id] == bench.instances[0]
    bench.desk.saving.undo()
    bench.wait(lambda: bench.instances[0].provenance is Provenance.PREDICTED)
    assert bench.instances[0].mask != before.mask
    bench.settle()


def test_that_proposals_of_an_earlier_run_show_without_a_model_and_are_filtered(
    bench: Bench, wait: Wait
) -> None:
    bench.look(0.9, 0.6)
    bench.go("d.png")
    fresh = Proposals(bench.editor, bench.desk, cast(Bridge, Engine()), bench.settings)
    bench.go("a.png")
    assert len(bench.instances) == 2
    fresh.set_score(0.7)
    assert bench.scores == [0.9]
    assert not fresh.status.has_answer


def test_that_an_answer_for_another_model_or_project_is_dropped(bench: Bench, tmp_path: Path) -> None:
    order = bench.engine.order_for("a.png")
    request, _ = bench.engine.asked[order]
    assert isinstance(request, PredictImage)
    bench.proposals.set_model("other")
    assert bench.engine.order_for("a.png") != order, "the new model is asked for the shown image"
    bench.engine.predicted.emit(Predicted(order, request.generation, prediction(0.9)))
    bench.desk.reload_image(bench.desk.order[0])
    bench.settle()
    assert bench.instances == ()
    assert not bench.proposals.status.has_answer


def test_that_a_model_that_fails_says_so_for_the_shown_image_only(bench: Bench) -> None:
    bench.engine.ended.emit(Failed(bench.engine.order_for("b.png"), "b is broken"))
    assert bench.proposals.status.problem == ""
    bench.engine.ended.emit(Failed(bench.engine.order_for("a.png"), "There is no model."))
    assert bench.proposals.status.look is Look.FAILED
    assert bench.proposals.status.problem == "There is no model."


def test_that_of_two_that_overlap_the_better_one_is_shown() -> None:
    better, worse = proposal(1, score=0.9), proposal(1, x=5, score=0.8)
    names = {1: "bolt", 2: "nut"}
    assert hidden_proposals((better, worse), names, Thresholds(overlap=1.0)) == frozenset()
    assert hidden_proposals((better, worse), names, Thresholds(overlap=0.5)) == {worse.id}
    other = replace(worse, class_id=2)
    assert hidden_proposals((better, other), names, Thresholds(overlap=0.5)) == frozenset()
    across = Thresholds(overlap=0.5, across_classes=True)
    assert hidden_proposals((better, other), names, across) == {other.id}


def test_that_a_class_that_is_filtered_out_hides_nobody_else() -> None:
    better, worse = proposal(1, score=0.9), proposal(2, x=5, score=0.8)
    thresholds = Thresholds(overlap=0.5, across_classes=True, classes=frozenset({"nut"}))
    assert hidden_proposals((better, worse), {1: "bolt", 2: "nut"}, thresholds) == {better.id}


def test_that_what_a_person_drew_is_not_proposed_again() -> None:
    mine, again = drawn(1), proposal(1, score=0.9)
    assert hidden_proposals((mine, again), {1: "bolt"}, Thresholds()) == {again.id}
    assert np.isclose(again.score or 0, 0.9)


class Film:
    """A film of 30 frames under a model that looks by itself; its first frame is shown."""

    def __init__(self, folder: Path, settings: Settings, wait: Wait) -> None:
        self.folder, self.wait, self.engine, self.editor = folder, wait, Engine(), Editor()
        self.desk = Desk(self.editor)
        self.proposals = Proposals(self.editor, self.desk, cast(Bridge, self.engine), settings)
        self.desk.open([folder])
        wait(lambda: self.editor.shown)

    def rest_on(self, frame: int, *scores: float) -> tuple[Instance, ...]:
        """Show a frame, as `gui.frames` does, and have the model answer; its proposals."""
        project = self.desk.project
        assert project is not None
        self.desk.show_item(project.frame_item("clip.mp4", frame))
        self.wait(lambda: self.editor.shown is not None and self.editor.shown.item.frame == frame)
        if scores:
            self.engine.answer("clip.mp4", prediction(*scores))
        self.wait(lambda: self.instances)
        return self.instances

    @property
    def instances(self) -> tuple[Instance, ...]:
        return self.editor.document.instances if self.editor.document else ()

    def rows(self) -> list[int]:
        return [item.frame for item in self.desk.media]

    def on_record(self, frame: int) -> set[int]:
        self.wait(lambda: self.desk.saving.state.kept is Kept.SAVED)
        with Project.open(self.folder, read_only=True) as project:
            return {one.id for one in project.load(project.frame_item("clip.mp4", frame).id).instances}


@pytest.fixture
def film(application: QApplication, tmp_path: Path, wait: Wait) -> Iterator[Film]:
    folder = tmp_path / "films"
    folder.mkdir()
    write_film(folder / "clip.mp4", 30, size=(WIDTH, HEIGHT))
    made = Film(folder, Settings(tmp_path / "settings.json"), wait)
    made.engine.answer("clip.mp4", prediction())
    yield made
    made.desk.close()


def test_that_frames_that_are_only_looked_at_leave_no_trace(film: Film) -> None:
    first = {one.id for one in film.rest_on(7, 0.9, 0.6)}
    film.rest_on(9, 0.8)
    assert film.rows() == [0]
    assert film.on_record(7) == set()
    assert film.on_record(9) == set()
    again = {one.id for one in film.rest_on(7)}
    assert len(again) == 2, "seen again without another look"
    assert not film.engine.is_asked_for("clip.mp4")
    assert not again & first


def test_that_a_frame_is_on_record_with_all_its_proposals_once_the_person_does_something(film: Film) -> None:
    best, other = film.rest_on(7, 0.9, 0.6)
    assert film.editor.document is not None
    with film.editor.edit("Accept"):
        film.editor.document.accept(best.id)
    assert film.rows() == [0, 7]
    assert film.on_record(7) == {best.id, other.id}
    film.desk.saving.undo()
    film.wait(lambda: all(one.provenance.is_proposal for one in film.instances))
    assert film.on_record(7) == {best.id, other.id}
    film.rest_on(9, 0.8)
    assert {one.id for one in film.rest_on(7)} == {best.id, other.id}


def test_that_an_accepted_frame_is_on_record_as_reviewed(film: Film) -> None:
    (best,) = film.rest_on(7, 0.9)
    assert film.editor.document is not None
    with film.editor.edit("Accept image"):
        film.editor.document.accept_image([best.id])
    assert film.rows() == [0, 7]
    assert film.on_record(7) == {best.id}


def test_that_a_look_that_is_asked_for_is_kept(film: Film) -> None:
    film.rest_on(7, 0.9)
    film.proposals.predict()
    before = film.instances
    film.engine.answer("clip.mp4", prediction(0.7, 0.6))
    film.wait(lambda: len(film.instances) == 2 and film.instances != before)
    assert film.rows() == [0, 7]
    assert film.on_record(7) == {one.id for one in film.instances}
