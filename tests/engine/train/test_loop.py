"""The training loop on a toy set with a small network: it learns, stops, goes on, and breaks nothing."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN

from engine.errors import TrainingError
from engine.models.store import ModelStore
from engine.models.version import load_network, save_version
from engine.train.events import (
    EndedEarly,
    Measured,
    Noted,
    Saved,
    Started,
    Stepped,
    StopAsked,
    Trained,
    TrainEvent,
)
from engine.train.loop import Run, train
from engine.train.losses import detection_losses
from engine.train.plan import Budget, TrainPlan
from engine.train.recipe import Recipe
from engine.train.restart import Restart, read_restart, write_restart
from engine.train.sample import Sample
from engine.train.sources import split
from engine.train.truth import Truth
from tests.engine.networks import card_of, lively_network
from tests.engine.train.toy import toy_set

SLIM = "maskrcnn_resnet18_slim_fpn"

QUICK = Recipe(
    optimizer="sgd",
    warmup=5,
    learning_rate=0.02,
    body_rate=1.0,
    weight_decay=1e-4,
    mask_rois=4,
    rois=32,
    proposals=50,
    frozen_stages=0,
    colour=0.0,
    prompt_share=0.0,
)


def a_plan(folder: Path, steps: int, **changes: object) -> TrainPlan:
    folder.mkdir(exist_ok=True)
    plan = TrainPlan(
        toy_set(folder),
        SLIM,
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


def with_base(store: ModelStore) -> ModelStore:
    """The store with a model called `base`, whose BatchNorm is frozen."""
    network = lively_network(SLIM, 96, 160)
    save_version(store.root, "base", network, dataclasses.replace(card_of(network, SLIM), name="base"))
    return store


def until(events: Iterator[TrainEvent], step: int) -> None:
    """Let a run go on to a step."""
    for event in events:
        if isinstance(event, Stepped) and event.step == step:
            return
    raise AssertionError(f"no step {step}")


def assert_same_bits(ours: object, theirs: object, place: str = "") -> None:
    assert type(ours) is type(theirs), place
    if isinstance(ours, Tensor) and isinstance(theirs, Tensor):
        assert torch.equal(ours, theirs), place
    elif isinstance(ours, Mapping) and isinstance(theirs, Mapping):
        assert ours.keys() == theirs.keys(), place
        for key in ours:
            assert_same_bits(ours[key], theirs[key], f"{place}/{key}")
    elif isinstance(ours, list) and isinstance(theirs, list):
        assert len(ours) == len(theirs), place
        for n, (one, other) in enumerate(zip(ours, theirs, strict=True)):
            assert_same_bits(one, other, f"{place}/{n}")
    else:
        assert ours == theirs, place


def assert_same_state(ours: Restart, theirs: Restart) -> None:
    """All but the seconds it took."""
    assert ours.identity == theirs.identity
    timeless = [
        dataclasses.replace(one.standing, seconds=0.0, measured_seconds=0.0) for one in (ours, theirs)
    ]
    assert timeless[0] == timeless[1]
    assert_same_bits(ours.weights, theirs.weights, "weights")
    assert_same_bits(ours.average, theirs.average, "average")
    assert_same_bits(ours.optimizer, theirs.optimizer, "optimizer")


@pytest.mark.parametrize("base", [SLIM, "base"])
def test_that_a_resumed_run_is_the_unbroken_one_bit_for_bit(tmp_path: Path, base: str) -> None:
    """Fresh weights with live BatchNorm under AdamW, and a base under SGD; stopped with a measurement due."""
    data, held_out = split(toy_set(tmp_path, 5), 0.2, seed=0)
    recipe = dataclasses.replace(QUICK, optimizer="adamw" if base == SLIM else "sgd", colour=0.2)
    plan = a_plan(tmp_path / "data", 6, data=data, held_out=held_out, base=base, recipe=recipe)
    whole, broken = (
        with_base(ModelStore(tmp_path / name, bundled=tmp_path / "none")) for name in ("whole", "broken")
    )
    unbroken = train(plan, whole)
    until(unbroken, 5)
    unbroken.close()
    for number, step in enumerate((2, 5)):
        torch.manual_seed(number)  # whatever chance was left behind must not matter
        events = train(plan, broken, resume=step > 2)
        until(events, step)
        events.close()
    ours, theirs = (read_restart(store.root / "training" / "toy.restart") for store in (broken, whole))
    assert any(name.endswith("running_var") for name in theirs.weights) == (base == SLIM)
    assert theirs.standing.best_step > 0
    assert_same_state(ours, theirs)
    for store in (broken, whole):
        assert isinstance(list(train(plan, store, resume=True))[-1], Trained)
    for name in ("toy", "toy-last"):
        ours_saved, theirs_saved = (store.resolve(name) for store in (broken, whole))
        assert ours_saved.path.read_bytes() == theirs_saved.path.read_bytes()
        assert ours_saved.card.metrics == theirs_saved.card.metrics


def test_that_a_resumed_run_without_its_best_weights_measures_anew(tmp_path: Path, store: ModelStore) -> None:
    data, held_out = split(toy_set(tmp_path, 4), 0.25, seed=0)
    plan = a_plan(tmp_path / "data", 4, data=data, held_out=held_out)
    events = train(plan, store)
    until(events, 3)
    events.close()
    (store.root / "training" / "toy.safetensors").unlink()
    measured = [e for e in train(plan, store, resume=True) if isinstance(e, Measured)]
    assert measured[0].is_best
    metrics = store.resolve("toy").card.metrics
    assert {"held_out_mask_ap", "held_out_fine_mask_ap"} <= metrics.keys()


def test_that_a_run_that_no_longer_improves_ends_early_with_its_best_weights(
    tmp_path: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    scores = iter([0.1, 0.5, 0.4, 0.5, 0.3, 0.2, 0.1])
    monkeypatch.setattr(
        "engine.train.loop.evaluate_network",
        lambda *_, **__: SimpleNamespace(scores=SimpleNamespace(metrics={"mask_ap": next(scores)})),
    )
    data, held_out = split(toy_set(tmp_path, 4), 0.25, seed=0)
    events = list(train(a_plan(tmp_path / "data", 8, data=data, held_out=held_out), store))
    # Measured at steps 2 to 7; best at 3, so four in vain after 7.
    assert [e for e in events if isinstance(e, EndedEarly)] == [EndedEarly(7, 3, 4)]
    done = events[-1]
    assert isinstance(done, Trained)
    assert (done.steps, done.best.card.training["steps"]) == (7, 3)
    assert done.best.card.metrics["held_out_mask_ap"] == 0.5


def test_that_a_measurement_can_be_interrupted_and_is_made_up_for(tmp_path: Path, store: ModelStore) -> None:
    data, held_out = split(toy_set(tmp_path, 5), 0.4, seed=0)
    plan = a_plan(tmp_path / "data", 2, data=data, held_out=held_out)

    def stop(done: int, total: int) -> None:
        assert (done, total) == (1, 2)
        raise StopAsked

    with pytest.raises(StopAsked):
        list(train(plan, store, on_image=stop))
    assert read_restart(store.root / "training" / "toy.restart").standing.measured_step == 0
    events = list(train(plan, store, resume=True))
    assert isinstance(events[1], Measured)
    assert events[1].step == 1


def test_that_a_canceled_run_leaves_the_previous_model(tmp_path: Path, store: ModelStore) -> None:
    list(train(a_plan(tmp_path / "data", 1), store))
    before = {path.name: path.read_bytes() for path in store.root.iterdir() if path.is_file()}
    events = train(a_plan(tmp_path / "data", 5), store)
    next(events)
    next(events)
    events.close()
    after = {path.name: path.read_bytes() for path in store.root.iterdir() if path.is_file()}
    assert after == before
    assert read_restart(store.root / "training" / "toy.restart").standing.step == 1


def test_that_a_loss_that_is_not_finite_changes_nothing(
    tmp_path: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[int] = []

    def poisoned(
        network: FasterRCNN, batch: Tensor, truths: Sequence[Truth], recipe: Recipe, *, bf16: bool
    ) -> dict[str, Tensor]:
        losses = detection_losses(network, batch, truths, recipe, bf16=bf16)
        calls.append(1)
        if len(calls) > 1:
            return losses
        for module in network.modules():  # whatever made the loss infinite went through the normalisation
            if isinstance(module, nn.BatchNorm2d) and module.running_mean is not None:
                module.running_mean.data.fill_(math.nan)
        return {**losses, "box": losses["box"] * math.nan}

    monkeypatch.setattr("engine.train.gradients.detection_losses", poisoned)
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


@pytest.fixture
def stopped(tmp_path: Path, store: ModelStore) -> Path:
    """The restart file of a run that was stopped after its first step."""
    events = train(a_plan(tmp_path / "data", 3), store)
    until(events, 1)
    events.close()
    return store.root / "training" / "toy.restart"


@pytest.mark.parametrize("content", [b"", b"PK", b"\x80\x04cos\nsystem\n."])
def test_that_a_hostile_restart_file_is_told(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "x.restart"
    file.write_bytes(content)
    with pytest.raises(TrainingError, match="damaged"):
        read_restart(file)


def test_that_a_restart_file_cut_off_or_with_a_changed_bit_is_told(stopped: Path) -> None:
    whole = stopped.read_bytes()
    flipped = bytearray(whole)
    flipped[len(whole) // 2] ^= 1  # in the middle of the weights, where torch would not notice
    for content in (whole[: len(whole) // 2], whole[:-1], bytes(flipped)):
        stopped.write_bytes(content)
        with pytest.raises(TrainingError, match="damaged"):
            read_restart(stopped)
    stopped.write_bytes(whole)
    assert read_restart(stopped).standing.step == 1


@pytest.mark.parametrize("fault", [OSError(28, "No space left on device"), RuntimeError("unexpected pos 64")])
def test_that_a_restart_file_that_cannot_be_written_leaves_the_old_one(
    stopped: Path, fault: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = stopped.read_bytes()

    def fail(*_: object) -> None:
        raise fault

    monkeypatch.setattr("engine.train.restart.torch.save", fail)
    with pytest.raises(TrainingError, match="cannot be written"):
        write_restart(stopped, read_restart(stopped))
    assert stopped.read_bytes() == before
    assert [path.name for path in stopped.parent.iterdir()] == ["toy.restart"]


def test_that_a_full_disk_costs_the_restart_file_and_not_the_training(
    tmp_path: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.train.loop.SECONDS_BETWEEN_RESTARTS", 0.0)
    events = train(a_plan(tmp_path / "data", 2), store)
    until(events, 1)
    assert next(events) == Saved(1)
    until(events, 2)
    with monkeypatch.context() as full:
        full.setattr("engine.files.os.fsync", lambda _: (_ for _ in ()).throw(OSError(28, "full")))
        noted = next(events)
    assert isinstance(noted, Noted)
    assert "goes on without it" in noted.text
    assert isinstance(list(events)[-1], Trained)


def test_that_stopping_at_once_leaves_the_restart_file_of_an_earlier_run(
    tmp_path: Path, store: ModelStore, stopped: Path
) -> None:
    before = stopped.read_bytes()
    events = train(a_plan(tmp_path / "data", 3), store)
    noted = next(events)
    assert isinstance(noted, Noted)
    assert "begins anew" in noted.text
    assert isinstance(next(events), Started)
    events.close()
    assert stopped.read_bytes() == before


def test_that_the_pace_and_the_time_left_are_told_from_the_second_step_on(
    tmp_path: Path, store: ModelStore
) -> None:
    first, second, third = stepped(train(a_plan(tmp_path / "data", 3), store))
    assert (first.seconds_a_step, first.seconds_left) == (None, None)
    assert second.seconds_a_step == pytest.approx(second.seconds - first.seconds)
    assert second.seconds_left is not None
    assert second.seconds_left >= second.seconds - first.seconds
    assert third.seconds_left == 0.0


def test_that_an_empty_set_cannot_be_trained_on(tmp_path: Path, store: ModelStore) -> None:
    plan = a_plan(tmp_path / "data", 3)
    empty = plan.data.with_images(tuple(dataclasses.replace(i, instances=()) for i in plan.data.images))
    with pytest.raises(TrainingError, match="nothing to learn"):
        next(train(dataclasses.replace(plan, data=empty), store))


def test_that_a_step_looks_at_a_window_of_the_recipes_side(tmp_path: Path, store: ModelStore) -> None:
    run = Run(a_plan(tmp_path / "data", 1, recipe=dataclasses.replace(QUICK, window=64)), store)
    samples, _ = run._pictures()
    assert {one.shape for one in samples if isinstance(one, Sample)} == {(64, 64)}


def test_that_the_first_restart_file_comes_within_seconds_and_the_next_ones_rarely(
    tmp_path: Path, store: ModelStore
) -> None:
    run = Run(a_plan(tmp_path / "data", 2), store)
    run.at = dataclasses.replace(run.at, step=1, seconds=1.0)
    assert not run.is_time_for_restart()
    run.at = dataclasses.replace(run.at, step=9, seconds=6.0)
    assert run.is_time_for_restart()
    assert run.save_restart() == Saved(9)
    run.at = dataclasses.replace(run.at, seconds=12.0)
    assert not run.is_time_for_restart()
    run.at = dataclasses.replace(run.at, seconds=400.0)
    assert run.is_time_for_restart()
