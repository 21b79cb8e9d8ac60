"""The training process as its parent sees it: events, a wish to stop, exactly one ending whatever happens.

The other side is played by a few lines of Python; test_program.py has the real one.
"""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.errors import TrainingError
from engine.train import process
from engine.train.events import Failed, Noted, Saved, Stopped, TrainEvent, to_line
from engine.train.order import TrainOrder
from engine.train.process import TrainingProcess

ORDER = TrainOrder(Path("data"))
Play = Callable[[str], None]

SAID = f"print({to_line(Noted('hello'))!r}, flush=True)\n"
SAVED = f"print({to_line(Saved(7))!r}, flush=True)\n"
STOPPED = f"print({to_line(Stopped(3))!r}, flush=True); sys.exit(130)\n"
WAIT = "time.sleep(60)\n"


@pytest.fixture
def play(monkeypatch: pytest.MonkeyPatch) -> Play:
    """Has the next process run these lines in place of the training program; the order is `order`."""

    def prepare(script: str) -> None:
        head = "import os, signal, sys, time\norder = sys.stdin.readline()\n"
        monkeypatch.setattr(process, "command", lambda: [sys.executable, "-c", head + script])

    return prepare


def heard(training: TrainingProcess) -> list[TrainEvent]:
    with training:
        return list(training.events())


def test_that_the_order_goes_in_and_the_events_come_out(play: Play) -> None:
    play("import json\nprint(json.dumps({'event': 'noted', 'text': json.loads(order)['data']}))\n" + STOPPED)
    assert heard(TrainingProcess(ORDER)) == [Noted("data"), Stopped(3)]


def test_that_stop_is_a_line_on_its_input(play: Play) -> None:
    play(SAID + 'assert sys.stdin.readline() == \'{"command": "stop"}\\n\'\n' + STOPPED)
    with TrainingProcess(ORDER) as training:
        events = training.events()
        assert next(events) == Noted("hello")
        training.stop()
        training.stop()  # twice is once
        assert list(events) == [Stopped(3)]


def test_that_what_does_not_stop_in_time_is_killed(play: Play) -> None:
    play(SAVED + WAIT)
    with TrainingProcess(ORDER) as training:
        events = training.events()
        assert next(events) == Saved(7)
        begun = time.monotonic()
        training.stop(grace=0.1)
        assert list(events) == [Stopped(7)]
    assert time.monotonic() - begun < 30


def test_that_leaving_the_block_leaves_no_process_and_no_thread(play: Play) -> None:
    before = threading.active_count()
    play(SAID + WAIT)
    endings: list[TrainEvent] = []
    with TrainingProcess(ORDER, endings.append) as training:
        pass
    assert endings[-1:] == [Stopped(None)]
    assert training.wait(0)
    assert threading.active_count() == before


@pytest.mark.parametrize(
    ("script", "told"),
    [
        ("sys.exit(3)\n", "unexpectedly (exit code 3)"),
        ("os.abort()\n", "unexpectedly"),
        ("", "unexpectedly (exit code 0)"),
        (SAVED + "raise RuntimeError('boom')\n", "goes on after step 7"),
    ],
)
def test_that_a_crash_is_one_failure_with_its_last_lines_in_the_log(
    play: Play, script: str, told: str, caplog: pytest.LogCaptureFixture
) -> None:
    play("print('the last thing it said', file=sys.stderr)\n" + script)
    *_, ending = heard(TrainingProcess(ORDER))
    assert isinstance(ending, Failed)
    assert told in ending.message
    assert "the last thing it said" in caplog.text


@pytest.mark.skipif(sys.platform == "win32", reason="Windows ends no process for want of memory")
def test_that_a_process_the_system_killed_is_told_as_a_want_of_memory(play: Play) -> None:
    play(SAID + "os.kill(os.getpid(), signal.SIGKILL)\n")
    first, ending = heard(TrainingProcess(ORDER))
    assert first == Noted("hello")
    assert isinstance(ending, Failed)
    assert "memory ran out" in ending.message


@pytest.mark.skipif(sys.platform == "win32", reason="Ctrl+C does not reach a process group of its own")
def test_that_ctrl_c_before_the_program_can_ignore_it_is_a_stop(play: Play) -> None:
    play(SAID + "sys.stdin.readline(); os.kill(os.getpid(), signal.SIGINT); time.sleep(60)\n")
    with TrainingProcess(ORDER) as training:
        training.stop()
        assert list(training.events()) == [Noted("hello"), Stopped(None)]


def test_that_nothing_comes_after_the_ending_and_one_that_then_hangs_is_ended(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "SECONDS_TO_EXIT", 0.1)
    play(f"print({to_line(Stopped(3))!r}, flush=True)\n" + SAID + STOPPED.partition(";")[0] + "\n" + WAIT)
    heard_all: list[TrainEvent] = []
    training = TrainingProcess(ORDER, heard_all.append)
    assert training.wait(30)
    assert heard_all == [Stopped(3)]


def test_that_lines_that_are_no_events_are_logged_and_dropped(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    play("print('a stray line', flush=True)\n" + SAID + STOPPED)
    with caplog.at_level(logging.WARNING):
        assert heard(TrainingProcess(ORDER)) == [Noted("hello"), Stopped(3)]
    assert "a stray line" in caplog.text


def test_that_much_on_the_error_stream_blocks_nothing(play: Play) -> None:
    play("print('x' * 1_000_000, file=sys.stderr)\n" + SAID + STOPPED)
    assert heard(TrainingProcess(ORDER)) == [Noted("hello"), Stopped(3)]


def test_that_a_program_that_cannot_be_started_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "command", lambda: [str(tmp_path / "nothing")])
    with pytest.raises(TrainingError, match="cannot be started"):
        TrainingProcess(ORDER)


def test_that_the_bundle_starts_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert process.command() == [sys.executable, "train-process"]
    import main

    assert "train-process" in main.HIDDEN
    assert "train-process" not in main.COMMANDS
