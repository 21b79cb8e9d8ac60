"""What the training program does with an order: data, split, base, training, the measurement at the end.

Says everything through `send`. Knows the store and the data's sources; no streams and no signals.
"""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Callable
from pathlib import Path

import psutil

from engine.device import number_format
from engine.errors import DataError, MaskwrightError, TrainingError
from engine.formats.labelled import LabelledSet
from engine.models.card import Json
from engine.models.coco import CATALOGUE
from engine.models.download import DownloadCanceledError
from engine.models.store import ModelStore, default_store
from engine.models.version import load_network, save_version
from engine.train.distributed import Team, is_first_process, joined
from engine.train.evaluate import evaluate_network
from engine.train.events import (
    Ending,
    Fetching,
    Measuring,
    Noted,
    Paused,
    Resumed,
    Saved,
    Started,
    Stepped,
    StopAsked,
    Stopped,
    Trained,
    TrainEvent,
)
from engine.train.gating import Gate
from engine.train.loop import train
from engine.train.order import TrainOrder
from engine.train.plan import Budget, TrainPlan, default_iterations
from engine.train.showing import Showing
from engine.train.snapshot import read_snapshot, write_snapshot
from engine.train.sources import (
    check_apart,
    hold_out,
    load_for_tuning,
    load_labelled,
    split,
    write_split,
)
from engine.train.start import default_name
from engine.train.verdict import Accept
from engine.train.wishes import Wishes

Send = Callable[[TrainEvent], None]

SNAPSHOT_SUFFIX = ".data"
"""Beside a fine-tuning's restart file: what it learns from."""

NICENESS = 10
"""Of a training beside a window, as Unix counts it: whatever a person does goes first."""


def carry_out(order: TrainOrder, send: Send, stop: Wishes) -> Ending | None:
    """Train, save and measure; returns the ending, or None on all but the first process of a team.

    `stop` may be set by any thread: the run ends after the step. Raises MaskwrightError.
    """
    if order.window:
        _stand_back()
    store = default_store()
    name = order.name or default_name(order.data)
    snapshot = store.root / "training" / f"{name}{SNAPSHOT_SUFFIX}"
    learned, val = _tuning_sets(order, snapshot) if order.gate else _sets(order)
    notes = _notes(order, learned, val)
    with joined(order.device) as (team, device):
        if order.val_fraction is not None and val is not None:
            notes["val_fraction"] = order.val_fraction
            if team.is_first:
                _write_split(store.root / f"{name}.split", learned, val, order.seed, send)
        send(Noted(f"device: {device.reason}" + (f", {team.size} processes" if team.size > 1 else "")))
        learned, held_out = _held_out(learned, order)
        plan = TrainPlan(
            learned,
            order.base or store.usual_base(),
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
            keep_last=not order.gate,
        )
        return _Work(plan, store, team, order, val, send, stop).done(resume=order.resume)


def _stand_back() -> None:
    if sys.platform == "win32":
        psutil.Process().nice(psutil.BELOW_NORMAL_PRIORITY_CLASS)
    else:
        os.nice(NICENESS)


def _notes(order: TrainOrder, learned: LabelledSet, val: LabelledSet | None) -> dict[str, Json]:
    notes: dict[str, Json] = {"data": order.data.name}
    if order.gate:
        notes |= {"instances": learned.instance_count, "held_out": len(val.images) if val else 0}
        notes |= {"against": order.against, "notes": order.notes}
    return notes


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


def _tuning_sets(order: TrainOrder, snapshot: Path) -> tuple[LabelledSet, LabelledSet]:
    """What the project holds now, or held when the training that is resumed began."""
    if order.resume:
        return read_snapshot(snapshot)
    learned, measured = load_for_tuning(order.data, order.classes)
    if not learned.images:
        raise DataError(
            f"No reviewed image of {order.data} can be learned from: review some more; those there are may "
            "all be held out to measure on."
        )
    if is_first_process():
        write_snapshot(snapshot, learned, measured)
    return learned, measured


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
    order: TrainOrder
    val: LabelledSet | None
    send: Send
    stop: Wishes
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
        if trained is None:
            return Stopped(self.resumable)
        return self._gated(trained) if self.order.gate else self._measured(trained)

    def _train(self, *, resume: bool) -> Trained | None:
        showing = Showing(self.val, self.order.data.resolve()) if self.order.gate and self.val else None
        events = train(
            self.plan,
            self.store,
            resume=resume,
            team=self.team,
            on_image=self._on_image,
            showing=showing,
            idle=lambda: self.stop.held_seconds,
        )
        for event in events:
            if isinstance(event, Trained):
                return event
            if isinstance(event, Stepped | Saved) or (isinstance(event, Started) and event.step):
                self.resumable = event.step
            self.send(event)
            self._hold()
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

    def _gated(self, trained: Trained) -> Trained:
        """Judge the saved model; a stop leaves the verdict out, and with it the version inactive."""
        order, plan = self.order, self.plan
        assert self.val is not None
        gate = Gate(
            self.store,
            self.val,
            order.against or plan.base,
            Accept(order.accept),
            plan.seed,
            plan.device,
            order.data.resolve(),
            order.report,
            self.send,
            self._on_image,
        )
        try:
            return gate.passed(trained)
        except StopAsked:
            return trained
        except MaskwrightError as e:
            raise TrainingError(
                f"{plan.name} is trained and kept, but could not be measured, so it is not active: {e}"
            ) from e

    def _hold(self) -> None:
        """Wait out a pause."""
        step = self.resumable or 0
        self.stop.hold(lambda begins: self.send(Paused(step) if begins else Resumed(step)))

    def _on_image(self, done: int, total: int) -> None:
        self.send(Measuring(done, total))
        self._hold()
        if self.stop.is_set():
            raise StopAsked

    def _fetched(self, done: int, total: int | None) -> None:
        self.send(Fetching(self.plan.base, done, total))
