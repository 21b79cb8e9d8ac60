"""Time and peak memory of a call, in a process of its own so that nothing before it counts."""

from __future__ import annotations

import multiprocessing
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.connection import Connection

import psutil


@dataclass(frozen=True, slots=True)
class Cost:
    """seconds of wall time; peak_bytes of resident memory above what the process held before the call."""

    seconds: float
    peak_bytes: int


def cost_of(prepare: Callable[[], Callable[[], object]]) -> Cost:
    """Run `prepare()` (a module's function) unmeasured and its result measured, in a fresh process."""
    context = multiprocessing.get_context("spawn")
    near, far = context.Pipe()
    process = context.Process(target=_measure, args=(prepare, far))
    process.start()
    far.close()
    cost: Cost = near.recv()
    process.join()
    return cost


def _measure(prepare: Callable[[], Callable[[], object]], answer: Connection) -> None:
    call = prepare()
    this = psutil.Process()
    before = peak = this.memory_info().rss
    done = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not done.wait(0.0005):
            peak = max(peak, this.memory_info().rss)

    watcher = threading.Thread(target=watch)
    watcher.start()
    begun = time.perf_counter()
    result = call()
    seconds = time.perf_counter() - begun
    peak = max(peak, this.memory_info().rss)
    done.set()
    watcher.join()
    del result
    answer.send(Cost(seconds, peak - before))
