"""The work behind `train PROJECT`: a fine-tuning with its gate, its progress, Ctrl+C, and what came of it."""

from __future__ import annotations

import json
import queue
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from engine.cli.console import say
from engine.cli.training import EXIT_CANCELED
from engine.cli.training_progress import TrainingProgress
from engine.errors import TrainingError
from engine.messages import (
    Canceled,
    Decision,
    Described,
    Event,
    Failed,
    FineTune,
    Finished,
    Judged,
    Saved,
    Tuning,
    TuningNews,
    Verdict,
)
from engine.project import Project
from engine.tuning.tuner import Tuner

ORDER = 1
GRACE_SECONDS = 60.0
"""A step on a slow machine and its restart file fit into this: nobody waits at a window."""


def run(request: FineTune, *, as_json: bool = False) -> int:
    """Fine-tune and judge; returns the exit code. Raises TrainingError and whatever refuses the request."""
    told: list[TuningNews] = []
    ending = _ended(request, told)
    verdict = next((news.verdict for news in told if isinstance(news, Judged)), None)
    match ending:
        case Finished() if verdict is not None:
            _report(verdict, as_json=as_json)
            return 0
        case Canceled():
            saved = [news.step for news in told if isinstance(news, Saved)]
            on = f"the same command with --resume goes on after step {saved[-1]}, and " if saved else ""
            say(f"stopped; {on}the model in use is what it was")
            return EXIT_CANCELED
        case Failed(message=message):
            raise TrainingError(message)
    raise AssertionError("a fine-tuning that finished was judged")


def _ended(request: FineTune, told: list[TuningNews]) -> Event:
    events: queue.SimpleQueue[Event] = queue.SimpleQueue()
    tuner = Tuner(events.put, Project.open, seconds_to_cancel=GRACE_SECONDS)
    with _ctrl_c_cancels(tuner), TrainingProgress() as progress:
        tuner.submit(ORDER, request)
        while True:
            try:
                event = events.get(timeout=0.2)  # a wait without end cannot be interrupted on Windows
            except queue.Empty:
                continue
            match event:
                case Tuning(news=news):
                    told.append(news)
                    _show(progress, news)
                case Finished() | Failed() | Canceled():
                    return event


def _show(progress: TrainingProgress, news: TuningNews) -> None:
    if isinstance(news, Described):
        one = news.description
        say(one.summary)
        say(
            f"{one.held_out} of them are held out to measure on; {one.name} starts from {one.base} and must "
            f"beat {one.against}"
        )
        for warning in one.warnings:
            say(f"note: {warning}")
    progress.show(news)


@contextmanager
def _ctrl_c_cancels(tuner: Tuner) -> Iterator[None]:
    asked = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            tuner.kill(ORDER)
            return
        asked = True
        say("stopping after this step; the restart file is being written (Ctrl+C again stops at once)")
        tuner.cancel(ORDER)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def _report(verdict: Verdict, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(verdict.to_json() | {"reason": verdict.reason}, indent=1))
        return
    for line in in_words(verdict):
        click.echo(line)


def in_words(verdict: Verdict) -> Iterator[str]:
    """What came of it, a line each."""
    head = {
        Decision.ACTIVATED: "is the active model now",
        Decision.KEPT: "is kept, and not active",
        Decision.REFUSED: "is kept, and was refused",
    }
    yield f"{verdict.new_name} {head[verdict.decision]}"
    yield verdict.reason
    if verdict.certainty:
        yield verdict.certainty
    if verdict.old is not None and verdict.new is not None:
        for name, ap in verdict.new.per_class.items():
            yield f"  {name}: AP {verdict.old.per_class.get(name, 0.0):.3f} -> {ap:.3f}"
        yield (
            f"missed {verdict.old.missed} -> {verdict.new.missed}, spurious {verdict.old.spurious} -> "
            f"{verdict.new.spurious}, of another class {verdict.old.confused} -> {verdict.new.confused}"
        )
    if verdict.advice:
        yield verdict.advice
    if verdict.report:
        yield f"the report: {verdict.report}"
