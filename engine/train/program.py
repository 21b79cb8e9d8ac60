"""The training program: an order in, a line of JSON out for each event, and nothing else on standard output.

    python -m engine.train ORDER.json        by hand; Ctrl+C stops after the step
    python -m engine.train                   the order is the first line of standard input, commands follow
    torchrun --nproc-per-node 2 -m engine.train ORDER.json      on several GPUs

The commands are {"command": "stop"}: stop after the step, leave a restart file, exit with 130; and likewise
"pause" and "continue", which hold it between two steps. Whoever gives the order on standard input must keep
it open: its end means that the parent has died, and stops the training. With an order file standard input is
read only with --commands.

Exit codes: 0 trained, 1 a failure told in one sentence, 70 a fault of Maskwright itself, 130 stopped.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from types import FrameType

from engine import applog
from engine.errors import MaskwrightError, TrainingError
from engine.train.events import Ending, Failed, Saved, Started, Stopped, TrainEvent, to_line
from engine.train.memory import is_out_of_memory
from engine.train.order import TrainOrder
from engine.train.wishes import Wishes

_logger = logging.getLogger(__name__)


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one order and return the exit code."""
    parser = argparse.ArgumentParser(prog="python -m engine.train", description="Train as a JSON order says.")
    parser.add_argument("order", nargs="?", type=Path, help="a JSON file; without it the first line of input")
    parser.add_argument("--commands", action="store_true", help="obey standard input, and its end")
    given = parser.parse_args(arguments)
    has_parent = given.order is None or given.commands
    stop = Wishes()
    _heed_signals(stop, has_parent=has_parent)
    wire, lines = _Wire(stop), _input_lines()
    ending: Ending | None
    try:
        order = TrainOrder.from_json(_order_text(given.order, lines))
        if has_parent and _is_first():
            threading.Thread(target=_obey, args=(lines, stop), name="commands", daemon=True).start()
        from engine.train.work import carry_out  # torch comes with it

        ending = carry_out(order, wire.send, stop)
    except KeyboardInterrupt:
        ending = Stopped(wire.resumable)
    except Exception as error:  # noqa: BLE001 - the edge of the process: it ends in a sentence
        ending = _failed(error)
    if ending is not None:
        wire.send(ending)
    return _exit_code(ending)


class _Wire:
    """The stream that events go to: what was standard output, which from now on is standard error.

    Whatever else is printed, by libraries too, must not come between the lines.
    """

    def __init__(self, stop: threading.Event) -> None:
        self._lines = os.fdopen(os.dup(1), "w", encoding="ascii", newline="\n")
        os.dup2(2, 1)
        self._stop = stop
        self.resumable: int | None = None

    def send(self, event: TrainEvent) -> None:
        """Write an event, as the first process of a team. A reader that is gone stops the training."""
        if isinstance(event, Saved) or (isinstance(event, Started) and event.step):
            self.resumable = event.step
        if not _is_first():
            if isinstance(event, Failed):
                print(f"error: {event.message}", file=sys.stderr)
            return
        try:
            self._lines.write(to_line(event) + "\n")
            self._lines.flush()
        except OSError:
            self._stop.set()


def _is_first() -> bool:
    """Whether this is the only process or torchrun's first: the one that speaks and is spoken to."""
    return "LOCAL_RANK" not in os.environ or os.environ.get("RANK") == "0"


def _heed_signals(stop: threading.Event, *, has_parent: bool) -> None:
    """Ctrl+C, a request to end and a closed terminal stop after the step, a second Ctrl+C at once.

    A terminal sends Ctrl+C to the parent too, which then asks by a command.
    """

    def note(number: int, _frame: FrameType | None) -> None:
        if stop.is_set() and number == signal.SIGINT:
            raise KeyboardInterrupt
        stop.set()

    signal.signal(signal.SIGINT, signal.SIG_IGN if has_parent else note)
    signal.signal(signal.SIGTERM, note)
    if sys.platform != "win32" and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # as nohup sets it
        signal.signal(signal.SIGHUP, note)


def _order_text(file: Path | None, lines: Iterator[bytes]) -> str:
    if file is None:
        if "LOCAL_RANK" in os.environ:
            raise TrainingError("Under torchrun the order must be in a file: every process reads it.")
        return next(lines, b"").decode("utf-8", "replace")
    try:
        return file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as e:
        raise TrainingError(f"The training order {file} cannot be read: {e}.") from e


def _input_lines() -> Iterator[bytes]:
    """The lines of standard input, past Python's buffer: a thread that waits in it would block the exit."""
    rest = b""
    with suppress(OSError):
        while part := os.read(0, 65536):
            *lines, rest = (rest + part).split(b"\n")
            yield from lines
    if rest:
        yield rest


def _obey(lines: Iterator[bytes], stop: Wishes) -> None:
    """Do as the commands say; stop when whoever could give them is gone."""
    for line in lines:
        command = None
        with suppress(ValueError):
            command = json.loads(line)
        match command:
            case {"command": "stop"}:
                break
            case {"command": "pause"}:
                stop.pause()
            case {"command": "continue"}:
                stop.go_on()
            case _:
                _logger.warning("not a command: %.200r", line)
    stop.set()


def _failed(error: Exception) -> Failed:
    if isinstance(error, MaskwrightError):
        return Failed(str(error))
    if is_out_of_memory(error):
        _logger.error("out of memory", exc_info=error)
        return Failed(
            "The memory does not suffice for this training: close other programs, or choose a smaller image "
            "side."
        )
    return Failed(applog.record_fault(error), fault=True)


def _exit_code(ending: Ending | None) -> int:
    match ending:
        case Stopped():
            return 130
        case Failed(fault=fault):
            return 70 if fault else 1
        case _:
            return 0
