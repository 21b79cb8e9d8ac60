"""What can go wrong in the training itself: it is told in a sentence, no version comes of it, and a restart
goes on to the same bytes as an unbroken run.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import cast

import pytest
import torch
from torchvision.models.detection import FasterRCNN

from engine.errors import MaskwrightError, MediaError, TrainingError
from engine.formats.labelled import LabelledSet
from engine.models.store import ModelStore
from engine.project import Project
from engine.train import gradients, loop, work
from engine.train import losses as losses_module
from engine.train.events import Judged, Noted, Saved, Stepped, Stopped, Trained, TrainEvent
from engine.train.gradients import add_gradients
from engine.train.order import TrainOrder
from engine.train.recipe import Recipe
from engine.train.sample import Sample
from engine.train.snapshot import read_snapshot, write_snapshot
from engine.train.sources import load_for_tuning
from engine.train.wishes import Wishes
from engine.tuning.preparing import prepare
from tests.engine.train.toy import toy_set
from tests.engine.tuning.making import reviewed_project

STEPS = 4
NAME = "discs-1"


@pytest.fixture(autouse=True)
def one_thread(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.train.loop.use_threads", lambda **_: 1)
    torch.set_num_threads(1)


@pytest.fixture
def order(tmp_path: Path, models: ModelStore) -> TrainOrder:
    folder = reviewed_project(tmp_path / "discs", 6)
    with Project.open(folder) as project:
        list(prepare(project, 0.2))
    return TrainOrder(
        folder, base="base", name=NAME, iterations=STEPS, device="cpu", side=96, gate=True,
        against="base", recipe={"batch": 2, "frozen_stages": 4, "rois": 16, "mask_rois": 2},
    )  # fmt: skip


@pytest.fixture
def judged_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """The gate and the held-out pictures are left out: what is trained is what matters here."""
    monkeypatch.setattr("engine.train.gating.Gate.passed", lambda _gate, trained: trained)
    monkeypatch.setattr("engine.train.showing.Showing.is_due", lambda *_: False)


def carried_out(
    order: TrainOrder, on_event: Callable[[TrainEvent, Wishes], None] = lambda _event, _wishes: None
) -> tuple[object, list[TrainEvent]]:
    """The ending, and what was said before."""
    wishes, said = Wishes(), list[TrainEvent]()

    def send(event: TrainEvent) -> None:
        said.append(event)
        on_event(event, wishes)

    return work.carry_out(order, send, wishes), said


def weights(models: ModelStore) -> bytes:
    return models.resolve(NAME).path.read_bytes()


def unbroken(order: TrainOrder, models: ModelStore) -> bytes:
    """The bytes of a run that nothing happens to; its version is gone again."""
    assert isinstance(carried_out(order)[0], Trained)
    made = weights(models)
    models.remove(NAME)
    return made


def has_version(models: ModelStore) -> bool:
    return NAME in {one.name for one in models.list()}


class Killed(BaseException):
    """The process is gone: nothing is cleaned up behind it."""


def test_that_a_killed_run_goes_on_from_its_file_with_the_data_of_its_start(
    order: TrainOrder, models: ModelStore, judged_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = unbroken(order, models)
    monkeypatch.setattr(loop, "SECONDS_TO_FIRST_RESTART", 0.0)
    monkeypatch.setattr(loop, "LEAST_BETWEEN_RESTARTS", 0.0)
    monkeypatch.setattr(loop, "SHARE_OF_WRITING", 1e9)

    def kill(event: TrainEvent, _wishes: Wishes) -> None:
        if isinstance(event, Stepped) and event.step == 3:
            monkeypatch.setattr(loop.Run, "stop", lambda _run: None)
            raise Killed

    with pytest.raises(Killed):
        carried_out(order, kill)
    assert not has_version(models)
    with Project.open(order.data) as project:  # the person goes on working meanwhile
        first = project.media()[0]
        project.delete_classes([project.classes()[0].id])
        assert project.load(first.id).instances == ()
    ending, said = carried_out(replace(order, resume=True))
    assert isinstance(ending, Trained)
    assert [event.step for event in said if isinstance(event, Stepped)] == [3, 4]
    assert weights(models) == whole


def test_that_a_full_disk_costs_the_file_and_not_the_training(
    order: TrainOrder, models: ModelStore, judged_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = unbroken(order, models)

    def full(*_: object) -> None:
        raise RuntimeError("[enforce fail] No space left on device")

    monkeypatch.setattr(loop, "SECONDS_TO_FIRST_RESTART", 0.0)
    monkeypatch.setattr(loop, "LEAST_BETWEEN_RESTARTS", 0.0)
    monkeypatch.setattr("engine.train.restart.torch.save", full)
    ending, said = carried_out(order)
    assert isinstance(ending, Trained)
    assert weights(models) == whole
    assert any(isinstance(event, Noted) and "make room" in event.text for event in said)


def test_that_a_disk_that_is_full_at_the_end_leaves_no_version_and_what_was_done(
    order: TrainOrder, models: ModelStore, judged_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = unbroken(order, models)
    monkeypatch.setattr(loop, "SECONDS_TO_FIRST_RESTART", 0.0)
    monkeypatch.setattr(loop, "LEAST_BETWEEN_RESTARTS", 0.0)
    monkeypatch.setattr(loop, "SHARE_OF_WRITING", 1e9)
    with monkeypatch.context() as patched:

        def full(*_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

        patched.setattr("safetensors.torch.save_file", full)
        with pytest.raises(MaskwrightError, match="No space left on device"):
            carried_out(order)
    assert not has_version(models)
    assert isinstance(carried_out(replace(order, resume=True))[0], Trained)
    assert weights(models) == whole


def test_that_a_removed_image_is_named_and_put_back_the_run_goes_on(
    order: TrainOrder, models: ModelStore, judged_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = unbroken(order, models)
    monkeypatch.setattr("engine.train.dataset.CACHE_BYTES", 0)
    aside = order.data.parent / "aside"

    def remove(event: TrainEvent, _wishes: Wishes) -> None:
        if isinstance(event, Stepped) and event.step == 2:
            aside.mkdir()
            for picture in order.data.glob("*.png"):
                shutil.move(picture, aside / picture.name)

    with pytest.raises(MediaError, match=r"toy\d\.png"):
        carried_out(order, remove)
    assert not has_version(models)
    for picture in aside.glob("*.png"):
        shutil.move(picture, order.data / picture.name)
    ending, said = carried_out(replace(order, resume=True))
    assert isinstance(ending, Trained)
    assert [event.step for event in said if isinstance(event, Stepped)] == [3, 4]
    assert weights(models) == whole


def stop_at(step: int) -> Callable[[TrainEvent, Wishes], None]:
    def stop(event: TrainEvent, wishes: Wishes) -> None:
        if isinstance(event, Stepped) and event.step == step:
            wishes.set()

    return stop


@pytest.mark.parametrize("suffix", [".restart", ".data"])
def test_that_a_corrupt_file_of_a_stopped_run_is_told_and_a_new_run_is_free(
    order: TrainOrder, models: ModelStore, judged_at_once: None, suffix: str
) -> None:
    assert carried_out(order, stop_at(1))[0] == Stopped(1)
    file = models.root / "training" / f"{NAME}{suffix}"
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(byte ^ 0xFF for byte in content[middle : middle + 200])
    file.write_bytes(content)
    with pytest.raises(TrainingError, match="damaged"):
        carried_out(replace(order, resume=True))
    assert not has_version(models)
    assert isinstance(carried_out(order)[0], Trained)


def test_that_a_loss_that_is_never_finite_ends_in_a_sentence(
    order: TrainOrder, models: ModelStore, judged_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = losses_module.detection_losses

    def poisoned(*given: object, **named: object) -> dict[str, torch.Tensor]:
        losses: dict[str, torch.Tensor] = real(*given, **named)  # type: ignore[arg-type]
        return {**losses, "box": losses["box"] * float("nan")}

    monkeypatch.setattr(gradients, "detection_losses", poisoned)
    monkeypatch.setattr(loop, "MOST_SKIPPED", 2)
    with pytest.raises(TrainingError, match="not been a finite number"):
        carried_out(order)
    assert not has_version(models)


def test_that_too_small_a_memory_halves_what_is_taken_at_once_and_nothing_else(
    order: TrainOrder, models: ModelStore, judged_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, sizes = losses_module.detection_losses, list[int]()

    def small(network: object, batch: torch.Tensor, *given: object, **named: object) -> object:
        sizes.append(len(batch))
        if len(batch) > 1:
            raise RuntimeError("CUDA out of memory. Tried to allocate 2.00 GiB")
        return real(network, batch, *given, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(gradients, "detection_losses", small)
    ending, said = carried_out(order)
    assert isinstance(ending, Trained)
    assert sizes == [2] + [1] * (2 * STEPS)
    assert [event.text for event in said if isinstance(event, Noted) and "memory" in event.text] == [
        "the memory does not hold a whole step: 1 of its pictures are taken at once"
    ]


def test_that_a_memory_that_holds_not_one_picture_is_told(
    order: TrainOrder, models: ModelStore, judged_at_once: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object, **__: object) -> object:
        raise RuntimeError("DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(gradients, "detection_losses", none)
    with pytest.raises(RuntimeError, match="allocate memory"):  # the program makes it a sentence
        carried_out(order)
    assert not has_version(models)


def test_that_pictures_one_by_one_add_up_to_the_losses_of_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    weight = torch.ones(1, requires_grad=True)

    def losses(_network: object, batch: torch.Tensor, *_: object, **__: object) -> dict[str, torch.Tensor]:
        return {"classes": weight.sum() * batch.mean(), "box": weight.sum() * 2}

    monkeypatch.setattr(gradients, "detection_losses", losses)
    import numpy as np

    samples = [
        Sample(
            np.full((32, 32, 3), 40 * n, np.uint8), np.zeros((0, 4), np.float32), np.zeros(0, np.int64), ()
        )
        for n in range(5)
    ]
    found = list[tuple[float, float, float]]()
    network = cast(FasterRCNN, None)  # what would run it is played
    for at_once in (0, 2, 1):
        weight.grad = torch.zeros(1)
        named = add_gradients(
            network,
            samples,
            Recipe(),
            mean=(0.0, 0.0, 0.0),
            std=(1.0, 1.0, 1.0),
            device=torch.device("cpu"),
            at_once=at_once,
        )
        found.append((named["classes"].item(), named["box"].item(), float(weight.grad.item())))
    assert found[1] == pytest.approx(found[0], rel=1e-6)
    assert found[2] == pytest.approx(found[0], rel=1e-6)


def test_that_stopping_while_it_is_judged_leaves_a_version_without_a_verdict(
    order: TrainOrder, models: ModelStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(event: TrainEvent, wishes: Wishes) -> None:
        if isinstance(event, Noted) and "held-out images" in event.text:
            wishes.set()

    monkeypatch.setattr("engine.train.showing.Showing.is_due", lambda *_: False)
    ending, said = carried_out(replace(order, iterations=1), stop)
    assert isinstance(ending, Trained)
    assert not any(isinstance(event, Judged | Saved) for event in said)
    assert "gate" not in models.resolve(NAME).card.training


def test_that_what_is_learned_from_is_set_down_as_it_is(order: TrainOrder, tmp_path: Path) -> None:
    learned, measured = load_for_tuning(order.data)
    file = tmp_path / "some" / "x.data"
    write_snapshot(file, learned, measured)
    again = read_snapshot(file)
    assert again == (learned, measured)
    assert [one.fingerprint() for one in again] == [learned.fingerprint(), measured.fingerprint()]
    odd: LabelledSet = toy_set(tmp_path, 1)
    write_snapshot(file, odd, odd.with_images(()))
    assert read_snapshot(file) == (odd, odd.with_images(()))
