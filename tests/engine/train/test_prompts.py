"""The branch for prompts is taught alone, at the end of a run, on looks that are kept."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN

from engine.media.image import read_rgb
from engine.models.families import build
from engine.models.prompt_head import NAME as BRANCH
from engine.models.spec import NetworkSpec
from engine.models.store import ModelStore
from engine.models.version import load_network
from engine.predict.preprocess import to_batch
from engine.train.dataset import sample_of
from engine.train.events import EndedEarly, Measured, Noted, Stepped, Trained
from engine.train.loop import train
from engine.train.losses import detection_losses, prepare_for_training
from engine.train.plan import Budget, TrainPlan
from engine.train.prompts import USES, Look, Looks, look_at, prompt_loss, where_wrong
from engine.train.recipe import Recipe
from engine.train.restart import read_restart
from engine.train.sample import Sample
from engine.train.sources import split
from engine.train.start import freeze_all_but_prompts
from engine.train.truth import Truth
from tests.engine.train.test_loop import QUICK, a_plan, until, with_base
from tests.engine.train.toy import DISC, SIDE, toy_set

CPU = torch.device("cpu")
MEAN, STD = (0.5, 0.5, 0.5), (0.25, 0.25, 0.25)
SPEC = NetworkSpec(
    "maskrcnn_resnet18_slim_fpn", 1, anchor_base=16, min_size=SIDE, max_size=SIDE, prompts=True
)
TAUGHT = dataclasses.replace(QUICK, prompt_share=0.4, prompt_batch=2, prompt_rois=2)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", bundled=tmp_path / "none")


@pytest.fixture
def network() -> FasterRCNN:
    torch.manual_seed(0)
    return build(SPEC).train()


def looks_of(network: FasterRCNN, folder: Path, *, bf16: bool = False) -> list[Look]:
    found = []
    for image in toy_set(folder, 3).images:
        sample = sample_of(image, read_rgb(image.path), {DISC.id: 1})
        found.append(look_at(network, sample, mean=MEAN, std=STD, device=CPU, bf16=bf16))
    return found


def plan_of(folder: Path, steps: int, recipe: Recipe = TAUGHT, **changes: object) -> TrainPlan:
    return a_plan(folder, steps, recipe=recipe, **changes)


def state(store: ModelStore, name: str) -> dict[str, Tensor]:
    found: dict[str, Tensor] = load_network(store.resolve(name)).state_dict()
    return found


def changed(before: dict[str, Tensor], after: dict[str, Tensor]) -> set[str]:
    return {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}


def test_that_only_the_branch_is_taught_and_learns(network: FasterRCNN, tmp_path: Path) -> None:
    looks = looks_of(network, tmp_path)
    freeze_all_but_prompts(network)
    assert not any(one.training for one in network.modules() if isinstance(one, torch.nn.BatchNorm2d))
    learned = [p for p in network.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(learned, lr=2e-3)
    torch.manual_seed(0)
    losses = []
    for _ in range(30):
        optimizer.zero_grad()
        loss = prompt_loss(network, looks, Recipe(prompt_rois=2))["prompt"]
        torch.autograd.backward(loss)
        optimizer.step()
        losses.append(loss.item())
    assert sum(losses[-5:]) < 0.6 * sum(losses[:5])
    taught = {name for name, one in network.named_parameters() if one.grad is not None}
    assert taught == {name for name, _ in network.named_parameters() if BRANCH in name}


def test_that_what_a_step_of_everything_teaches_the_branch_changes_nothing_else(
    network: FasterRCNN, tmp_path: Path
) -> None:
    images = toy_set(tmp_path, 2).images
    samples = [sample_of(image, read_rgb(image.path), {DISC.id: 1}) for image in images]
    batch = to_batch([s.image for s in samples], [s.shape for s in samples], mean=MEAN, std=STD, device=CPU)
    truths = [Truth.of(sample, CPU) for sample in samples]
    without = build(dataclasses.replace(SPEC, prompts=False)).train()
    without.load_state_dict(network.state_dict(), strict=False)
    found = []
    for one in (network, without):
        prepare_for_training(one, QUICK)
        torch.manual_seed(1)
        found.append(detection_losses(one, batch, truths, QUICK))
    assert found[0].keys() - found[1].keys() == {"prompt"}
    assert {name: found[0][name] for name in found[1]} == found[1]
    torch.autograd.backward(found[0]["prompt"])
    taught = {name for name, one in network.named_parameters() if one.grad is not None}
    assert taught == {name for name, _ in network.named_parameters() if BRANCH in name}


def test_that_bf16_changes_the_loss_by_its_rounding_alone(network: FasterRCNN, tmp_path: Path) -> None:
    found = []
    for bf16 in (False, True):
        looks = looks_of(network, tmp_path, bf16=bf16)
        torch.manual_seed(1)
        found.append(prompt_loss(network, looks, Recipe(), bf16=bf16)["prompt"])
    assert found[1].dtype == torch.float32
    assert found[1].item() == pytest.approx(found[0].item(), rel=0.03)


def test_that_pictures_without_masks_teach_nothing(network: FasterRCNN, tmp_path: Path) -> None:
    (look, *_) = looks_of(network, tmp_path)
    sample = dataclasses.replace(look.truth.sample, crops=(None,) * len(look.truth.sample.crops))
    bare = dataclasses.replace(look, truth=Truth.of(sample, CPU))
    loss = prompt_loss(network, [bare], Recipe())["prompt"]
    torch.autograd.backward(loss)
    assert loss.item() == 0.0


def test_that_a_look_keeps_no_pixels_and_the_shape(network: FasterRCNN, tmp_path: Path) -> None:
    (look, *_) = looks_of(network, tmp_path)
    assert look.truth.sample.shape == (SIDE, SIDE)
    assert not any(look.truth.sample.image.strides)
    assert look.nbytes > 0


def test_that_a_run_ends_with_the_branch_alone(tmp_path: Path, store: ModelStore) -> None:
    events = list(train(plan_of(tmp_path / "data", 10), store))
    steps = [event for event in events if isinstance(event, Stepped)]
    assert ["mask" in step.losses for step in steps] == [True] * 6 + [False] * 4
    assert [step.losses.keys() == {"prompt"} for step in steps] == [False] * 6 + [True] * 4
    assert any(isinstance(event, Noted) and "boxes and clicks" in event.text for event in events)
    assert changed(state(store, "toy-last"), state(store, "toy")) <= {
        name for name in state(store, "toy") if BRANCH in name
    }


def test_that_a_share_of_all_leaves_the_rest_of_a_model_as_it_is(tmp_path: Path, store: ModelStore) -> None:
    with_base(store)
    data, held_out = split(toy_set(tmp_path, 4), 0.25, seed=0)
    recipe = dataclasses.replace(TAUGHT, prompt_share=1.0)
    plan = plan_of(tmp_path / "data", 4, recipe, base="base", data=data, held_out=held_out)
    events = list(train(plan, store))
    assert not [event for event in events if isinstance(event, Measured)]
    before, after = state(store, "base"), state(store, "toy")
    assert {
        name for name in changed(before, {n: after[n] for n in before}) if "predictor" not in name
    } == set()
    assert any(after[name].abs().sum() > 0 for name in after if f"{BRANCH}.change" in name)
    assert {"held_out_mask_ap", "held_out_fine_mask_ap"} <= store.resolve("toy").card.metrics.keys()


def test_that_a_run_stopped_while_it_teaches_the_branch_goes_on_to_the_same_bits(tmp_path: Path) -> None:
    data, held_out = split(toy_set(tmp_path, 4), 0.25, seed=0)
    plan = plan_of(tmp_path / "data", 10, data=data, held_out=held_out)
    broken, whole = (ModelStore(tmp_path / name, bundled=tmp_path / "none") for name in ("broken", "whole"))
    list(train(plan, whole))
    events = train(plan, broken)
    until(events, 8)
    events.close()
    at = read_restart(broken.root / "training" / "toy.restart").standing
    assert (at.on_prompts, at.prompts_step) == (True, 6)
    assert isinstance(list(train(plan, broken, resume=True))[-1], Trained)
    for name in ("toy", "toy-last"):
        ours, theirs = (one.resolve(name) for one in (broken, whole))
        assert ours.path.read_bytes() == theirs.path.read_bytes()
        assert ours.card.metrics == theirs.card.metrics


def test_that_a_run_that_no_longer_improves_turns_to_the_branch(
    tmp_path: Path, store: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.train.standing.PATIENCE", 1)
    data, held_out = split(toy_set(tmp_path, 4), 0.25, seed=0)
    recipe = dataclasses.replace(TAUGHT, prompt_share=0.2, learning_rate=0.0)
    plan = plan_of(tmp_path / "data", 20, recipe, data=data, held_out=held_out)
    events = list(train(plan, store))
    steps = [event for event in events if isinstance(event, Stepped)]
    first = next(n for n, step in enumerate(steps) if step.losses.keys() == {"prompt"})
    assert 12 <= first < 16
    assert len(steps) == first + 4
    assert [event.step for event in events if isinstance(event, EndedEarly)] == [len(steps)]


def test_that_a_share_of_steps_is_whole_steps() -> None:
    assert Budget(iterations=4).whole(0.2) == 0.0
    assert Budget(iterations=9).whole(0.25) == pytest.approx(2 / 9)
    assert Budget(minutes=2.0).whole(0.25) == 0.25
    assert Budget(iterations=3).whole(7.0) == 1.0


def a_look(bytes_: int) -> Look:
    sample = Sample(np.zeros((8, 8, 3), np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64), ())
    return Look((torch.zeros(1, 1, bytes_, dtype=torch.uint8),), {}, (32, 32), Truth.of(sample, CPU))


def looks_with_log(count: int, max_bytes: int) -> tuple[Looks, list[int]]:
    log: list[int] = []

    def look(index: int, _chance: np.random.Generator) -> Look:
        log.append(index)
        return a_look(100)

    return Looks(look, count, 2, seed=0, max_bytes=max_bytes), log


def test_that_a_look_is_used_some_times_and_then_another_one_is_taken() -> None:
    looks, log = looks_with_log(4, max_bytes=10_000)
    assert looks.pool == 4
    for step in range(2 * USES):
        looks.of(step, range(2))
    assert sorted(log) == [0, 1, 2, 3]
    for step in range(2 * USES, 2 * USES + 2):
        looks.of(step, range(2))
    assert sorted(log) == [0, 0, 1, 1, 2, 2, 3, 3]


def test_that_every_picture_has_its_turn_where_few_can_be_kept() -> None:
    looks, log = looks_with_log(6, max_bytes=250)
    assert looks.pool == 2
    for step in range(3 * USES):
        looks.of(step, range(2))
    assert sorted(log) == [0, 1, 2, 3, 4, 5]


def test_that_the_looks_of_a_step_are_the_same_for_whoever_begins_there() -> None:
    def look(index: int, chance: np.random.Generator) -> Look:
        found = a_look(100)
        found.body[0][:] = 10 * index + int(chance.integers(10))
        return found

    def said(looks: Looks, step: int) -> list[int]:
        return [int(one.body[0][0, 0, 0]) for one in looks.of(step, range(2))]

    whole, later = (Looks(look, 5, 2, seed=3, max_bytes=450) for _ in range(2))
    steps = [said(whole, step) for step in range(40)]
    assert [said(later, step) for step in range(25, 40)] == steps[25:]


def where(found: Sequence[slice], true: Sequence[slice]) -> tuple[float, float] | None:
    masks = np.zeros((2, 40, 40), np.bool_)
    masks[0][tuple(found)] = True
    masks[1][tuple(true)] = True
    return where_wrong(masks[0], masks[1])


def test_that_a_click_is_in_the_largest_part_that_is_wrong() -> None:
    for seed in range(20):
        torch.manual_seed(seed)
        missing = where((slice(0, 20), slice(0, 20)), (slice(0, 20), slice(0, 40)))
        assert missing is not None
        assert 20 < missing[0] < 40
        assert missing[1] < 20
        spare = where((slice(0, 40), slice(0, 40)), (slice(0, 40), slice(0, 25)))
        assert spare is not None
        assert spare[0] > 25


def test_that_nothing_is_clicked_on_where_a_mask_is_right() -> None:
    assert where((slice(3, 9), slice(3, 9)), (slice(3, 9), slice(3, 9))) is None
