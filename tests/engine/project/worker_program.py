"""A program that works on projects by order and may be killed or meet a failing disk at any moment.

Each line of standard input is an Order as JSON; each is carried out by a fork of its own where the
system has forks, so that one start serves many orders. Output, a line each: "ready"; "pid N";
"s N" before step N goes to the project; "a N" when the project says that step N is saved;
"refused SENTENCE"; "changes N" (file changes that the fault library counted); "end STATUS".
"""

from __future__ import annotations

import ctypes
import dataclasses
import json
import os
import sqlite3
import sys
import traceback
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from engine.errors import ProjectError
from engine.project import Project, opening
from tests.engine.project.making import ids
from tests.engine.project.script import Plan, Worker, plan

T = TypeVar("T")

#: What is done under faults: a step that is tried again after a failure must come to the same.
FAULTY_KINDS = ("edit", "edit", "propose")


@dataclass(frozen=True)
class Order:
    """Work from step `first` on: `steps` of them, or for ever.

    `fault` is (which change of a file, the kind in faults.c), `library` the compiled faults.c.
    """

    folder: str
    first: int
    steps: int | None = None
    network: bool = False
    library: str = ""
    fault: tuple[int, int] = (0, 0)

    def line(self) -> str:
        """The order as its line of input."""
        return json.dumps(dataclasses.asdict(self)) + "\n"


def say(text: str) -> None:
    """Write a line in one go, so that a kill leaves none by half."""
    os.write(1, f"{text}\n".encode())


class Disk:
    """The preloaded fault library, or nothing."""

    def __init__(self, order: Order) -> None:
        self._library = ctypes.CDLL(order.library) if order.library else None
        if self._library is not None:
            self._library.fault_arm(*order.fault)

    def tried(self, act: Callable[[], T]) -> T:
        """What `act` gives; where the project refuses it, say why, mend the disk and try once more."""
        try:
            return act()
        except ProjectError as e:
            say(f"refused {e}")
            self.mend()
            return act()

    def mend(self) -> None:
        """No fault from now on."""
        if self._library is not None:
            self._library.fault_arm(0, 0)

    def tell(self) -> None:
        """Say how many changes were counted."""
        if self._library is not None:
            say(f"changes {self._library.fault_count()}")


def carry_out(order: Order) -> None:
    """Do the work of one order."""
    if order.network:
        vars(opening)["is_network"] = lambda _path: True
    disk = Disk(order)
    project = disk.tried(lambda: Project.open(Path(order.folder)))
    if project.read_only:
        say(f"refused {project.read_only_reason}")
        project.close()
        disk.mend()
        project = Project.open(Path(order.folder))
    with project:
        disk.tried(project.refresh)
        class_id = disk.tried(lambda: project.ensure_class("cell")).id
        if order.steps is not None:  # in a short life checkpoints must come often
            disk.tried(lambda: project._write(_checkpoint_often))
        work(project, Worker(project, class_id), order, disk)
    disk.tell()


def work(project: Project, worker: Worker, order: Order, disk: Disk) -> None:
    """Do the steps in groups of one to four, and say which are saved."""
    images, number = len(ids(project)), order.first
    last = None if order.steps is None else order.first + order.steps
    kinds = FAULTY_KINDS if order.library else None
    while last is None or number < last:
        end = number + 1 + number % 4 if last is None else min(number + 1 + number % 4, last)
        group = [_plan(step, images, kinds) for step in range(number, end)]
        futures = []
        for step in group:
            say(f"s {step.number}")
            futures.append(_do(worker, step, disk))
        for step, future in zip(group, futures, strict=True):
            _saved(project, future, disk)
            say(f"a {step.number}")
        number += len(group)


def _plan(number: int, images: int, kinds: tuple[str, ...] | None) -> Plan:
    return plan(number, images) if kinds is None else plan(number, images, kinds)


def _do(worker: Worker, step: Plan, disk: Disk) -> Future[None]:
    return worker.do(step) if step.kind == "edit" else disk.tried(lambda: worker.do(step))


def _saved(project: Project, future: Future[None], disk: Disk) -> None:
    try:
        future.result()
    except ProjectError as e:
        say(f"refused {e}")
        disk.mend()
        project.retry().result()


def _checkpoint_often(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA wal_autocheckpoint = 24")


def main() -> None:
    """Carry out orders until the input ends."""
    say("ready")
    for line in sys.stdin:
        order = Order(**json.loads(line))
        if not hasattr(os, "fork"):
            say(f"pid {os.getpid()}")
            carry_out(order)
            say("end 0")
            continue
        pid = os.fork()
        if pid == 0:
            _be_the_fork(order)
        say(f"pid {pid}")
        say(f"end {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}")


def _be_the_fork(order: Order) -> None:
    status = 1
    try:
        carry_out(order)
        status = 0
    except BaseException:  # noqa: BLE001  # the fork ends here, whatever happened
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        os._exit(status)


if __name__ == "__main__":
    main()
