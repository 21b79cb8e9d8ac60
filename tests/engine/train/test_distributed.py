"""Two processes on the CPU (gloo) that train together: they hold the same, and what one would hold alone."""

from __future__ import annotations

import dataclasses
import math
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN

from engine.document.records import Instance
from engine.errors import TrainingError
from engine.formats.coco import write_coco
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.models.prompt_head import NAME as PROMPT_HEAD
from engine.models.store import ModelStore
from engine.models.version import save_version
from engine.train.distributed import Team, joined
from engine.train.events import Failed, Started, Stepped, Stopped, Trained, from_line
from engine.train.loop import Run
from engine.train.losses import detection_losses
from engine.train.order import TrainOrder
from engine.train.plan import Budget, TrainPlan
from engine.train.recipe import Recipe
from engine.train.restart import read_restart
from engine.train.truth import Truth
from tests.engine.networks import card_of, lively_network
from tests.engine.train.toy import DISC, disc, toy_set

ROOT = Path(__file__).resolve().parents[3]
SLIM = "maskrcnn_resnet18_slim_fpn"
SIDE = 256
STEPS = 3

COUNTED_ALIKE = Recipe(
    optimizer="sgd", learning_rate=0.02, warmup=1, frozen_stages=0, batch=2, scales=(1.0, 1.0), paste=0.0,
    mirror=0.0, colour=0.0, anchors=10**6, proposals_before_nms=1, proposals=1, rois=64, positive_share=0.5,
    mask_rois=2, near_truth=0,
)  # fmt: skip
"""Nothing is drawn at random, and every picture has as many anchors, RoIs and mask RoIs as the next one."""

_calls: list[int] = []


def poisoned(
    network: FasterRCNN, batch: Tensor, truths: Sequence[Truth], recipe: Recipe, *, bf16: bool
) -> dict[str, Tensor]:
    """The losses, of which one in the second step is not a number."""
    _calls.append(1)
    losses = detection_losses(network, batch, truths, recipe, bf16=bf16)
    return {**losses, "box": losses["box"] * math.nan} if len(_calls) == 2 else losses


def team_plan(folder: Path) -> TrainPlan:
    """Two pictures of two discs each, the second's moved by the coarsest stride; with a base if it is there.

    So that the anchors meet the discs of both alike.
    """
    images = []
    for number in range(2):
        masks = [disc(64 + 64 * number, y, 14, SIDE) for y in (64, 192)]
        pixels = np.random.default_rng(number).integers(0, 60, (SIDE, SIDE, 3), np.uint8)
        for mask in masks:
            pixels[mask.to_full(SIDE, SIDE)] = (230, 200, 60)
        path = folder / f"{number}.png"
        if not path.exists():
            cv2.imwrite(str(path), pixels)
        instances = tuple(Instance(10 * number + i, DISC.id, m) for i, m in enumerate(masks, 1))
        images.append(LabelledImage(path, SIDE, SIDE, instances))
    base = "base" if (folder / "base.safetensors").exists() else SLIM
    data = LabelledSet((DISC,), tuple(images))
    return TrainPlan(data, base, "team", Budget(iterations=10), recipe=COUNTED_ALIKE, side=SIDE)


def with_base(folder: Path) -> None:
    network = lively_network(SLIM, SIDE, SIDE)
    save_version(folder, "base", network, dataclasses.replace(card_of(network, SLIM), name="base"))


def trained_by_two(
    folder: Path, monkeypatch: pytest.MonkeyPatch, *, poisoned_rank: int = -1
) -> list[dict[str, Any]]:
    """What each of two processes holds after its steps; this process is the first of them."""
    from tests.engine.train.rank import hold

    team_plan(folder)  # writes the pictures
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    common = {
        "WORLD_SIZE": "2",
        "LOCAL_WORLD_SIZE": "2",
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }
    other = subprocess.Popen(
        [sys.executable, "-m", "tests.engine.train.rank", str(folder), str(poisoned_rank)],
        cwd=ROOT,
        env={**os.environ, **common, "RANK": "1", "LOCAL_RANK": "1"},
    )
    try:
        for name, value in {**common, "RANK": "0", "LOCAL_RANK": "0"}.items():
            monkeypatch.setenv(name, value)
        with joined("cpu") as (team, _):
            hold(folder, team, poisoned_rank)
        assert other.wait(120) == 0
    finally:
        other.kill()
        other.wait()
    return [torch.load(folder / f"{rank}.pt", weights_only=True) for rank in range(2)]


