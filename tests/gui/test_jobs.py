"""Labelling from the window: which images, progress, failures, cancel, go on, undo."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from engine.document.diff import Diff
from engine.document.records import ImageState, Instance, ReviewState
from engine.messages import (
    Failed,
    Finished,
    ImageFailed,
    ImageLabelled,
    ImageUpgraded,
    LabelFolder,
    ModelReady,
    OrderId,
    Progress,
    UpgradeBoxes,
)
from engine.upgrading import CHECK, NAME, with_masks
from gui.jobs import Run, Stage
from gui.panels.jobs import in_words
from tests.gui.making import proposal, square
from tests.gui.workbench import Workbench

Wait = Callable[..., None]


class Bench(Workbench):
    @property
    def order(self) -> OrderId:
        (found,) = (o for o, (request, _) in self.engine.asked.items() if isinstance(request, LabelFolder))
        return found

    @property
    def request(self) -> LabelFolder:
        request, _ = self.engine.asked[self.order]
        assert isinstance(request, LabelFolder)
        return request

    @property
    def run(self) -> Run:
        assert self.jobs.run is not None
        return self.jobs.run


@pytest.fixture
def bench(application: QApplication, tmp_path: Path, wait: Wait) -> Iterator[Bench]:
    made = Bench(tmp_path, wait)
    made.open()
    yield made
    made.desk.close()


def test_that_reviewed_images_are_never_among_those_to_label(bench: Bench) -> None:
    a, b, _ = bench.desk.order
    bench.desk.note_states({a: replace(bench.desk.state_of(a), review=ReviewState.REVIEWED)})
    bench.desk.note_states({b: replace(bench.desk.state_of(b), review=ReviewState.PROPOSED)})
    assert bench.jobs.images() == ("b.png", "c.png")
    assert bench.jobs.images(unlabelled_only=True) == ("c.png",)
    assert bench.jobs.images(media_ids=(a, b)) == ("b.png",)


def test_that_a_run_tells_how_far_it_is_and_what_failed(bench: Bench) -> None:
    bench.jobs.label(("a.png", "b.png", "c.png"), classes=("nut",))
    assert bench.request.only == ("a.png", "b.png", "c.png")
    assert bench.request.classes == ("nut",)
    assert bench.run.stage is Stage.STARTING
    order, (_, b, _) = bench.order, bench.desk.order
    bench.engine.model_ready.emit(ModelReady(order, "starter", "cpu: no GPU was found"))
    bench.engine.image_not_labelled.emit(ImageFailed(order, "a.png", "a.png: it is damaged"))
    bench.engine.progressed.emit(Progress(order, 1, 3, 1, 0.5, 4.0))
    bench.engine.image_labelled.emit(ImageLabelled(order, b, "b.png", 7))
    bench.engine.progressed.emit(Progress(order, 2, 3, 1, 0.5, 2.0))
    assert bench.run == Run(
        Stage.RUNNING, 3, 2, 7, 0.5, 2.0, (("a.png", "a.png: it is damaged"),), device="cpu: no GPU was found"
    )
    assert bench.desk.state_of(b).review is ReviewState.PROPOSED
    bench.engine.ended.emit(Finished(order, {"up_to_date": 0, "reviewed": 1, "batch": "label 1"}))
    assert (bench.run.stage, bench.run.reviewed) == (Stage.DONE, 1)
    assert bench.jobs.can_go_on, "what failed can be tried again"


def test_that_one_run_is_made_at_a_time(bench: Bench) -> None:
    bench.jobs.label(("a.png",))
    bench.jobs.label(("b.png",))
    assert bench.request.only == ("a.png",)


def test_that_a_run_is_stopped_and_continued(bench: Bench) -> None:
    bench.jobs.label(("a.png", "b.png"), again=True)
    bench.jobs.cancel()
    assert bench.run.stage is Stage.CANCELED
    assert not bench.jobs.is_running
    bench.jobs.go_on()
    assert bench.request.only == ("a.png", "b.png")
    assert not bench.request.again, "what was done is not done again"


def test_that_a_run_that_cannot_start_says_why(bench: Bench) -> None:
    bench.jobs.label(("a.png",))
    bench.engine.ended.emit(Failed(bench.order, "There is no model."))
    assert (bench.run.stage, bench.run.problem) == (Stage.FAILED, "There is no model.")


def test_that_a_run_ends_with_its_project(bench: Bench) -> None:
    bench.jobs.label(("a.png",))
    order = bench.order
    bench.desk.leave()
    assert order in bench.engine.canceled
    assert bench.jobs.run is None
    assert not bench.jobs.can_go_on


def test_that_what_a_run_proposes_for_the_shown_image_appears_and_is_undone_with_the_batch(
    bench: Bench,
) -> None:
    project = bench.desk.project
    assert project is not None
    bolt = project.ensure_class("bolt")
    bench.jobs.label(("a.png",))
    found = proposal(bolt.id)
    project.put_proposals(bench.desk.order[0], [found], key="k", batch_id="label 1")
    bench.engine.image_labelled.emit(ImageLabelled(bench.order, bench.desk.order[0], "a.png", 1))
    document = bench.editor.document
    assert document is not None
    bench.wait(lambda: [one.id for one in document.instances] == [found.id])
    assert [one.name for one in bench.editor.classes] == ["bolt"]
    bench.engine.ended.emit(Finished(bench.order, {"up_to_date": 0, "reviewed": 0, "batch": "label 1"}))
    bench.wait(lambda: bench.jobs.batches)
    said: list[str] = []
    bench.jobs.said.connect(said.append)
    bench.jobs.undo_batch(bench.jobs.batches[0].id)
    bench.wait(lambda: document.instances == () and said)
    bench.wait(lambda: bench.jobs.batches == ())
    assert said == ["The labelling run is undone on 1 image."]
    assert bench.jobs.run is None, "its line tells of proposals that are gone"
    assert bench.desk.state_of(bench.desk.order[0]).review is ReviewState.UNLABELLED


def test_that_spans_of_time_are_told_as_people_say_them() -> None:
    assert [in_words(seconds) for seconds in (0.2, 42, 200, 3600 * 2 + 300)] == [
        "1 s", "42 s", "3 min", "2 h 5 min"
    ]  # fmt: skip


def test_that_boxes_become_masks_with_progress_doubts_and_a_way_back(bench: Bench) -> None:
    a, b, _ = bench.desk.order
    project = bench.desk.project
    assert project is not None
    bolt = project.ensure_class("bolt").id
    boxed = Instance(5, bolt, None, (4.0, 4.0, 10.0, 10.0))
    for media_id in (a, b):
        reviewed = Diff({5: boxed}, {0: (ImageState(), ImageState(ReviewState.REVIEWED))})
        project.save(media_id, reviewed, name="Import").result()
    bench.desk.reload_states()
    bench.desk.reload_image(a)
    bench.wait(lambda: bench.editor.document and bench.editor.document.instances)
    bench.jobs.upgrade()
    ((order, (request, _)),) = bench.engine.asked.items()
    assert isinstance(request, UpgradeBoxes)
    assert request.media_ids == ()
    assert request.least_score == bench.proposals.thresholds.score > 0
    for media_id, least in ((a, 0.9), (b, 1.1)):  # nothing fills a box by more than all of it
        diff, doubtful = with_masks(project.load(media_id), {5: square()}, least)
        project.save(media_id, diff, name=NAME).result()
        bench.engine.image_upgraded.emit(ImageUpgraded(order, media_id, "x", 1, doubtful))
    assert (bench.run.instances, bench.run.doubtful, bench.run.is_upgrade) == (2, 1, True)
    bench.wait(lambda: bench.editor.document and bench.editor.document.instances[0].mask == square())
    assert bench.desk.state_of(a).review is ReviewState.REVIEWED
    assert bench.desk.state_of(b) == ImageState(ReviewState.PROPOSED, (CHECK,))
    assert not bench.jobs.can_undo_upgrade, "not while it runs"
    bench.engine.asked.pop(order)
    bench.engine.ended.emit(Finished(order, {"images": 2, "masks": 2, "doubtful": 1, "seconds": 1.0}))
    assert bench.run.stage is Stage.DONE
    bench.jobs.undo_upgrade()
    bench.wait(lambda: bench.editor.document and bench.editor.document.instances[0].mask is None)
    assert project.load(b).instances == (boxed,)
    assert not bench.jobs.can_undo_upgrade
    assert bench.jobs.run is None, "its line tells of masks that are gone"
