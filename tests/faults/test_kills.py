"""A batch that is killed at any moment loses no label of a person, leaves no image by half, and goes on.

The edits of a writer that is killed at random moments are in `tests/engine/project/test_kill.py`.
"""

from __future__ import annotations

import random
import shutil
import sys
from pathlib import Path

import pytest

from engine.document.records import Provenance, ReviewState
from engine.project import Project
from tests.engine.project.making import quick_check
from tests.faults.conftest import Trials

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="preloading a library is Linux's way"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="the fault library needs gcc"),
]

LABEL, PLACE = "label pictures --model toy --device cpu", "pictures/.maskwright"
KILLED = 3  # faults.c: the process dies before the change


def held(folder: Path) -> dict[str, tuple[ReviewState, set[tuple[int, str]]]]:
    """Of each picture: its state, and its instances with their provenance."""
    with Project.open(folder) as project:
        assert not project.read_only, "the lock of a killed process is gone"
        found = {
            item.path: (
                project.review_state(item.id),
                {(one.id, one.provenance.value) for one in project.load(item.id).instances},
            )
            for item in project.media()
        }
    assert quick_check(project.database) == "ok"
    return found


def kill_batches(trials: Trials, kills: int) -> None:
    whole, _ = trials.without_fault(LABEL, PLACE)
    dice, died = random.Random(0), 0
    for number in range(kills):
        at = dice.randint(1, whole.changes)
        answer, *_ = trials.run(LABEL, PLACE, at, KILLED)
        # How edits share commits varies a little: the kill may come too late.
        died += answer.status == -9
        assert answer.status in (-9, 0), answer.said
        found = held(trials.trial / "pictures")
        reviewed = [marks for state, marks in found.values() if state is ReviewState.REVIEWED]
        assert len(reviewed) == 3, f"kill {number} at change {at}"
        assert all({kind for _, kind in marks} == {Provenance.IMPORTED.value} for marks in reviewed)
        again = trials.again(LABEL, PLACE)
        assert again.status == 0, again.said
        finished = held(trials.trial / "pictures")
        assert [state for state, _ in finished.values()].count(ReviewState.PROPOSED) == 2
        for path, (state, marks) in found.items():
            if state is ReviewState.PROPOSED:
                assert finished[path][1] == marks, "what was finished was done again"
    assert died > kills * 0.8
    print(f"\n{died} kills of a batch: no label lost, nothing by half, each went on")


def test_that_a_killed_batch_loses_nothing_and_goes_on(trials: Trials) -> None:
    kill_batches(trials, 5)


@pytest.mark.slow
@pytest.mark.timeout(3600)
def test_that_a_hundred_killed_batches_lose_nothing_and_go_on(trials: Trials) -> None:
    kill_batches(trials, 100)