def test_that_two_processes_learn_what_one_would(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With frozen BatchNorm, and losses that count as much of either picture."""
    from tests.engine.train.rank import told

    with_base(tmp_path)
    first, second = trained_by_two(tmp_path, monkeypatch)
    assert first.keys() == second.keys()
    for name, tensor in first["weights"].items():
        assert torch.equal(tensor, second["weights"][name]), name
        assert torch.equal(first["average"][name], second["average"][name]), name
    assert (first["losses"], first["seconds"]) == (second["losses"], second["seconds"])

    run = Run(team_plan(tmp_path), ModelStore(tmp_path, bundled=tmp_path))
    start = {name: p.detach().clone() for name, p in run.parameters.items()}
    losses = [told(run.step()) for _ in range(STEPS)]
    # By the third step the rounding of two steps is in it.
    assert first["losses"][:2] == pytest.approx(losses[:2], rel=1e-5)
    assert first["losses"] == pytest.approx(losses, rel=2e-3)
    moved = apart = 0.0
    for name, parameter in run.parameters.items():
        if PROMPT_HEAD in name:
            continue
        moved += float((parameter.detach() - start[name]).square().sum())
        apart += float((parameter.detach() - first["weights"][name]).square().sum())
    assert moved > 0
    # Sums in another order: a thousandth of the way that the weights went.
    assert apart**0.5 < 1e-3 * moved**0.5


def test_that_a_loss_that_is_not_finite_on_one_process_is_left_out_on_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With live BatchNorm, whose statistics stay the same on both."""
    first, second = trained_by_two(tmp_path, monkeypatch, poisoned_rank=1)
    assert first["skipped"] == second["skipped"] == [False, True, False]
    assert any(name.endswith("running_var") for name in first["statistics"])
    for kind in ("weights", "average", "statistics"):
        for name, tensor in first[kind].items():
            assert torch.equal(tensor, second[kind][name]), name
            assert bool(tensor.isfinite().all()), name


def test_that_more_processes_than_pictures_a_step_are_refused(tmp_path: Path) -> None:
    with pytest.raises(TrainingError, match="2 pictures cannot be dealt out to 3 processes"):
        Run(team_plan(tmp_path), ModelStore(tmp_path, bundled=tmp_path), Team(rank=1, size=3))


def test_that_the_pictures_of_a_step_are_dealt_out_once_each() -> None:
    dealt = [list(Team(rank, 3).own(8)) for rank in range(3)]
    assert dealt == [[0, 3, 6], [1, 4, 7], [2, 5]]


def torchrun(order: Path, *arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--standalone"),
            *("-m", "engine.train", str(order), *arguments),
        ],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_that_the_program_under_torchrun_stops_goes_on_and_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(tmp_path / "models"))
    write_coco(tmp_path / "toy.json", toy_set(tmp_path, 5))
    order = TrainOrder(
        tmp_path / "toy.json", base=SLIM, name="toy", device="cpu", side=96, held_out=0.2, val_fraction=0.2,
        iterations=1000, recipe={"batch": 3},
    )  # fmt: skip
    file = tmp_path / "order.json"
    file.write_text(order.to_json(), encoding="utf-8")
    with torchrun(file, "--commands") as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in process.stdout:
            event = from_line(line)  # whatever else came out would fail here
            if isinstance(event, Stepped) and event.step == 2:
                process.stdin.write('{"command": "stop"}\n')
                process.stdin.flush()
        process.communicate()
    assert process.returncode != 0
    assert isinstance(event, Stopped)
    assert event.step is not None
    assert read_restart(tmp_path / "models" / "training" / "toy.restart").standing.step == event.step

    again = dataclasses.replace(order, resume=True, iterations=event.step + 2)
    file.write_text(again.to_json(), encoding="utf-8")
    with torchrun(file) as process:
        out, errors = process.communicate()
    events = [from_line(line) for line in out.splitlines()]
    assert process.returncode == 0, errors
    assert [e.step for e in events if isinstance(e, Started)] == [event.step]
    done = events[-1]
    assert isinstance(done, Trained)
    assert (done.steps, done.best.card.name) == (event.step + 2, "toy")
    assert "mask_ap" in done.metrics


@pytest.mark.slow
@pytest.mark.timeout(900)
def test_that_one_process_that_fails_ends_all_with_its_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(tmp_path / "models"))
    write_coco(tmp_path / "toy.json", toy_set(tmp_path, 4))
    (tmp_path / "toy0.png").write_bytes(b"damaged")  # one of the two comes upon it first
    file = tmp_path / "order.json"
    order = TrainOrder(tmp_path / "toy.json", base=SLIM, name="toy", device="cpu", side=96, iterations=50)
    file.write_text(order.to_json(), encoding="utf-8")
    with torchrun(file) as process:
        out, errors = process.communicate(timeout=250)
    assert process.returncode != 0
    ending = from_line(out.splitlines()[-1])
    assert isinstance(ending, Failed)
    assert not ending.fault
    assert "toy0.png" in ending.message + errors
