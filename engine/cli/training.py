"""The work behind `train`: the training process, its progress, Ctrl+C, and the figures at the end.

Apart from the command so that other commands (`demo`) and tests can call it. Needs no torch.
"""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import click

from engine.cli.console import say, seconds_in_words
from engine.cli.training_progress import TrainingProgress
from engine.errors import TrainingError
from engine.train.events import Ending, Failed, Stopped, Trained
from engine.train.order import TrainOrder
from engine.train.process import TrainingProcess

EXIT_FAULT, EXIT_CANCELED = 70, 130


def run(order: TrainOrder, *, as_json: bool = False) -> int:
    """Train, save and measure; returns the exit code. Raises TrainingError."""
    match follow(order):
        case Trained() as trained:
            report(trained, as_json=as_json)
            return 0
        case Stopped(step):
            where = "" if step is None else f"the same command with --resume goes on after step {step}, and "
            say(f"stopped; {where}an earlier model of that name is untouched")
            return EXIT_CANCELED
        case Failed(message, fault=True):
            click.echo(f"error: {message}", err=True)
            return EXIT_FAULT
        case Failed(message):
            raise TrainingError(message)


def follow(order: TrainOrder) -> Ending:
    """Train in a process of its own with the progress shown; Ctrl+C stops it, a second time at once."""
    with TrainingProcess(order) as process, _ctrl_c_stops(process), TrainingProgress() as progress:
        for event in process.events():
            if isinstance(event, Ending):
                return event
            progress.show(event)
    raise AssertionError("a training process ends with an ending")


@contextmanager
def _ctrl_c_stops(process: TrainingProcess) -> Iterator[None]:
    asked = False

    def note(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            process.kill()
            return
        asked = True
        say("stopping after this step; the restart file is being written (Ctrl+C again stops at once)")
        process.stop(grace=None)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def report(trained: Trained, *, as_json: bool) -> None:
    """Print what came of a training."""
    metrics, card = trained.metrics, trained.best.card
    if as_json:
        figures = {
            "name": card.name,
            "path": str(trained.best.path),
            "last": str(trained.last.path),
            "steps": trained.steps,
            "seconds": round(trained.seconds, 1),
            "metrics": {key: round(value, 4) for key, value in metrics.items()},
        }
        click.echo(json.dumps(figures, indent=1))
        return
    took = seconds_in_words(trained.seconds)
    click.echo(f"{card.name}: {trained.steps} steps in {took}, saved as {trained.best.path}")
    for kind in ("mask", "box"):
        if f"{kind}_ap" in metrics:
            click.echo(f"{kind} AP {metrics[f'{kind}_ap']:.3f}, AP50 {metrics[f'{kind}_ap50']:.3f}")
