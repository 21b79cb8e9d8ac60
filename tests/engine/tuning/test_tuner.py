"""A fine-tuning as the session sees it, whatever becomes of its process: one ending, the old model active.

The other side is played by a few lines of Python, so that no test waits for torch; test_whole.py has the
real one.
"""

from __future__ import annotations

import json
import queue
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from engine.messages import (
    Accept,
    Canceled,
    Decision,
    Described,
    Event,
    Failed,
    FineTune,
    Finished,
    Judged,
    Paused,
    Preparing,
    Resumed,
    Saved,
    TuningNews,
    Verdict,
)
from engine.models.store import ModelStore
from engine.project import Project
from engine.train import process
from engine.train.events import Noted, Started, Stepped, Stopped, to_line
from engine.tuning import pace
from engine.tuning.stopped import stopped_run
from engine.tuning.tuner import Tuner
from tests.engine.tuning.making import reviewed_project, until_end
from tests.engine.tuning.test_planning import a_model

ORDER = 7
Play = Callable[[str], None]

HEAD = """
import json, os, signal, sys, time
order = json.loads(sys.stdin.readline())
def say(line): print(line, flush=True)
def restart():
    folder = os.path.join(os.environ["MASKWRIGHT_MODELS"], "training")
    os.makedirs(folder, exist_ok=True)
    open(os.path.join(folder, order["name"] + ".restart"), "wb").close()
"""


def said(event: object) -> str:
    return f"say({to_line(event)!r})\n"  # type: ignore[arg-type]


SAVED = "restart()\n" + said(Saved(7))
STOPPED = said(Stopped(8)) + "sys.exit(130)\n"
WAIT = "time.sleep(60)\n"


