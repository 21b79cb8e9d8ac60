"""The real program keeps what it learned: two versions, side by side, put to use, and one deleted."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.messages import Accept, FineTune
from engine.models.store import default_store
from gui.commands.registry import COMMANDS
from gui.dialogs.verdict import VerdictDialog
from gui.dialogs.versions import VersionsDialog
from gui.tuning import Stage
from tests.engine.tuning.making import reviewed_project
from tests.journeys.person import Person, quiet

LONG = 280.0  # seconds, for a training of a few steps on a busy machine


@pytest.fixture
def discs(tmp_path: Path) -> Path:
    """Five pictures of two discs each, all reviewed."""
    return reviewed_project(tmp_path / "discs", 5)


def learn(person: Person, *, seed: int) -> None:
    """A training of a few steps; what comes of it is used whether it is better or not."""
    folder, tuning = person.window.desk.folder, person.window.tuning
    assert folder is not None
    request = FineTune(folder, iterations=3, side=96, accept=Accept.ALWAYS, seed=seed, held_out=0.4)
    COMMANDS["tune.learn"].run(person.window.context, request)
    person.wait(lambda: not tuning.is_running, LONG)
    assert tuning.training is not None
    assert tuning.training.stage is Stage.DONE, tuning.training.problem
    for sheet in person.window.findChildren(VerdictDialog):
        sheet.close()


def test_that_two_versions_are_compared_put_to_use_and_one_is_deleted(
    at_the_window: Callable[..., int], discs: Path
) -> None:
    def steps(person: Person) -> None:
        window, versions = person.window, person.window.versions
        quiet(person)
        person.wait(lambda: window.editor.shown)
        window.models.use("starter")
        learn(person, seed=1)
        person.wait(lambda: versions.in_use == "discs-1")
        learn(person, seed=2)
        person.wait(lambda: versions.in_use == "discs-2")
        person.do("tune.versions")
        (dialog,) = window.findChildren(VersionsDialog)
        person.wait(lambda: versions.named("discs-2"))
        assert dialog.marked == ["discs-2"]
        assert [one.name for one in dialog.plot.points] == ["discs-1", "discs-2"]
        dialog.mark("discs-1", "discs-2")
        dialog.details.compare.click()
        person.wait(lambda: window.findChildren(VerdictDialog), LONG)
        (sheet,) = window.findChildren(VerdictDialog)
        assert sheet.title.text().startswith("discs-2 ")
        assert "discs-1" in sheet.title.text()
        assert sheet.verdict.images > 0
        sheet.close()
        assert versions.in_use == "discs-2", "nothing was decided"
        dialog.mark("discs-1")
        dialog.details.use.click()
        person.wait(lambda: versions.in_use == "discs-1")
        person.do("tune.go_back")
        person.wait(lambda: versions.in_use == "discs-2")
        assert dialog.marked == ["discs-1"]
        dialog.details.delete.click()
        assert "going back would return to" in dialog.asked.text()
        dialog.confirm.click()
        person.wait(lambda: versions.named("discs-1") is None)
        dialog.close()

    def next_day(person: Person) -> None:
        quiet(person)
        person.wait(lambda: person.window.versions.in_use == "discs-2")

    assert at_the_window([str(discs)], steps) == 0
    store = default_store()
    assert sorted(one.stem for one in store.root.glob("*.safetensors")) == ["discs-2"]
    assert [one.name for one in (store.root / "reports").iterdir()] == ["discs-2"]
    assert at_the_window([str(discs)], next_day) == 0
