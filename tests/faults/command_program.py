"""Runs command lines under a failing disk, each in a fork of its own, so that one start of torch serves many.

Each line of standard input is an Order as JSON, each line of output an Answer. The fault library of faults.c
is preloaded into this program; a fork arms it before it begins.
"""

from __future__ import annotations

import ctypes
import dataclasses
import importlib
import json
import os
import sys
import tempfile
import traceback
from dataclasses import dataclass
from pathlib import Path

import main
from engine.errors import MaskwrightError


@dataclass(frozen=True)
class Order:
    """A command line, or "module:function" with its argument; in `folder`, under a fault (faults.c)."""

    arguments: tuple[str, ...]
    library: str
    folder: str
    place: str
    at: int = 0
    kind: int = 0

    def line(self) -> str:
        """The order as its line of input."""
        return json.dumps(dataclasses.asdict(self)) + "\n"


@dataclass(frozen=True)
class Answer:
    """How it ended, what was said, and how many changes of files under the place were counted."""

    status: int
    said: str
    changes: int


def carry_out(order: Order) -> int:
    """Do one order; returns the exit code."""
    first = order.arguments[0]
    if ":" not in first:
        return main.main(order.arguments)
    module, name = first.split(":")
    act = getattr(importlib.import_module(module), name)
    try:
        act(Path(order.arguments[1]))
    except MaskwrightError as error:
        print(f"error: {error}")
        return 1
    return 0


def _be_the_fork(order: Order, said: int, counted: int) -> None:
    status = 99
    try:
        os.dup2(said, 1)
        os.dup2(said, 2)
        os.chdir(order.folder)
        library = ctypes.CDLL(order.library)
        library.fault_place(order.place.encode())
        library.fault_arm(order.at, order.kind)
        counts = Path(order.folder) / "counts"
        of_children = {
            "PLACE": order.place,
            "AT": str(order.at),
            "KIND": str(order.kind),
            "COUNT": str(counts),
        }
        os.environ |= {f"FAULT_{name}": value for name, value in of_children.items()}
        status = carry_out(order)
        changes = library.fault_count()
        library.fault_arm(0, 0)
        if counts.is_file():
            changes += sum(int(line) for line in counts.read_text(encoding="ascii").split())
        os.write(counted, str(changes).encode())
    except BaseException:  # noqa: BLE001 - the fork ends here, whatever happened
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


def serve() -> None:
    """Carry out orders until the input ends. What takes long to import is, once, before the forks."""
    modules = {place.split(":")[0] for place in main.COMMANDS.values()} - {""}
    for name in (
        *modules,
        "matplotlib.pyplot",
        "engine.jobs",
        "engine.worker",
        "engine.train.program",
        "engine.train.report.folder",
    ):
        importlib.import_module(name)
    for line in sys.stdin:
        fields = json.loads(line)
        order = Order(**{**fields, "arguments": tuple(fields["arguments"])})
        with tempfile.TemporaryFile() as said, tempfile.TemporaryFile() as counted:
            pid = os.fork()
            if pid == 0:
                _be_the_fork(order, said.fileno(), counted.fileno())
            status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
            said.seek(0)
            counted.seek(0)
            answer = Answer(status, said.read().decode(errors="replace"), int(counted.read() or 0))
        print(json.dumps(dataclasses.asdict(answer)), flush=True)


if __name__ == "__main__":
    serve()
