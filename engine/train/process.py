"""Training in a process of its own, seen from the program that starts it: an order in, events out, stop.

What happens there cannot take this process along. Needs no torch. The other side is
`engine.train.program`.
"""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import TracebackType

from engine import applog
from engine.errors import MaskwrightError, TrainingError
from engine.train.events import (
    Ending,
    Failed,
    Saved,
    Started,
    Stopped,
    TrainEvent,
    from_line,
)
from engine.train.order import TrainOrder

GRACE_SECONDS = 60.0
"""A step on a slow machine and its restart file fit into this."""

SECONDS_TO_EXIT = 30.0
LINES_KEPT = 50

_ROOT = Path(__file__).resolve().parents[2]
_logger = logging.getLogger(__name__)


class TrainingProcess:
    """A training that runs elsewhere. Every one gives exactly one ending, its last event, after it has ended.

    listener: called with each event on a thread of this object's own, and must return at once; without one
    the events wait for `events`. Use it as a context manager: what still runs at the end of the block is
    killed. Raises TrainingError where no process can be started.
    """

    def __init__(self, order: TrainOrder, listener: Callable[[TrainEvent], None] | None = None) -> None:
        self._waiting: queue.SimpleQueue[TrainEvent] = queue.SimpleQueue()
        self._emit = listener or self._waiting.put
        self._asked = self._killed = False
        self._resumable: int | None = None
        self._last_lines: deque[str] = deque(maxlen=LINES_KEPT)
        self._ended = threading.Event()
        self._process = _spawn()
        self._errors = threading.Thread(target=self._read_errors, name="training-errors", daemon=True)
        self._reader = threading.Thread(target=self._read, name="training-events", daemon=True)
        self._send(order.to_json())
        self._errors.start()
        self._reader.start()

    @property
    def pid(self) -> int:
        """The process's number in the system."""
        return self._process.pid

    def events(self) -> Iterator[TrainEvent]:
        """The events as they come, the ending last. For a process without a listener, once."""
        while True:
            try:
                # A timeout, because a wait without one cannot be interrupted on Windows.
                event = self._waiting.get(timeout=0.2)
            except queue.Empty:
                continue
            yield event
            if isinstance(event, Ending):
                return

    def stop(self, grace: float | None = GRACE_SECONDS) -> None:
        """Ask it to stop after its step and leave a restart file; kill it after `grace` seconds, if given."""
        if self._asked:
            return
        self._asked = True
        self._send(json.dumps({"command": "stop"}))
        if grace is not None:
            threading.Thread(
                target=self._kill_after, args=(grace,), name="training-grace", daemon=True
            ).start()

    def pause(self) -> None:
        """Ask it to hold after its step; it says Paused."""
        self._send(json.dumps({"command": "pause"}))

    def go_on(self) -> None:
        """Ask it to go on after a pause; it says Resumed."""
        self._send(json.dumps({"command": "continue"}))

    def _kill_after(self, grace: float) -> None:
        if not self._ended.wait(grace):
            self.kill()

    def kill(self) -> None:
        """End it now. It can go on from its last restart file, if it has written one."""
        self._killed = True
        self._process.kill()

    def wait(self, timeout: float | None = None) -> bool:
        """Wait until the ending was given; False if that took longer than `timeout` seconds."""
        self._reader.join(timeout)
        return not self._reader.is_alive()

    def __enter__(self) -> TrainingProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._reader.is_alive():
            self.kill()
        self.wait()

    def _send(self, line: str) -> None:
        assert self._process.stdin is not None
        with suppress(OSError, ValueError):  # it has ended, which the reader notices
            self._process.stdin.write(line.encode("ascii") + b"\n")
            self._process.stdin.flush()

    def _read(self) -> None:
        ending = self._read_events()
        code = self._exit_code()
        self._ended.set()
        self._errors.join()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            assert stream is not None
            with suppress(OSError):  # what was never sent
                stream.close()
        self._emit(ending or self._ending_of(code))

    def _read_events(self) -> Ending | None:
        """Pass the events on; returns the ending, or None where the stream ends without one."""
        assert self._process.stdout is not None
        for line in self._process.stdout:
            try:
                event = from_line(line)
            except ValueError:
                _logger.warning("the training process said something else than an event: %.200r", line)
                continue
            except MaskwrightError as error:  # the version it saved is gone again
                return Failed(str(error))
            if isinstance(event, Ending):
                return event
            if isinstance(event, Saved) or (isinstance(event, Started) and event.step):
                self._resumable = event.step
            self._emit(event)
        return None

    def _read_errors(self) -> None:
        assert self._process.stderr is not None
        for line in self._process.stderr:
            self._last_lines.append(line.decode("utf-8", "replace").rstrip())
            _logger.debug("training: %s", self._last_lines[-1])

    def _exit_code(self) -> int:
        try:
            return self._process.wait(SECONDS_TO_EXIT)
        except subprocess.TimeoutExpired:  # it has said its last word, or closed the stream: it hangs
            self._process.kill()
            return self._process.wait()

    def _ending_of(self, code: int) -> Ending:
        """What became of a process that did not say it itself."""
        if self._killed or (self._asked and code == -signal.SIGINT):
            return Stopped(self._resumable)
        _logger.error(
            "the training process ended with %d; its last lines:\n%s", code, "\n".join(self._last_lines)
        )
        on = f" Its last restart file goes on after step {self._resumable}." if self._resumable else ""
        if code == -9:  # SIGKILL, which is how Linux and macOS make room
            return Failed(
                "The system ended the training, most likely because memory ran out: close other programs, or "
                f"choose a smaller image side.{on}"
            )
        return Failed(
            f"The training process ended unexpectedly (exit code {code}): its last lines are in "
            f"{applog.log_file()}; start it again.{on}"
        )


def command() -> list[str]:
    """How the training program is started: from a checkout, or as a hidden command of the bundle."""
    if getattr(sys, "frozen", False):
        return [sys.executable, "train-process"]
    # -P: a folder called `engine` where the person happens to be must not be taken for ours.
    return [sys.executable, "-P", "-m", "engine.train"]


def _spawn() -> subprocess.Popen[bytes]:
    flags = 0
    if sys.platform == "win32":
        # No console window, and no Ctrl+C from ours.
        flags = subprocess.CREATE_NO_WINDOW | subprocess.CREATE_NEW_PROCESS_GROUP
    # A crash in native code leaves its stack on the error stream.
    path = os.pathsep.join(part for part in (str(_ROOT), os.environ.get("PYTHONPATH", "")) if part)
    try:
        return subprocess.Popen(
            command(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "PYTHONFAULTHANDLER": "1"},
            creationflags=flags,
        )
    except OSError as e:
        raise TrainingError(
            f"The training process cannot be started ({e.strerror or e}): close other programs and try again."
        ) from e
