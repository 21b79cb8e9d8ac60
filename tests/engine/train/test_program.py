"""The training program as a process: its streams, its signals, its exit codes; and once the whole of it.

All but the last have the work itself played by a few lines, so that they need neither torch nor time.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from engine.formats.coco import write_coco
from engine.models.store import ModelStore
from engine.train.events import Failed, Noted, Saved, Stepped, Stopped, Trained, TrainEvent, from_line
from engine.train.order import TrainOrder
from engine.train.process import TrainingProcess
from engine.train.restart import read_restart
from tests.engine.train.toy import toy_set

ROOT = Path(__file__).resolve().parents[3]
ORDER = TrainOrder(Path("data"))

HEAD = """
import os, sys, time, types
from engine import applog
from engine.errors import DataError
from engine.train.events import Noted, Saved, Stopped
from engine.train.program import main
applog.log_file = lambda: __import__("pathlib").Path(os.environ["LOG"])
"""
TAIL = """
sys.modules["engine.train.work"] = types.SimpleNamespace(carry_out=work)
sys.exit(main())
"""
UNTIL_STOPPED = """
def work(order, send, stop):
    send(Noted("at work"))
    stopped = stop.wait(60)
    return Stopped(5 if stopped else None)
"""


@pytest.fixture
def order_file(tmp_path: Path) -> Path:
    file = tmp_path / "order.json"
    file.write_text(ORDER.to_json(), encoding="utf-8")
    return file


@contextmanager
def program(
    work: str, tmp_path: Path, *arguments: object, **environment: str
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-c", HEAD + work + TAIL, *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
        env={**os.environ, "LOG": str(tmp_path / "log"), **environment},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            assert stream is not None
            with suppress(BrokenPipeError):
                stream.close()


def next_event(process: subprocess.Popen[str]) -> TrainEvent:
    assert process.stdout is not None
    return from_line(process.stdout.readline())


def tell(process: subprocess.Popen[str], line: str) -> None:
    assert process.stdin is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()


def rest(process: subprocess.Popen[str], *, close: bool = True) -> tuple[list[TrainEvent], int]:
    """The events that are left, and the exit code."""
    assert process.stdin is not None
    assert process.stdout is not None
    if close:
        process.stdin.close()
    events = [from_line(line) for line in process.stdout]
    return events, process.wait(60)


def test_that_only_events_come_out_on_standard_output(tmp_path: Path, order_file: Path) -> None:
    noisy = """
def work(order, send, stop):
    print("a print")
    os.write(1, b"a library\\n")
    os.system("echo a child")
    send(Noted(str(order.data)))
    return Stopped(None)
"""
    with program(noisy, tmp_path, order_file) as process:
        out, errors = process.communicate()
    assert [from_line(line) for line in out.splitlines()] == [Noted("data"), Stopped(None)]
    assert all(said in errors for said in ("a print", "a library", "a child"))
    assert process.returncode == 130


@pytest.mark.parametrize(
    ("body", "code", "told"),
    [
        ("raise DataError('It is empty.')", 1, "It is empty."),
        ("raise MemoryError", 1, "The memory does not suffice"),
        ("raise RuntimeError('DefaultCPUAllocator: can\\'t allocate memory')", 1, "smaller image side"),
        ("raise ZeroDivisionError('by zero')", 70, "should not (ZeroDivisionError: by zero)"),
    ],
)
def test_that_a_failure_is_an_event_with_a_sentence(
    tmp_path: Path, order_file: Path, body: str, code: int, told: str
) -> None:
    with program(f"def work(order, send, stop):\n    {body}\n", tmp_path, order_file) as process:
        events, given = rest(process)
    (ending,) = events
    assert isinstance(ending, Failed)
    assert told in ending.message
    assert (given, ending.fault) == (code, code == 70)


def test_that_a_wrong_order_is_an_event_too(tmp_path: Path) -> None:
    with program(UNTIL_STOPPED, tmp_path) as process:
        tell(process, '{"data": "x", "seed": "y"}')
        events, code = rest(process)
    assert events == [Failed("The training order is wrong: 'seed' must be a whole number.")]
    assert code == 1
    with program(UNTIL_STOPPED, tmp_path, tmp_path / "none.json") as process:
        ((ending,), code) = rest(process)
    assert isinstance(ending, Failed)
    assert "cannot be read" in ending.message


def test_that_the_order_on_standard_input_is_followed_by_commands(tmp_path: Path) -> None:
    with program(UNTIL_STOPPED, tmp_path) as process:
        tell(process, ORDER.to_json())
        assert next_event(process) == Noted("at work")
        tell(process, "hurry up")  # no command: it is passed over
        tell(process, '{"command": "stop"}')
        assert rest(process, close=False) == ([Stopped(5)], 130)


def test_that_the_end_of_standard_input_stops_for_the_parent_is_dead(tmp_path: Path) -> None:
    with program(UNTIL_STOPPED, tmp_path) as process:
        tell(process, ORDER.to_json())
        assert next_event(process) == Noted("at work")
        assert rest(process) == ([Stopped(5)], 130)


def test_that_a_reader_that_is_gone_stops_the_training(tmp_path: Path, order_file: Path) -> None:
    talking = """
