"""A batch that is killed, or whose drive goes, at any moment loses no label of a person, leaves no image by
half, and goes on.

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
from tests.conftest import Figure
from tests.engine.project.making import quick_check
from tests.faults.conftest import Trials

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="preloading a library is Linux's way"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="the fault library needs gcc"),
]

LABEL, PLACE = "label pictures --model toy --device cpu", "pictures/.maskwright"
KILLED, GONE = 3, 6  # faults.c: the process dies before the change; nothing can be read or written from it on


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


def stop_batches(trials: Trials, count: int, kind: int, place: str = PLACE) -> int:
    """Batches stopped at random changes of files, each looked at and gone on with; how many there were."""
    whole, _ = trials.without_fault(LABEL, PLACE)
    dice, stopped = random.Random(0), 0
    for number in range(count):
        at = dice.randint(1, whole.changes) if number else 1
        answer, *_ = trials.run(LABEL, place, at, kind)
        # How edits share commits varies a little: the fault may come too late, or when all is done.
        stopped += answer.status != 0
        assert answer.status in ((-9, 0) if kind == KILLED else (1, 0)), answer.said
        assert "Traceback" not in answer.said, answer.said
        found = held(trials.trial / "pictures")
        reviewed = [marks for state, marks in found.values() if state is ReviewState.REVIEWED]
        assert len(reviewed) == 3, f"trial {number}, change {at}"
        assert all({kind for _, kind in marks} == {Provenance.IMPORTED.value} for marks in reviewed)
        again = trials.again(LABEL, PLACE)
        assert again.status == 0, again.said
        finished = held(trials.trial / "pictures")
        assert [state for state, _ in finished.values()].count(ReviewState.PROPOSED) == 2
        for path, (state, marks) in found.items():
            if state is ReviewState.PROPOSED:
                assert finished[path][1] == marks, "what was finished was done again"
    assert stopped > count // 2
    return stopped


def test_that_a_killed_batch_loses_nothing_and_goes_on(trials: Trials) -> None:
    stop_batches(trials, 5, KILLED)


def test_that_a_batch_goes_on_when_the_drive_is_back(trials: Trials) -> None:
    stop_batches(trials, 3, GONE, "pictures/")


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize(
    ("kind", "place", "name"),
    [(KILLED, PLACE, "kills of a batch"), (GONE, "pictures/", "drives gone in a batch, and back")],
)
def test_that_a_hundred_stopped_batches_lose_nothing_and_go_on(
    trials: Trials, kind: int, place: str, name: str, figure: Figure
) -> None:
    stopped = stop_batches(trials, 100, kind, place)
    figure(f"{name}: no label lost, nothing by half, each went on", stopped)
