"""Runs the worker program for the tests: give an order, watch it, kill it."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import psutil

from tests.engine.project.worker_program import Order

_ROOT = Path(__file__).resolve().parents[3]


@dataclass
class Report:
    """What was seen of an order: its last steps saved and begun (-1 for none), refusals, counted changes.

    `status` is the exit status, None where the whole program was killed with it.
    """

    saved: int = -1
    begun: int = -1
    refusals: tuple[str, ...] = ()
    changes: int = 0
    status: int | None = None


class Program:
    """The worker program; started again when a kill took all of it (where the system has no forks)."""

    def __init__(self, environment: Mapping[str, str] | None = None) -> None:
        # One thread: forking a program with more is asking for trouble.
        self._environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1", **(environment or {})}
        self._process = self._start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._end()

    def carry_out(
        self, order: Order, *, kill_after: int | None = None, wait: Callable[[], None] = lambda: None
    ) -> Report:
        """Give an order and return when it has ended.

        With `kill_after` it is killed after that many steps were begun or saved, and a `wait`.
        """
        if self._process.poll() is not None:
            self._end()
            self._process = self._start()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(order.line())
        self._process.stdin.flush()
        report, pid, lines = Report(), 0, 0
        for line in self._process.stdout:
            word, _, rest = line.rstrip("\n").partition(" ")
            match word:
                case "pid":
                    pid = int(rest)
                case "s":
                    report.begun = int(rest)
                case "a":
                    report.saved = int(rest)
                case "refused":
                    report.refusals += (rest,)
                case "changes":
                    report.changes = int(rest)
                case "end":
                    report.status = int(rest)
                    break
            lines += word in ("s", "a")
            if kill_after is not None and pid and lines >= kill_after:
                wait()
                psutil.Process(pid).kill()
                kill_after = None
        return report

    def _start(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "tests.engine.project.worker_program"],
            cwd=_ROOT,
            env=self._environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def _end(self) -> None:
        with self._process as process:
            process.kill()