def work(order, send, stop):
    send(Noted("at work"))
    while not stop.wait(0.05):
        send(Noted("more"))
    open(os.environ["LOG"], "w").write("stopped")
"""
    with program(talking, tmp_path, order_file) as process:
        next_event(process)
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(60) == 0
    assert (tmp_path / "log").read_text(encoding="utf-8") == "stopped"


def test_that_by_hand_closed_input_stops_nothing_unless_commands_are_asked_for(
    tmp_path: Path, order_file: Path
) -> None:
    patient = UNTIL_STOPPED.replace("stop.wait(60)", "stop.wait(1)")
    with program(patient, tmp_path, order_file) as process:
        assert rest(process)[0] == [Noted("at work"), Stopped(None)]
    with program(UNTIL_STOPPED, tmp_path, order_file, "--commands") as process:
        assert rest(process)[0] == [Noted("at work"), Stopped(5)]


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")
def test_that_a_terminals_ctrl_c_leaves_it_to_the_parent_and_by_hand_stops(
    tmp_path: Path, order_file: Path
) -> None:
    with program(UNTIL_STOPPED.replace("60", "1"), tmp_path) as process:
        tell(process, ORDER.to_json())
        next_event(process)
        process.send_signal(signal.SIGINT)
        assert rest(process, close=False) == ([Stopped(None)], 130)
    for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        with program(UNTIL_STOPPED, tmp_path, order_file) as process:
            next_event(process)
            process.send_signal(one)
            assert rest(process) == ([Stopped(5)], 130)


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no signals to send")
def test_that_a_second_ctrl_c_by_hand_stops_at_once(tmp_path: Path, order_file: Path) -> None:
    stubborn = """
def work(order, send, stop):
    send(Saved(4))
    stop.wait(60)
    send(Noted("one more step"))
    time.sleep(60)
"""
    with program(stubborn, tmp_path, order_file) as process:
        assert next_event(process) == Saved(4)
        process.send_signal(signal.SIGINT)
        assert next_event(process) == Noted("one more step")
        process.send_signal(signal.SIGINT)
        assert rest(process) == ([Stopped(4)], 130)


def test_that_of_a_team_only_the_first_speaks_and_all_need_a_file(tmp_path: Path, order_file: Path) -> None:
    wrong = "def work(order, send, stop):\n    send(Noted('x'))\n    raise DataError('It is empty.')\n"
    team = {"WORLD_SIZE": "2", "LOCAL_RANK": "1"}
    with program(wrong, tmp_path, order_file, RANK="1", **team) as process:
        out, errors = process.communicate()
    assert (out, errors, process.returncode) == ("", "error: It is empty.\n", 1)
    with program(wrong, tmp_path, RANK="0", **team) as process:
        ((ending,), _) = rest(process)
    assert isinstance(ending, Failed)
    assert "must be in a file" in ending.message


def test_that_the_bundles_hidden_command_is_the_same_program(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "main.py", "train-process", str(tmp_path / "none.json"), "--commands"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "cannot be read" in json.loads(done.stdout)["message"]


def weights(models: Path) -> dict[str, bytes]:
    store = ModelStore(models)
    return {name: store.resolve(name).path.read_bytes() for name in ("toy", "toy-last")}


@pytest.mark.slow
@pytest.mark.timeout(1200)
def test_that_a_training_stopped_and_killed_goes_on_in_another_process_bit_for_bit(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_coco(tmp_path / "toy.json", toy_set(tmp_path, 5))
    order = TrainOrder(
        tmp_path / "toy.json", base="maskrcnn_resnet18_slim_fpn", name="toy", device="cpu", side=96,
        held_out=0.2, iterations=10, window=True, recipe={"batch": 2},
    )  # fmt: skip
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(tmp_path / "whole"))
    with TrainingProcess(order) as training:
        assert isinstance(list(training.events())[-1], Trained)

    monkeypatch.setenv("MASKWRIGHT_MODELS", str(tmp_path / "broken"))
    file = tmp_path / "broken" / "training" / "toy.restart"
    with TrainingProcess(order) as training:
        for event in training.events():
            if isinstance(event, Stepped) and event.step == 1:
                training.stop()
    assert isinstance(event, Stopped)
    assert read_restart(file).standing.step == event.step
    again = replace(order, resume=True)
    with TrainingProcess(again) as training:
        for event in training.events():
            if isinstance(event, Stepped):
                training.kill()  # what it did is lost, what the file holds is not
    assert isinstance(event, Stopped)
    assert read_restart(file).standing.step == event.step
    with TrainingProcess(again) as training:
        assert isinstance(list(training.events())[-1], Trained)
    assert weights(tmp_path / "broken") == weights(tmp_path / "whole")
