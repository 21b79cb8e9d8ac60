"""The training loop on a toy set with a small network: it learns, stops, goes on, and breaks nothing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN

from engine.errors import TrainingError
from engine.models.store import ModelStore
from engine.models.version import load_network
from engine.train.events import Measured, Started, Stepped, Trained, TrainEvent
from engine.train.loop import Budget, TrainPlan, train
from engine.train.losses import Truth, detection_losses
from engine.train.recipe import Recipe
from engine.train.restart import read_restart
from engine.train.sources import split
from tests.engine.train.toy import toy_set

QUICK = Recipe(warmup=5, learning_rate=0.02, mask_rois=4, rois=32, proposals=50, frozen_stages=0, colour=0.0)


def a_plan(folder: Path, steps: int, **changes: object) -> TrainPlan:
    folder.mkdir(exist_ok=True)
    plan = TrainPlan(
        toy_set(folder),
        "maskrcnn_resnet18_slim_fpn",
        "toy",
        Budget(iterations=steps),
        recipe=QUICK,
        side=96,
    )
    return dataclasses.replace(plan, **changes)  # type: ignore[arg-type]


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", bundled=tmp_path / "none")


def stepped(events: Iterator[TrainEvent]) -> list[Stepped]:
    return [event for event in events if isinstance(event, Stepped)]


def weights(version_path: Path, store: ModelStore) -> dict[str, Tensor]:
    state: dict[str, Tensor] = load_network(store.resolve(str(version_path))).state_dict()
    return state


def test_that_the_loss_falls_and_both_versions_are_saved(tmp_path: Path, store: ModelStore) -> None:
    events = list(train(a_plan(tmp_path / "data", 12), store))
    assert isinstance(events[0], Started)
    losses = [event.loss for event in stepped(iter(events))]
    assert sum(losses[-4:]) < 0.9 * sum(losses[:4])
    done = events[-1]
    assert isinstance(done, Trained)
    assert (done.steps, done.best.card.name, done.last.card.name) == (12, "toy", "toy-last")
    card = store.resolve("toy").card
    assert card.classes == ("disc",)
    assert card.spec.min_size == 96
    assert card.training["steps"] == 12
    assert card.data_fingerprint == a_plan(tmp_path / "data", 12).data.fingerprint()
    assert list(store.root.glob("training/*")) == []


def test_that_a_resumed_run_is_the_unbroken_one(tmp_path: Path, store: ModelStore) -> None:
    plan = a_plan(tmp_path / "data", 4)
    whole = ModelStore(tmp_path / "whole", bundled=tmp_path / "none")
    unbroken = stepped(train(plan, whole))
    events = train(plan, store)
    first = [next(events) for _ in range(3)]  # Started and two steps
    events.close()
    rest = list(train(plan, store, resume=True))
    assert isinstance(rest[0], Started)
    assert rest[0].step == 2
    resumed = stepped(iter(first)) + stepped(iter(rest))
    assert [e.loss for e in resumed] == [e.loss for e in unbroken]
    ours, theirs = (
        weights(store.root / "toy.safetensors", store),
        weights(whole.root / "toy.safetensors", whole),
    )
    assert all(torch.equal(ours[key], theirs[key]) for key in theirs)


def test_that_a_canceled_run_leaves_the_previous_model(tmp_path: Path, store: ModelStore) -> None:
    list(train(a_plan(tmp_path / "data", 1), store))
    before = {path.name: path.read_bytes() for path in store.root.iterdir() if path.is_file()}
    events = train(a_plan(tmp_path / "data", 5), store)
    next(events)
    next(events)
    events.close()
    after = {path.name: path.read_bytes() for path in store.root.iterdir() if path.is_file()}
    assert after == before
    assert read_restart(store.root / "training" / "toy.restart").step == 1


def test_that_a_loss_that_is_not_finite_changes_nothing(
    tmp_path: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def poisoned(
        network: FasterRCNN, batch: Tensor, truths: Sequence[Truth], recipe: Recipe
    ) -> dict[str, Tensor]:
        losses = detection_losses(network, batch, truths, recipe)
        calls.append(1)
        return {**losses, "box": losses["box"] * math.nan} if len(calls) == 1 else losses

    monkeypatch.setattr("engine.train.loop.detection_losses", poisoned)
    events = train(a_plan(tmp_path / "data", 2), store)
    next(events)
    first = next(events)
    assert isinstance(first, Stepped)
    assert first.skipped
    second = next(events)
    assert isinstance(second, Stepped)
    assert not second.skipped
    done = list(events)[-1]
    assert isinstance(done, Trained)
    assert all(bool(tensor.isfinite().all()) for tensor in weights(done.best.path, store).values())


def test_that_the_weights_that_did_best_are_kept(
    tmp_path: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    data, held_out = split(toy_set(tmp_path, 4), 0.25, seed=0)
    plan = a_plan(tmp_path / "data", 4, data=data, held_out=held_out)
    events = list(train(plan, store))
    measured = [event for event in events if isinstance(event, Measured)]
    assert len(measured) >= 2
    best = max(range(len(measured)), key=lambda i: (measured[i].metrics["mask_ap"], -i))
    assert measured[best].is_best
    card = store.resolve("toy").card
    assert card.metrics["held_out_mask_ap"] == measured[best].metrics["mask_ap"]
    assert card.training["steps"] == measured[best].step


def test_that_a_run_planned_in_minutes_ends_by_time(tmp_path: Path, store: ModelStore) -> None:
    events = list(train(a_plan(tmp_path / "data", 0, budget=Budget(minutes=0.02)), store))
    steps = stepped(iter(events))
    assert steps[-1].progress == 1.0
    assert all(step.progress < 1.0 for step in steps[:-1])
    assert steps[-1].seconds >= 1.2


def test_that_only_the_same_run_is_resumed(tmp_path: Path, store: ModelStore) -> None:
    events = train(a_plan(tmp_path / "data", 3), store)
    next(events)
    next(events)
    events.close()
    with pytest.raises(TrainingError, match="other data"):
        next(train(a_plan(tmp_path / "data", 3, seed=5), store, resume=True))


def test_that_there_must_be_something_to_resume(tmp_path: Path, store: ModelStore) -> None:
    with pytest.raises(TrainingError, match="nothing to resume"):
        next(train(a_plan(tmp_path / "data", 3), store, resume=True))


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x04cos\nsystem\n."])
def test_that_a_damaged_or_hostile_restart_file_is_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.restart"
    file.write_bytes(content)
    with pytest.raises(TrainingError, match="damaged"):
        read_restart(file)


def test_that_an_empty_set_cannot_be_trained_on(tmp_path: Path, store: ModelStore) -> None:
    plan = a_plan(tmp_path / "data", 3)
    empty = plan.data.with_images(tuple(dataclasses.replace(i, instances=()) for i in plan.data.images))
    with pytest.raises(TrainingError, match="nothing to learn"):
        next(train(dataclasses.replace(plan, data=empty), store))
