"""Every change of a file may fail, or be the last: no saved edit is lost and nothing is damaged.

Linux with a C compiler only: a small library (faults.c) is preloaded and makes the n-th write, sync,
truncation, rename or removal inside `.maskwright` fail, or all reading too, or kills the process there.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from engine.project import Project
from tests.engine.project.making import quick_check
from tests.engine.project.script import Memory, Snapshot, make_folder, make_pictures, plan, snapshot
from tests.engine.project.worker_program import FAULTY_KINDS, Order
from tests.engine.project.working import Program, Report

pytestmark = [
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="preloading a library is Linux's way"),
    pytest.mark.skipif(shutil.which("gcc") is None, reason="the fault library needs gcc"),
]

_IMAGES = 3
_STEPS = 9
_KINDS = {
    "fails once": 1, "disk full": 2, "killed before": 3, "killed within": 4, "denied": 5, "drive gone": 6,
    "reading fails": 7,
}  # fmt: skip
_SCENES = ("clean", "unclean", "damaged", "new", "network", "unclean network")


@dataclass(frozen=True)
class Scene:
    """A state of a project on the disk from which faults begin, and the steps it has behind it."""

    folder: Path
    first: int
    network: bool


class Trials:
    """Runs the script under faults on copies of scenes, and checks what is left."""

    def __init__(self, program: Program, library: Path, place: Path) -> None:
        self._program = program
        self._library = str(library)
        self._place = place
        self._scenes: dict[str, Scene] = {}
        self._changes: dict[str, int] = {}

    def scene(self, name: str) -> Scene:
        """The scene of that name, made once."""
        if name not in self._scenes:
            self._scenes[name] = self._make(name)
        return self._scenes[name]

    def changes(self, name: str) -> int:
        """How many changes of files a run of the scene makes."""
        if name not in self._changes:
            whole = self.run(name, (0, 0))
            assert not whole.refusals
            self._changes[name] = whole.changes
        return self._changes[name]

    def run(self, name: str, fault: tuple[int, int]) -> Report:
        """One run on a fresh copy of a scene; what it leaves is checked."""
        scene, folder = self.scene(name), self._place / "trial"
        shutil.copytree(scene.folder, folder)
        try:
            report = self._work(folder, scene.first, _STEPS, network=scene.network, fault=fault)
            # What is written varies a little with how edits share commits: the fault may come too late.
            is_killed = fault[1] in {3, 4} and not 0 < report.changes < fault[0]
            assert report.status == (-9 if is_killed else 0), f"{fault}: {report}"
            held, moments = self._held(folder, scene.first, report)
            assert held in moments, f"{fault}: not the work of any moment after step {report.saved}"
            return report
        finally:
            shutil.rmtree(folder)

    def _work(
        self, folder: Path, first: int, steps: int, *, network: bool = False, fault: tuple[int, int] = (0, 0)
    ) -> Report:
        return self._program.carry_out(Order(str(folder), first, steps, network, self._library, fault))

    def _held(self, folder: Path, first: int, report: Report) -> tuple[Snapshot, list[Snapshot]]:
        """What the project holds, and what it may hold: the work up to any step from the last saved on."""
        with Project.open(folder) as project:
            assert not project.read_only
            project.refresh()
            class_id = project.ensure_class("cell").id
            held = snapshot(project)
        assert quick_check(project.database) == "ok"
        memory = Memory(_IMAGES, class_id)
        least = max(first, report.saved + 1)
        for number in range(least):
            memory.do(plan(number, _IMAGES, FAULTY_KINDS))
        moments = [memory.snapshot()]
        for number in range(least, report.begun + 1):
            memory.do(plan(number, _IMAGES, FAULTY_KINDS))
            moments.append(memory.snapshot())
        return held, moments

    def _make(self, name: str) -> Scene:
        folder, network = self._place / name, name.endswith("network")
        if name == "new":
            make_pictures(folder, _IMAGES)
            return Scene(folder, 0, network)
        make_folder(folder, _IMAGES)
        first = 6
        assert self._work(folder, 0, first, network=network).status == 0
        if name == "damaged":
            _back_up_and_damage(folder)
        elif name.startswith("unclean"):
            first = self._leave_a_journal(folder, first, network=network)
        return Scene(folder, first, network)

    def _leave_a_journal(self, folder: Path, first: int, *, network: bool) -> int:
        """Kill a writer within a write so that it leaves a log or a journal; the steps that are done then."""
        for at in range(30, 200):
            trial, copy = folder.with_name("left"), folder.with_name("copy")
            shutil.copytree(folder, trial)
            report = self._work(trial, first, 20, network=network, fault=(at, 4))
            left = [trial / ".maskwright" / f"project.db-{end}" for end in ("wal", "journal")]
            if report.status == -9 and any(path.exists() and path.stat().st_size > 4096 for path in left):
                shutil.copytree(trial, copy)
                held, moments = self._held(copy, first, report)
                shutil.rmtree(folder)
                trial.rename(folder)
                shutil.rmtree(copy)
                return max(first, report.saved + 1) + moments.index(held)
            shutil.rmtree(trial)
        raise AssertionError("no kill left a journal")


def _back_up_and_damage(folder: Path) -> None:
    database = folder / ".maskwright" / "project.db"
    (database.parent / "backups").mkdir(exist_ok=True)
    shutil.copyfile(database, database.parent / "backups" / "project-99990101-000000.db")
    database.write_bytes(b"damaged" * 3000)


@pytest.fixture(scope="module")
def trials() -> Iterator[Trials]:
    """The program with the fault library, compiled here."""
    # In memory where there is such a place: the faults come from the library, not from the disk.
    memory = Path("/dev/shm")
    with tempfile.TemporaryDirectory(dir=memory if memory.is_dir() else None) as place:
        library, source = Path(place) / "faults.so", Path(__file__).parents[2] / "faults" / "faults.c"
        subprocess.run(["gcc", "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl"], check=True)
        with Program({"LD_PRELOAD": str(library)}) as program:
            yield Trials(program, library, Path(place))


def run_all(trials: Trials, scene: str, kind: str, most: int) -> None:
    """A trial for each change of a file in a run of the scene, or for `most` of them evenly spread."""
    changes = trials.changes(scene)
    assert changes > 40, "a fault needs something to meet"
    every = max(1, changes // most)
    refusals: list[str] = []
    for at in range(1 + _KINDS[kind] % every, changes + 1, every):
        refusals += trials.run(scene, (at, _KINDS[kind])).refusals
    if not kind.startswith("killed"):
        assert refusals, "faults must be noticed"
        assert all(any(word in text for word in ("disk", "cannot be", "damaged")) for text in refusals), (
            refusals
        )


@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("scene", _SCENES)
def test_that_a_fault_loses_no_saved_edit(trials: Trials, scene: str, kind: str) -> None:
    run_all(trials, scene, kind, most=4)


@pytest.mark.slow
@pytest.mark.timeout(3600)
@pytest.mark.parametrize("kind", _KINDS)
@pytest.mark.parametrize("scene", _SCENES)
def test_that_no_fault_at_all_loses_a_saved_edit(trials: Trials, scene: str, kind: str) -> None:
    run_all(trials, scene, kind, most=1_000_000)
