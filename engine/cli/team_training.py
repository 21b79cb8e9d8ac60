"""The work behind `torchrun main.py train`: every process trains here, the first one decides and speaks.

torchrun has started the processes already, so none of its own is started for the training.
"""

from __future__ import annotations

import os
import signal
import time
from contextlib import nullcontext
from pathlib import Path
from types import FrameType

import click

from engine.cli import training
from engine.cli.training_progress import TrainingProgress
from engine.errors import TrainingError
from engine.messages import FineTune
from engine.models.store import ModelStore, default_store
from engine.project import Project
from engine.train.events import Judged, Stopped, Trained, TrainEvent
from engine.train.order import TrainOrder
from engine.train.verdict import Verdict
from engine.train.wishes import Wishes
from engine.tuning.starting import ordered, take
from engine.tuning.stopped import UNFINISHED, tidy

SECONDS_TO_PREPARE = 3600.0
"""For the first process to look at newly reviewed images, while the others wait."""


SECONDS_APART = 5.0
"""By how much torchrun's processes may start apart."""


def is_team() -> bool:
    """Whether torchrun started this process."""
    return "LOCAL_RANK" in os.environ


def train(order: TrainOrder) -> int:
    """Train as one of several processes; returns the exit code. Raises MaskwrightError."""
    ending, _ = _carried_out(order)
    match ending:
        case Trained():
            training.report(ending, as_json=False)
        case Stopped():
            return training.EXIT_CANCELED
    return 0


def fine_tune(request: FineTune) -> int:
    """Fine-tune a project as one of several processes; the first one prepares, judges and activates."""
    from engine.cli.tuning import in_words

    store = default_store()
    shared = store.root / UNFINISHED / f"team-{os.environ.get('MASTER_PORT', '0')}.order"
    if not _is_first():
        _carried_out(_awaited(shared))
        return 0
    shared.unlink(missing_ok=True)
    order = _prepared(request, store)
    assert order.name is not None
    try:
        shared.write_text(order.to_json(), encoding="utf-8")
        ending, verdict = _carried_out(order)
    finally:
        shared.unlink(missing_ok=True)
        tidy(store.root, order.name)
    if not isinstance(ending, Trained) or verdict is None:
        return training.EXIT_CANCELED
    take(verdict, order.name, request.folder, Project.open)
    for line in in_words(verdict):
        click.echo(line)
    return 0


def _prepared(request: FineTune, store: ModelStore) -> TrainOrder:
    with TrainingProgress() as progress:
        order, _ = ordered(request, store, Project.open, progress.show, lambda: False)
    return order


def _awaited(shared: Path) -> TrainOrder:
    """The first process's order, written since this one started."""
    begun = time.time()
    while time.time() - begun < SECONDS_TO_PREPARE:
        try:
            if shared.stat().st_mtime >= begun - SECONDS_APART:
                return TrainOrder.from_json(shared.read_text(encoding="utf-8"))
        except (OSError, TrainingError):
            pass  # not there yet, or not whole
        time.sleep(0.2)
    raise TrainingError("The first process gave no order: its message says why.")


def _carried_out(order: TrainOrder) -> tuple[object, Verdict | None]:
    """The ending, None on all but the first process, and the gate's verdict where there is one."""
    from engine.train.work import carry_out

    wishes, verdicts = Wishes(), list[Verdict]()

    def note(_number: int, _frame: FrameType | None) -> None:
        wishes.set()

    before = signal.signal(signal.SIGINT, note)
    first = _is_first()
    progress = TrainingProgress()
    try:
        with progress if first else nullcontext():

            def show(event: TrainEvent) -> None:
                if isinstance(event, Judged):
                    verdicts.append(event.verdict)
                if first:
                    progress.show(event)

            return carry_out(order, show, wishes), verdicts[0] if verdicts else None
    finally:
        signal.signal(signal.SIGINT, before)


def _is_first() -> bool:
    return os.environ.get("RANK", "0") == "0"
