"""A writer that is killed at any moment loses no edit that it was told is saved."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from engine.project import Project
from tests.conftest import Figure
from tests.engine.project.making import quick_check
from tests.engine.project.script import Memory, make_folder, plan, snapshot
from tests.engine.project.worker_program import Order
from tests.engine.project.working import Program

_KILLS = 120 if hasattr(os, "fork") else 20  # without forks each kill costs the start of a program
_IMAGES = 4


def kill_writers(tmp_path: Path, kills: int, seed: int) -> None:
    dice = random.Random(seed)
    folder = tmp_path / "pictures"
    memory = Memory(_IMAGES, make_folder(folder, _IMAGES))
    now = memory.snapshot()
    done = saved_in_all = killed_at_work = 0
    with Program() as program:
        for number in range(kills):
            report = program.carry_out(
                Order(str(folder), done, network=number % 5 == 4),
                # Every third kill comes while the project opens.
                kill_after=0 if number % 3 == 0 else dice.randrange(1, 40),
                wait=lambda: time.sleep(dice.random() * 0.004),
            )
            assert report.status != 1, "it must end by the kill"
            assert not report.refusals
            killed_at_work += report.begun > report.saved
            saved_in_all += max(0, report.saved + 1 - done)
            with Project.open(folder) as project:
                assert not project.read_only, "the lock of a killed process is gone"
                assert project.notices == ()
                held = snapshot(project)
            assert quick_check(project.database) == "ok"
            while done <= report.saved or (held != now and done <= report.begun):
                memory.do(plan(done, _IMAGES))
                now = memory.snapshot()
                done += 1
            assert held == now, f"kill {number}: not the work of any moment after step {report.saved}"
    assert saved_in_all > 3 * kills, "the kills must come while edits are being saved"
    assert killed_at_work > kills // 4


def test_that_a_killed_writer_loses_no_saved_edit_and_damages_nothing(tmp_path: Path) -> None:
    kill_writers(tmp_path, _KILLS, 0)


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_that_two_hundred_killed_writers_lose_no_saved_edit(tmp_path: Path, figure: Figure) -> None:
    kill_writers(tmp_path, 200, 1)
    figure("kills of a writer of edits: no saved edit lost, every database whole", 200)