def trained(verdict: Verdict | None) -> str:
    """Its last words: the verdict, and a version that lies in the store already."""
    version = "os.path.join(os.environ['MASKWRIGHT_MODELS'], 'discs-1.safetensors')"
    ending = (
        f"say(json.dumps({{'event': 'trained', 'best': {version}, 'last': {version}, 'steps': 9, "
        "'seconds': 1.0, 'metrics': {}}))\n"
    )
    return (said(Judged(verdict)) if verdict else "") + ending


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    def prepare(script: str) -> None:
        monkeypatch.setattr(process, "command", lambda: [sys.executable, "-c", HEAD + script])

    return prepare


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A reviewed project that works with `old`; the version that a training would make is there as well."""
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(tmp_path / "models"))
    for name in ("base", "old"):
        a_model(tmp_path / "models", name)
    made = reviewed_project(tmp_path / "discs", 5)
    with Project.open(made) as project:
        project.activate_model("old")
    return made


@pytest.fixture
def store(folder: Path, tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", bundled=tmp_path / "none")


def verdict(decision: Decision) -> Verdict:
    return Verdict(decision, Accept.BETTER, "discs-1", "old")


@contextmanager
def tuning(folder: Path, **changes: object) -> Iterator[tuple[Tuner, Iterator[TuningNews | Event]]]:
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    tuner = Tuner(events.put, Project.open)
    tuner.submit(ORDER, FineTune(folder, base="base", **changes))  # type: ignore[arg-type]
    try:
        yield tuner, until_end(events, 60)
    finally:
        tuner.kill(ORDER)
        tuner.close(10)


def heard(folder: Path, **changes: object) -> list[TuningNews | Event]:
    with tuning(folder, **changes) as (_, events):
        return list(events)


def active(folder: Path) -> str:
    with Project.open(folder, read_only=True) as project:
        return project.active_model().name


def until(events: Iterator[TuningNews | Event], kind: type) -> list[TuningNews | Event]:
    seen = []
    for event in events:
        seen.append(event)
        if isinstance(event, kind):
            return seen
    raise AssertionError(f"no {kind.__name__} in {seen}")


def test_that_a_better_version_becomes_active_and_the_old_one_is_a_step_back(
    folder: Path, store: ModelStore, play: Play
) -> None:
    play(said(Noted("at work")) + trained(verdict(Decision.ACTIVATED)))
    a_model(store.root, "discs-1", base="base")
    events = heard(folder, name="discs-1")
    ending = events[-1]
    assert isinstance(ending, Finished)
    assert (ending.order, ending.summary["version"], ending.summary["decision"]) == (
        ORDER, "discs-1", "activated",
    )  # fmt: skip
    kinds = [type(event) for event in events]
    assert kinds.index(Preparing) < kinds.index(Described) < kinds.index(Noted) < kinds.index(Judged)
    with Project.open(folder) as project:
        assert (project.active_model().name, project.active_model().previous) == ("discs-1", "old")
        assert len(project.held_out()) == 5
    assert list((store.root / "training").glob("*")) == []


@pytest.mark.parametrize("decision", [Decision.KEPT, Decision.REFUSED])
def test_that_a_version_that_is_not_better_leaves_the_old_one_active(
    folder: Path, store: ModelStore, play: Play, decision: Decision
) -> None:
    play(trained(verdict(decision)))
    a_model(store.root, "discs-1", base="base")
    ending = heard(folder, name="discs-1")[-1]
    assert isinstance(ending, Finished)
    assert ending.summary["decision"] == decision.value
    assert active(folder) == "old"


def test_that_a_version_without_a_verdict_is_never_active(
    folder: Path, store: ModelStore, play: Play
) -> None:
    play(trained(None))
    a_model(store.root, "discs-1", base="base")
    assert heard(folder, name="discs-1")[-1] == Canceled(ORDER)
    assert active(folder) == "old"


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
@pytest.mark.parametrize(
    ("script", "told"),
    [
        (SAVED + "os.kill(os.getpid(), signal.SIGKILL)\n", "goes on after step 7"),
        (SAVED + "os.abort()\n", "goes on after step 7"),
        ("raise RuntimeError('boom')\n", "ended unexpectedly"),
        ("", "ended unexpectedly"),
        ("print('no event', flush=True)\n" + trained(None).replace("discs-1", "gone"), "no model"),
    ],
)
def test_that_a_process_that_dies_is_one_failure_and_the_old_model_stays(
    folder: Path, play: Play, script: str, told: str
) -> None:
    play(script)
    ending = heard(folder)[-1]
    assert isinstance(ending, Failed)
    assert told in ending.message
    assert "\n" not in ending.message
    assert active(folder) == "old"


def test_that_what_was_saved_before_a_death_can_go_on(folder: Path, store: ModelStore, play: Play) -> None:
    play(SAVED + "os.abort()\n")
    assert isinstance(heard(folder, seed=3)[-1], Failed)
    stopped = stopped_run(store.root, folder)
    assert stopped is not None
    assert (stopped.step, stopped.order.seed) == (7, 3)
    play("say(json.dumps({'event': 'noted', 'text': f\"{order['resume']} {order['seed']}\"}))\n" + STOPPED)
    events = heard(folder, resume=True)
    assert Noted("True 3") in events
    assert Described not in {type(event) for event in events}


def test_that_cancel_ends_it_within_two_seconds_also_where_nobody_listens(
    folder: Path, store: ModelStore, play: Play
) -> None:
    play(SAVED + said(Noted("deaf")) + WAIT)
    with tuning(folder) as (tuner, events):
        until(events, Noted)
        begun = time.monotonic()
        tuner.cancel(ORDER)
        assert list(events)[-1] == Canceled(ORDER)
        assert time.monotonic() - begun < 2.5  # the two seconds, and a loaded machine's thread
    assert active(folder) == "old"
    stopped = stopped_run(store.root, folder)
    assert stopped is not None
    assert stopped.step == 7


def test_that_a_stop_that_is_heard_keeps_the_step_it_was_at(
    folder: Path, store: ModelStore, play: Play
) -> None:
    play(said(Noted("at work")) + "sys.stdin.readline(); restart()\n" + STOPPED)
    with tuning(folder) as (tuner, events):
        until(events, Noted)
        tuner.cancel(ORDER)
        assert list(events) == [Saved(8), Canceled(ORDER)]
    stopped = stopped_run(store.root, folder)
    assert stopped is not None
    assert stopped.step == 8


@pytest.mark.parametrize("leaves", [True, False])
def test_that_a_project_that_is_left_waits_for_its_restart_file_and_a_cancel_does_not(
    folder: Path, store: ModelStore, play: Play, leaves: bool
) -> None:
    play(said(Noted("at work")) + "sys.stdin.readline(); time.sleep(0.4); restart()\n" + STOPPED)
    with tuning(folder) as (tuner, events):
        tuner._seconds_to_cancel = 0.05
        until(events, Noted)
        (tuner.leave if leaves else tuner.cancel)(ORDER)
        assert list(events)[-1] == Canceled(ORDER)
    assert (stopped_run(store.root, folder) is not None) is leaves


def test_that_it_pauses_and_goes_on(folder: Path, play: Play) -> None:
    obey = (
        "line = json.loads(sys.stdin.readline())['command']\n"
        f"assert line == 'pause', line\n{said(Paused(3))}"
        "line = json.loads(sys.stdin.readline())['command']\n"
        f"assert line == 'continue', line\n{said(Resumed(3))}"
    )
    play(said(Noted("at work")) + obey + STOPPED)
    with tuning(folder) as (tuner, events):
        until(events, Noted)
        tuner.pause(ORDER + 1)  # somebody else's
        tuner.pause(ORDER)
        assert until(events, Paused) == [Paused(3)]
        tuner.go_on(ORDER)
        assert next(events) == Resumed(3)


def test_that_a_closed_window_leaves_a_restart_file_and_no_thread(
    folder: Path, store: ModelStore, play: Play
) -> None:
    before = threading.active_count()
    play(said(Noted("at work")) + "sys.stdin.readline(); time.sleep(0.2); restart()\n" + STOPPED)
    with tuning(folder) as (tuner, events):
        until(events, Noted)
        tuner.close(30)
        assert list(events)[-1] == Canceled(ORDER)
        with pytest.raises(RuntimeError, match="closed"):
            tuner.submit(ORDER + 1, FineTune(folder))
    assert active(folder) == "old"
    assert stopped_run(store.root, folder) is not None
    assert threading.active_count() == before


def test_that_a_second_one_waits_its_turn_by_being_told_so(folder: Path, play: Play) -> None:
    play(said(Noted("at work")) + "sys.stdin.readline()\n" + STOPPED)
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    tuner = Tuner(events.put, Project.open)
    tuner.submit(1, FineTune(folder, base="base"))
    tuner.submit(2, FineTune(folder, base="base"))
    endings = list[int]()
    while len(endings) < 2:
        event = events.get(timeout=60)
        if isinstance(event, Failed):
            assert (event.order, "running already" in event.message) == (2, True)
            tuner.cancel(1)
        if isinstance(event, (Failed, Canceled)):
            endings.append(event.order)
    assert endings == [2, 1]
    tuner.close(10)


def test_that_a_project_that_cannot_be_written_is_told(folder: Path, play: Play) -> None:
    play(STOPPED)
    with Project.open(folder):  # another window has it
        ending = heard(folder)[-1]
    assert isinstance(ending, Failed)
    assert "open read-only" in ending.message


def test_that_a_full_disk_before_the_start_is_told(
    folder: Path, play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    play(STOPPED)
    write = Path.write_text

    def full(self: Path, *arguments: str, **named: str) -> int:
        if ".tune" in self.name:
            raise OSError(28, "No space left on device")
        return write(self, *arguments, **named)

    monkeypatch.setattr(Path, "write_text", full)
    ending = heard(folder)[-1]
    assert isinstance(ending, Failed)
    assert "No space left on device" in ending.message
    assert active(folder) == "old"


def test_that_the_pace_is_remembered(folder: Path, store: ModelStore, play: Play) -> None:
    started = Started("cpu", 4, 8, 0, 320, 16, 0, 9, 2, None, "maskrcnn_resnet18_slim_fpn")
    step = Stepped(2, 0.2, 1.0, {}, 0.1, 5.0, False, 3.0, 9.0)
    play(said(started) + said(step) + STOPPED)
    heard(folder)
    known = pace.expected(store.root, device="cpu", architecture="maskrcnn_resnet18_slim_fpn", side=320)
    assert known.measured
    assert known.seconds_a_picture == pytest.approx(1.5)
    assert json.loads((store.root / "pace.json").read_text(encoding="utf-8"))
