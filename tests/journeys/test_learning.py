"""The real program learns from what a person corrected: from Ctrl+T to the model in use, and back."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QApplication

from engine.messages import FineTune
from gui.commands.registry import COMMANDS
from gui.dialogs.learn import LearnDialog
from gui.dialogs.verdict import VerdictDialog
from gui.proposals import Look
from gui.tuning import Stage
from tests.engine.tuning.making import reviewed_project
from tests.journeys.person import Person, quiet

LONG = 280.0  # seconds, for a training of a few steps on a busy machine
STEPS, SIDE = 24, 96


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    """Nine pictures of two discs each, seven of them reviewed."""
    return reviewed_project(tmp_path / "discs", 7, unseen=2)


def answer_the_sheet(person: Person, told: list[str]) -> None:
    """Open the details, ask for little, press Learn; the sheet is modal, so this comes by a timer."""

    def answer() -> None:
        dialog = QApplication.activeModalWidget()
        if not isinstance(dialog, LearnDialog) or not dialog.learn.isEnabled():
            QTimer.singleShot(20, person.window, answer)
            return
        told.append(dialog.line.text())
        dialog.unfold.click()
        dialog.details.length.setValue(STEPS)
        dialog.details.side.setValue(SIDE)
        dialog.learn.click()

    QTimer.singleShot(20, person.window, answer)
    person.do("tune.learn")


def test_that_corrections_are_learned_from_and_the_better_model_is_used_until_one_goes_back(
    at_the_window: Callable[..., int], discs: Path
) -> None:
    def first_day(person: Person) -> None:
        window, tuning = person.window, person.window.tuning
        quiet(person)
        person.see("toy7.png")
        person.do("tool.box")
        person.drag((20, 20), (30, 34), (46, 46))
        person.do("image.accept")
        person.see("toy8.png")
        person.saved()
        told: list[str] = []
        answer_the_sheet(person, told)
        assert told[0].startswith("8 reviewed images, 15 instances, 1 class; about ")
        assert window.training.isVisible()
        person.wait(lambda: tuning.losses, LONG)
        person.do("predict.run")  # the model in use is there all the while
        person.wait(lambda: window.proposals.status.has_answer or len(tuning.losses) >= STEPS, LONG)
        assert window.proposals.status.look is not Look.FAILED
        assert tuning.is_running
        panel = window.training_panel
        person.wait(lambda: panel.loss.is_drawn and panel.strip.views, LONG)
        person.wait(lambda: not tuning.is_running, LONG)
        assert tuning.training is not None
        assert tuning.training.stage is Stage.DONE, tuning.training.problem
        assert tuning.verdict is not None
        assert tuning.verdict.is_active
        person.wait(lambda: window.proposals.model == "discs-1")
        (sheet,) = window.findChildren(VerdictDialog)
        assert sheet.title.text() == "discs-1 is in use now"
        person.wait(lambda: sheet.shots and all(shot.is_drawn for shot in sheet.shots))
        sheet.close()
        person.do("tune.go_back")
        person.wait(lambda: window.proposals.model == "starter")
        person.do("tune.go_back")
        person.wait(lambda: window.proposals.model == "discs-1")

    def next_day(person: Person) -> None:
        quiet(person)
        person.wait(lambda: person.window.proposals.model == "discs-1")
        assert person.window.models.can_go_back

    assert at_the_window([str(discs)], first_day) == 0
    assert at_the_window([str(discs)], next_day) == 0


def begin(person: Person, *, minutes: float | None = None) -> None:
    """Start a training, of more steps than anybody waits for, and see it take the first of them."""
    quiet(person)
    desk, tuning = person.window.desk, person.window.tuning
    person.wait(lambda: desk.project is not None)
    assert desk.folder is not None
    person.wait(lambda: person.window.editor.shown)
    iterations = 200 if minutes is None else None
    request = FineTune(desk.folder, iterations=iterations, minutes=minutes, side=SIDE, against="starter")
    COMMANDS["tune.learn"].run(person.window.context, request)

    def has_begun() -> bool:  # and is not the one before it
        training = tuning.training
        return training is not None and training.stage is not Stage.FAILED and training.step > 0

    person.wait(lambda: has_begun() or not tuning.is_running, LONG)
    assert tuning.training is not None
    assert tuning.is_running, tuning.training.problem


def trainer() -> psutil.Process:
    """The process that trains."""
    (found,) = trainers()
    return found


def trainers() -> list[psutil.Process]:
    """None until one is started."""
    return [one for one in psutil.Process().children() if "engine.train" in one.cmdline()]


def test_that_a_training_that_was_killed_or_left_changes_nothing_and_goes_on_later(
    at_the_window: Callable[..., int], discs: Path
) -> None:
    def killed_then_left(person: Person) -> None:
        window, tuning = person.window, person.window.tuning
        begin(person)
        trainer().kill()
        person.wait(lambda: not tuning.is_running, LONG)
        assert tuning.training is not None
        assert tuning.training.stage is Stage.FAILED
        assert "memory ran out" in tuning.training.problem
        assert window.notices.note.startswith("Nothing was learned: ")
        assert window.proposals.model == "starter"
        begin(person)

    def come_back(person: Person) -> None:
        window, tuning = person.window, person.window.tuning
        quiet(person)
        person.wait(lambda: tuning.can_go_on, LONG)
        assert window.training.isVisible(), "it is offered to go on"
        assert tuning.training is not None
        step = tuning.training.step
        assert step > 0
        assert window.proposals.model == "starter"
        person.do("tune.go_on")
        person.wait(lambda: tuning.losses, LONG)
        assert tuning.losses[0][0] == step + 1
        person.do("tune.cancel")
        person.wait(lambda: not tuning.is_running)
        assert tuning.training.stage is Stage.STOPPED
        person.do("tune.discard")

    def come_back_again(person: Person) -> None:
        quiet(person)
        person.wait(lambda: person.window.editor.shown)
        assert not person.window.tuning.can_go_on

    assert at_the_window([str(discs)], killed_then_left) == 0
    assert at_the_window([str(discs)], come_back) == 0
    assert at_the_window([str(discs)], come_back_again) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="a process's files can be limited from outside")
def test_that_what_was_learned_is_kept_at_a_stop_and_through_a_full_disk(
    at_the_window: Callable[..., int], discs: Path
) -> None:
    """The disk is full for the training alone: from then on its files may not grow."""

    def steps(person: Person) -> None:
        window, tuning = person.window, person.window.tuning
        begin(person, minutes=0.2)
        person.wait(lambda: tuning.training is not None and tuning.training.resumable, LONG)
        person.do("tune.cancel")
        person.wait(lambda: not tuning.is_running)
        assert tuning.training is not None
        assert stage(person) is Stage.STOPPED
        kept = tuning.training.resumable
        assert kept
        person.do("tune.go_on")
        # Until the new process says its first, steps are listed that came after the file was written.
        person.wait(lambda: trainers() and tuning.losses and tuning.losses[-1][0] > kept, LONG)
        trainer().rlimit(psutil.RLIMIT_FSIZE, (1 << 16, 1 << 16))
        person.wait(lambda: not tuning.is_running, LONG)
        assert stage(person) is Stage.FAILED
        assert "File too large" in tuning.training.problem
        assert tuning.training.problem in window.notices.note
        assert window.proposals.model == "starter"
        assert tuning.can_go_on, "what was kept before is still there"
        person.do("tune.go_on")
        person.wait(lambda: not tuning.is_running, LONG)
        assert stage(person) is Stage.DONE, tuning.training.problem
        assert tuning.verdict is not None
        for sheet in window.findChildren(VerdictDialog):
            sheet.close()

    assert at_the_window([str(discs)], steps) == 0


def stage(person: Person) -> Stage:
    """A call: mypy takes what was asserted of an attribute as still true later."""
    assert person.window.tuning.training is not None
    return person.window.tuning.training.stage
