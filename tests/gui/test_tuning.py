"""Fine-tuning from the window: what it tells of a run, what a verdict changes, and what a fault does not."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from PySide6.QtWidgets import QApplication

from engine.document.records import ReviewState
from engine.messages import (
    Accept,
    Canceled,
    Decision,
    Described,
    Failed,
    FineTune,
    Finished,
    Judged,
    LabelFolder,
    Measured,
    Measuring,
    ModelFigures,
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
    Tuning,
    TuningNews,
    Verdict,
)
from engine.project.active import ActiveModel
from engine.train.order import TrainOrder
from engine.tuning.stopped import note
from gui.models import Models
from gui.tuning import Stage, Training
from gui.tuning import Tuning as Tuned
from tests.gui.workbench import Workbench

Wait = Callable[..., None]

DESCRIBED = TuneDescription(
    images=3, instances=9, classes=(("bolt", 9),), empty=0, held_out=1, left_out=0, unseen=0, base="starter",
    against="starter", name="pictures-1", device="cpu", side=96, batch=2, iterations=10, minutes=None,
    frozen_stages=3, seconds=20.0, measured=True,
)  # fmt: skip


def stepped(step: int, *, of: int = 10, skipped: bool = False) -> Stepped:
    return Stepped(
        step, step / of, 2.0 / step, {}, 1e-4, step * 0.5, skipped, 0.5, (of - step) * 0.5, 900_000_000
    )


def verdict(decision: Decision) -> Verdict:
    old, new = ModelFigures("starter", 0.4, missed=5), ModelFigures("pictures-1", 0.6, missed=2)
    return Verdict(decision, Accept.BETTER, "pictures-1", "starter", 4, 20, old, new, 0.2, 0.1, 0.3)


class Bench(Workbench):
    def __init__(self, place: Path, wait: Wait) -> None:
        super().__init__(place, wait)
        self.models = Models(self.proposals, self.desk, self.settings)
        self.tuning = Tuned(self.desk, self.bridge, self.jobs, self.models)
        self.said: list[str] = []
        self.tuning.said.connect(self.said.append)

    @property
    def order(self) -> OrderId:
        (found,) = (o for o, (request, _) in self.engine.asked.items() if isinstance(request, FineTune))
        return found

    @property
    def now(self) -> Training:
        assert self.tuning.training is not None
        return self.tuning.training

    def learn(self) -> None:
        self.tuning.learn(FineTune(self.folder))

    def hear(self, *news: TuningNews) -> None:
        for one in news:
            self.engine.tuning.emit(Tuning(self.order, one))

    def stage(self) -> Stage:
        """A call: mypy takes what was asserted of an attribute as still true later."""
        return self.now.stage

    def end(self, kind: type[Finished] | type[Canceled]) -> None:
        self.engine.ended.emit(kind(self.order))


STARTED = Started("cpu", 3, 9, 0, 96, 16, 0, 10)


@pytest.fixture
def bench(application: QApplication, tmp_path: Path, wait: Wait) -> Iterator[Bench]:
    made = Bench(tmp_path, wait)
    made.open()
    yield made
    made.desk.close()


def test_that_a_run_tells_its_pace_its_curves_and_its_pictures(bench: Bench) -> None:
    bench.learn()
    assert bench.stage() is Stage.STARTING
    bench.hear(Preparing(1, 3), Described(DESCRIBED), STARTED)
    assert (bench.now.stage, bench.now.name, bench.now.steps) == (Stage.LEARNING, "pictures-1", 10)
    bench.hear(Pictured(0, 0.0, 0.3, ()), stepped(1), stepped(2, skipped=True), stepped(3))
    bench.hear(Measured(3, {"mask_ap": 0.5}, True), Pictured(3, 0.3, 0.4, ()))
    assert (bench.now.step, bench.now.progress, bench.now.seconds_left) == (3, 0.3, 3.5)
    assert bench.now.memory == 900_000_000
    steps, losses = zip(*bench.tuning.losses, strict=True)
    assert steps == (1, 2, 3)
    assert losses[0] == 2.0
    assert losses[1] != losses[1], "a step that was left out leaves a gap"
    assert bench.tuning.aps == [(3, 0.5)]
    assert [one.ap for one in bench.tuning.pictures] == [0.3, 0.4]


def test_that_a_disk_that_refuses_the_restart_file_is_told_until_it_takes_it(bench: Bench) -> None:
    bench.learn()
    bench.hear(STARTED, stepped(1), Noted("The restart file cannot be written: make room."), stepped(2))
    assert bench.now.note == "The restart file cannot be written: make room."
    assert bench.stage() is Stage.LEARNING
    bench.hear(Saved(2))
    assert bench.now.note == ""


def test_that_one_training_goes_on_at_a_time_and_no_other_run_is_mistaken_for_it(bench: Bench) -> None:
    bench.learn()
    bench.learn()
    bench.engine.tuning.emit(Tuning(bench.order + 1, STARTED))
    bench.engine.ended.emit(Finished(bench.order + 1))
    assert bench.stage() is Stage.STARTING


def test_that_it_is_paused_resumed_and_stopped(bench: Bench) -> None:
    bench.learn()
    order = bench.order
    assert not bench.tuning.can_pause, "nothing goes on yet"
    bench.hear(STARTED, stepped(1))
    bench.tuning.pause()
    assert bench.engine.paused == [order]
    bench.hear(Paused(1))
    assert bench.tuning.is_paused
    bench.tuning.resume()
    assert bench.engine.resumed == [order]
    bench.hear(Resumed(1), Saved(1))
    assert bench.stage() is Stage.LEARNING
    bench.tuning.cancel()
    assert order in bench.engine.canceled
    assert bench.stage() is Stage.STOPPED
    assert bench.proposals.model == "starter"
    assert bench.tuning.can_go_on
    bench.tuning.go_on()
    request, _ = bench.engine.asked[bench.order]
    assert isinstance(request, FineTune)
    assert request.resume


def test_that_the_curves_go_on_where_they_were_when_a_stopped_run_does(bench: Bench) -> None:
    bench.learn()
    bench.hear(Described(DESCRIBED), STARTED, stepped(1), stepped(2), stepped(3), Saved(2))
    bench.end(Canceled)
    bench.engine.asked.clear()
    bench.tuning.go_on()
    bench.hear(replace(STARTED, step=2), stepped(3))
    assert [step for step, _ in bench.tuning.losses] == [1, 2, 3]
    assert bench.now.name == "pictures-1"


def test_that_a_better_version_is_used_and_what_nobody_looked_at_is_proposed_anew(bench: Bench) -> None:
    project = bench.desk.project
    assert project is not None
    a, b, _ = bench.desk.order
    states = {
        a: replace(bench.desk.state_of(a), review=ReviewState.REVIEWED),
        b: replace(bench.desk.state_of(b), review=ReviewState.PROPOSED),
    }
    bench.desk.note_states(states)
    seen: list[Verdict | None] = []
    bench.tuning.judged.connect(lambda: seen.append(bench.tuning.verdict))
    bench.learn()
    bench.hear(STARTED, stepped(10), Measuring(1, 8))
    assert bench.stage() is Stage.JUDGING
    project.activate_model("starter")
    project.activate_model("pictures-1")  # as the engine does
    bench.hear(Judged(verdict(Decision.ACTIVATED)))
    bench.end(Finished)
    assert bench.stage() is Stage.DONE
    assert seen == [verdict(Decision.ACTIVATED)]
    bench.wait(lambda: bench.proposals.model == "pictures-1")
    (label,) = (request for request, _ in bench.engine.asked.values() if isinstance(request, LabelFolder))
    assert label.only == ("b.png",)
    assert label.choice.model == "pictures-1"


def test_that_one_click_goes_back_and_one_more_returns(bench: Bench) -> None:
    project = bench.desk.project
    assert project is not None
    assert not bench.models.can_go_back
    project.activate_model("starter")
    project.activate_model("pictures-1")
    bench.models.adopt()
    bench.wait(lambda: bench.proposals.model == "pictures-1")
    bench.models.go_back()
    bench.wait(lambda: bench.proposals.model == "starter")
    assert bench.models.active == ActiveModel("starter", "pictures-1")
    bench.models.go_back()
    bench.wait(lambda: bench.proposals.model == "pictures-1")


def test_that_a_refused_version_changes_nothing(bench: Bench) -> None:
    bench.learn()
    bench.hear(STARTED, stepped(10), Judged(verdict(Decision.REFUSED)))
    bench.end(Finished)
    bench.wait(lambda: bench.stage() is Stage.DONE)
    assert bench.proposals.model == "starter"
    assert bench.jobs.run is None


def test_that_proposals_are_made_anew_after_a_run_of_labelling_that_is_under_way(bench: Bench) -> None:
    project = bench.desk.project
    assert project is not None
    (_, b, _) = bench.desk.order
    bench.desk.note_states({b: replace(bench.desk.state_of(b), review=ReviewState.PROPOSED)})
    bench.jobs.label(("a.png",))
    (old,) = bench.engine.asked
    project.activate_model("pictures-1")
    bench.models.adopt()
    bench.wait(lambda: bench.proposals.model == "pictures-1")
    assert list(bench.engine.asked) == [old]
    bench.jobs.cancel()
    requests = [request for request, _ in bench.engine.asked.values()]
    assert [one.only for one in requests if isinstance(one, LabelFolder)] == [("b.png",)]


def test_that_a_failure_is_one_sentence_and_the_model_stays(bench: Bench) -> None:
    bench.learn()
    bench.hear(STARTED, stepped(1), Saved(1))
    bench.engine.ended.emit(Failed(bench.order, "The disk is full: make room."))
    assert (bench.now.stage, bench.now.problem) == (Stage.FAILED, "The disk is full: make room.")
    assert bench.said == ["Nothing was learned: The disk is full: make room."]
    assert bench.proposals.model == "starter"
    assert bench.tuning.can_go_on


def test_that_what_can_be_learned_is_described_and_the_newest_question_is_answered(bench: Bench) -> None:
    bench.tuning.describe(FineTune(bench.folder, side=128))
    bench.tuning.describe(FineTune(bench.folder, side=96))
    answers: list[str] = []
    bench.tuning.described.connect(lambda: answers.append(bench.tuning.problem))
    bench.wait(lambda: answers)
    assert len(answers) == 1
    assert "No image is reviewed yet" in answers[0]
    assert bench.tuning.description is None


def test_that_leaving_the_project_stops_its_training(bench: Bench) -> None:
    bench.learn()
    order = bench.order
    bench.desk.leave()
    assert bench.engine.left == [order], "it may take its time to leave a restart file"
    assert order not in bench.engine.canceled
    assert bench.tuning.training is None


def test_that_a_training_left_a_moment_ago_is_offered_when_its_restart_file_is_there(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(tmp_path / "models"))
    monkeypatch.setattr("gui.tuning._AGAIN_MS", (50,) * 100)
    offered: list[bool] = []
    bench.tuning.interrupted.connect(lambda: offered.append(True))
    bench.desk.leave()
    bench.desk.open([bench.folder])
    bench.wait(lambda: bench.desk.editor.shown)
    assert not offered
    note(tmp_path / "models", TrainOrder(bench.folder, base="starter", name="left", gate=True), 5)
    (tmp_path / "models" / "training" / "left.restart").write_bytes(b"")
    bench.wait(lambda: offered)
    assert bench.tuning.can_go_on
