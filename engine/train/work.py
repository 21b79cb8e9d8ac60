"""What the training program does with an order: data, split, base, training, the measurement at the end.

Says everything through `send`. Knows the store and the data's sources; no streams and no signals.
"""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Callable
from pathlib import Path

from engine.device import number_format
from engine.formats.labelled import LabelledSet
from engine.models.card import Json
from engine.models.coco import CATALOGUE
from engine.models.download import DownloadCanceledError
from engine.models.store import ModelStore, default_store
from engine.models.version import load_network, save_version
from engine.train.distributed import Team, joined
from engine.train.evaluate import evaluate_network
from engine.train.events import (
    Ending,
    Fetching,
    Measuring,
    Noted,
    Saved,
    Started,
    Stepped,
    StopAsked,
    Stopped,
    Trained,
    TrainEvent,
)
from engine.train.loop import train
from engine.train.order import TrainOrder
from engine.train.plan import Budget, TrainPlan, default_iterations
from engine.train.sources import check_apart, hold_out, load_labelled, split, write_split
from engine.train.start import DEFAULT_BASE, default_name

Send = Callable[[TrainEvent], None]


def carry_out(order: TrainOrder, send: Send, stop: threading.Event) -> Ending | None:
    """Train, save and measure; returns the ending, or None on all but the first process of a team.

    `stop` may be set by any thread: the run ends after the step. Raises MaskwrightError.
    """
    store = default_store()
    name = order.name or default_name(order.data)
    learned, val = _sets(order)
    notes: dict[str, Json] = {"data": order.data.name}
    with joined(order.device) as (team, device):
        if order.val_fraction is not None and val is not None:
            notes["val_fraction"] = order.val_fraction
            if team.is_first:
                _write_split(store.root / f"{name}.split", learned, val, order.seed, send)
        send(Noted(f"device: {device.reason}" + (f", {team.size} processes" if team.size > 1 else "")))
        learned, held_out = _held_out(learned, order)
        plan = TrainPlan(
            learned,
            order.base or DEFAULT_BASE,
            name,
            _budget(order, learned),
            held_out=held_out,
            changes=tuple(order.recipe.items()),
            seed=order.seed,
            device=device.name,
            side=order.side,
            bf16=number_format(device.name).bf16,
            window=order.window,
            notes=tuple(notes.items()),
        )
        return _Work(plan, store, team, val, send, stop).done(resume=order.resume)


def _write_split(file: Path, learned: LabelledSet, val: LabelledSet, seed: int, send: Send) -> None:
    write_split(file, training=learned, measured=val, seed=seed)
    send(Noted(f"{len(val.images)} of the images are kept to measure on; {file} names them"))


def _sets(order: TrainOrder) -> tuple[LabelledSet, LabelledSet | None]:
    data = load_labelled(order.data, order.images)
    if order.val_fraction is not None:
        return split(data, order.val_fraction, order.seed)
    if order.val is None:
        return data, None
    val = load_labelled(order.val, order.val_images)
    check_apart(data, val)
    return data, val


def _held_out(learned: LabelledSet, order: TrainOrder) -> tuple[LabelledSet, LabelledSet | None]:
    if order.held_out is None:
        return hold_out(learned, order.seed)
    return split(learned, order.held_out, order.seed) if order.held_out else (learned, None)


def _budget(order: TrainOrder, data: LabelledSet) -> Budget:
    if order.minutes is not None:
        return Budget(minutes=order.minutes)
    return Budget(iterations=order.iterations or default_iterations(len(data.images)))


@dataclasses.dataclass(slots=True, eq=False)
class _Work:
    """One plan on its way. resumable: the step that a restart file of it goes on after."""

    plan: TrainPlan
    store: ModelStore
    team: Team
    val: LabelledSet | None
    send: Send
    stop: threading.Event
    resumable: int | None = None

    def done(self, *, resume: bool) -> Ending | None:
        """Fetch the base, train, measure."""
        try:
            if self.team.is_first and self.plan.base in CATALOGUE:
                self.store.obtain(self.plan.base, progress=self._fetched, canceled=self.stop.is_set)
            self.team.share(0.0)  # the others wait for the base
            trained = self._train(resume=resume)
        except (StopAsked, DownloadCanceledError):
            trained = None
        if not self.team.is_first:
            return None
        return Stopped(self.resumable) if trained is None else self._measured(trained)

    def _train(self, *, resume: bool) -> Trained | None:
        events = train(self.plan, self.store, resume=resume, team=self.team, on_image=self._on_image)
        for event in events:
            if isinstance(event, Trained):
                return event
            if isinstance(event, Stepped | Saved) or (isinstance(event, Started) and event.step):
                self.resumable = event.step
            self.send(event)
            if self.stop.is_set() and self.team.is_first:
                events.close()
                break
        return None

    def _measured(self, trained: Trained) -> Trained:
        """Measure the saved model and write the figures into its card; a stop leaves them out."""
        version = trained.best
        if self.val is None:
            return trained
        self.send(Noted(f"measuring {version.card.name} on {len(self.val.images)} images it has not seen"))
        done, total = 0, len(self.val.images)

        def count() -> None:
            nonlocal done
            done += 1
            self._on_image(done, total)

        try:
            scores = evaluate_network(
                load_network(version), version.card, self.val, self.plan.device, on_image=count
            ).scores
        except StopAsked:
            return trained
        metrics = {**version.card.metrics, **{f"val_{key}": value for key, value in scores.metrics.items()}}
        card = dataclasses.replace(version.card, metrics=metrics)
        best = save_version(version.path.parent, card.name, load_network(version), card)
        return dataclasses.replace(trained, best=best, metrics=dict(scores.metrics))

    def _on_image(self, done: int, total: int) -> None:
        self.send(Measuring(done, total))
        if self.stop.is_set():
            raise StopAsked

    def _fetched(self, done: int, total: int | None) -> None:
        self.send(Fetching(self.plan.base, done, total))
