"""The work behind `train`: the data and its split, the run with its progress, the measurement at the end.

Apart from the command so that other commands (`demo`) and tests can call it.
"""

from __future__ import annotations

import dataclasses
import json
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

import click

from engine.cli.console import say, seconds_in_words
from engine.cli.models import obtain
from engine.cli.training_progress import TrainingProgress
from engine.device import choose_device
from engine.formats.labelled import LabelledSet
from engine.models.card import Json, ModelVersion
from engine.models.coco import CATALOGUE
from engine.models.store import default_store
from engine.models.version import load_network, save_version
from engine.train.evaluate import evaluate_network
from engine.train.events import Measured, Started, Stepped, Trained
from engine.train.loop import Budget, TrainPlan, train
from engine.train.scores import Scores
from engine.train.sources import check_apart, hold_out, load_labelled, split, write_split
from engine.train.start import DEFAULT_BASE, default_name

EXIT_CANCELED = 130


@dataclass(frozen=True, slots=True)
class Order:
    """What the person asked for; the command's options, None where they left it open."""

    data: Path
    images: Path | None = None
    val: Path | None = None
    val_images: Path | None = None
    val_fraction: float | None = None
    base: str | None = None
    name: str | None = None
    iterations: int | None = None
    minutes: float | None = None
    device: str = "auto"
    seed: int = 0
    side: int | None = None
    resume: bool = False


def run(order: Order, *, as_json: bool = False) -> int:
    """Train, save and measure; returns the exit code. Raises MaskwrightError."""
    store = default_store()
    name = order.name or default_name(order.data)
    learned, val = _sets(order)
    notes: dict[str, Json] = {"data": order.data.name}
    if order.val_fraction is not None and val is not None:
        file = store.root / f"{name}.split"
        write_split(file, training=learned, measured=val, seed=order.seed)
        notes["val_fraction"] = order.val_fraction
        say(f"{len(val.images)} of the images are kept to measure on; {file} names them")
    learned, held_out = hold_out(learned, order.seed)
    base = order.base or DEFAULT_BASE
    if base in CATALOGUE:
        obtain(base)
    device = choose_device(order.device)
    say(f"device: {device.reason}")
    plan = TrainPlan(
        learned,
        base,
        name,
        _budget(order, learned),
        held_out=held_out,
        seed=order.seed,
        device=device.name,
        side=order.side,
        notes=tuple(notes.items()),
    )
    trained = _trained(plan, resume=order.resume)
    if trained is None:
        say(f"stopped; the same command with --resume goes on, and an earlier model {name} is untouched")
        return EXIT_CANCELED
    scores = _measured(trained.best, val, device.name) if val else None
    _report(trained, scores, as_json=as_json)
    return 0


def _sets(order: Order) -> tuple[LabelledSet, LabelledSet | None]:
    data = load_labelled(order.data, order.images)
    if order.val_fraction is not None:
        return split(data, order.val_fraction, order.seed)
    if order.val is None:
        return data, None
    val = load_labelled(order.val, order.val_images)
    check_apart(data, val)
    return data, val


def _budget(order: Order, data: LabelledSet) -> Budget:
    if order.minutes is not None:
        return Budget(minutes=order.minutes)
    return Budget(iterations=order.iterations or default_iterations(len(data.images)))


def default_iterations(images: int) -> int:
    """Steps for a data set of that many images, where nobody says how long."""
    steps = ((20, 300), (100, 800), (500, 3000))
    return next((count for most, count in steps if images <= most), 6000)


def _trained(plan: TrainPlan, *, resume: bool) -> Trained | None:
    """Run the training with its progress shown; None when Ctrl+C stopped it."""
    events = train(plan, default_store(), resume=resume)
    with _ctrl_c_asks() as asked, TrainingProgress() as progress:
        for event in events:
            match event:
                case Started() | Stepped() | Measured():
                    progress.show(event)
                case Trained():
                    return event
            if asked:
                say("stopping after this step; the restart file is being written")
                events.close()
                return None
    raise AssertionError("a training run ends with Trained")


@contextmanager
def _ctrl_c_asks() -> Iterator[list[int]]:
    """The first Ctrl+C is noted in the list and the step goes on to its end; the second one interrupts."""
    asked: list[int] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    before = signal.signal(signal.SIGINT, note)
    try:
        yield asked
    finally:
        signal.signal(signal.SIGINT, before)


def _measured(version: ModelVersion, val: LabelledSet, device: str) -> Scores:
    """Measure the saved model and write the figures into its card."""
    say(f"measuring {version.card.name} on {len(val.images)} images it has not seen")
    scores = evaluate_network(load_network(version), version.card, val, device).scores
    metrics = {**version.card.metrics, **{f"val_{key}": value for key, value in scores.metrics.items()}}
    card = dataclasses.replace(version.card, metrics=metrics)
    save_version(version.path.parent, card.name, load_network(version), card)
    return scores


def _report(trained: Trained, scores: Scores | None, *, as_json: bool) -> None:
    metrics = dict(scores.metrics) if scores else {}
    card = trained.best.card
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
