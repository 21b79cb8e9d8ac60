"""What can go wrong while a fine-tuning learns: the old model stays active, a sentence says what to do, and a
restart goes on to the bits of an unbroken run.

Tuner, project and training are the real ones. But for the process that is killed, the training runs on the
tuner's thread, where it can be hurt; test_tuner.py has processes, however they end.
"""

from __future__ import annotations

import math
import os
import queue
import shutil
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from engine.errors import ModelError
from engine.messages import (
    Accept,
    Canceled,
    Decision,
    Event,
    Failed,
    FineTune,
    Finished,
    Judged,
    Noted,
    Saved,
    Stepped,
    TuningNews,
)
from engine.models.store import ModelStore
from engine.models.version import load_network
from engine.project import Project
from engine.train import gradients, loop, process
from engine.train.events import Trained, TrainEvent
from engine.train.gate import unmeasured
from engine.train.gating import Gate
from engine.train.losses import detection_losses
from engine.train.order import TrainOrder
from engine.train.process import TrainingProcess
from engine.train.program import _failed
from engine.train.verdict import Verdict
from engine.train.wishes import Wishes
from engine.train.work import carry_out
from engine.tuning import tuner
from engine.tuning.stopped import stopped_run
from engine.tuning.tuner import Tuner
from tests.engine.tuning.making import reviewed_project, until_end

STEPS = 3
FULL = OSError(28, "No space left on device")
Heard = list[TuningNews | Event]
AtStep = Callable[[int, Wishes], None]

DEAF_AFTER_ONE = """
import sys, time
from engine.train import loop
from engine.train.program import main
loop.use_threads = lambda **_: 1
loop.SECONDS_BETWEEN_RESTARTS = 0.0
step = loop.Run.step
loop.Run.step = lambda run: time.sleep(60) if run.at.step == 1 else step(run)
sys.exit(main())
"""


@dataclass(slots=True)
class Here:
    """Stands for the training process. at_step: called after each step, with its number and the wishes."""

    order: TrainOrder
    at_step: AtStep

    def events(self) -> Iterator[TrainEvent]:
        wishes, said = Wishes(), list[TrainEvent]()

        def send(event: TrainEvent) -> None:
            said.append(event)
            if isinstance(event, Stepped):
                self.at_step(event.step, wishes)
            if isinstance(event, Noted) and "held-out images" in event.text:
                self.at_step(STEPS + 1, wishes)

        try:
            ending = carry_out(self.order, send, wishes)
        except Exception as error:  # noqa: BLE001 - as the program does
            ending = _failed(error)
        assert ending is not None
        yield from (*said, ending)

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def better_at_once(gate: Gate, trained: Trained) -> Trained:
    """In the gate's place: the new version is to be active, whatever it is."""
    gate.send(Judged(unmeasured(gate.against, trained.best.card.name, Accept.ALWAYS)))
    return trained


@dataclass(frozen=True, slots=True)
class Bench:
    """A reviewed project that works with `base`, its store, and the weights of an undisturbed training."""

    folder: Path
    store: ModelStore
    unbroken: dict[str, Tensor]

    def tune(
        self,
        name: str,
        at_step: AtStep = lambda _step, _wishes: None,
        *,
        judged: bool = False,
        **changes: Any,
    ) -> Heard:
        """All that is heard of a fine-tuning, the ending last. judged: by the real gate, which is slower."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(tuner, "TrainingProcess", lambda order: Here(order, at_step))
            if not judged:
                patch.setattr(Gate, "passed", better_at_once)
            return self.heard(name, **changes)

    def heard(self, name: str, listen: Callable[[object], None] = lambda _: None, **changes: Any) -> Heard:
        """The same of whatever process the tuner starts. Unless it is trained, nothing has changed."""
        events: queue.SimpleQueue[Event] = queue.SimpleQueue()
        recipe = {"batch": 2, "frozen_stages": 4, "rois": 16, "mask_rois": 2}
        request = FineTune(
            self.folder, base="base", against="base", iterations=STEPS, side=96, held_out=0.34, device="cpu",
            accept=Accept.ALWAYS, name=name, window=False, recipe=recipe,
        )  # fmt: skip
        one = Tuner(events.put, Project.open)
        one.submit(1, replace(request, **changes))
        seen: Heard = []
        for event in until_end(events, 60):
            seen.append(event)
            listen(event)
        one.close(10)
        if not isinstance(seen[-1], Finished):
            assert self.active() == "base"
        return seen

    def go_back(self) -> None:
        with Project.open(self.folder) as project:
            project.activate_model("base")

    def active(self) -> str:
        with Project.open(self.folder, read_only=True) as project:
            return project.active_model().name

    def weights(self, name: str) -> dict[str, Tensor]:
        state: dict[str, Tensor] = load_network(self.store.resolve(name)).state_dict()
        return state

    def has_version(self, name: str) -> bool:
        return name in {one.name for one in self.store.list()}

    def goes_on(self, name: str, like: dict[str, Tensor] | None = None) -> bool:
        """Resume what was stopped: whether it comes, active, to the weights of the undisturbed one."""
        assert not self.has_version(name)
        ending = self.tune(name, resume=True)[-1]
        assert isinstance(ending, Finished), ending
        assert self.active() == name
        assert list((self.store.root / "training").glob(f"{name}.*")) == []
        self.go_back()
        made = self.weights(name)
        return all(torch.equal(made[key], tensor) for key, tensor in (like or self.unbroken).items())


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory, base_files: Path) -> Iterator[Bench]:
    root = tmp_path_factory.mktemp("faults")
    shutil.copytree(base_files, root / "models")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MASKWRIGHT_MODELS", str(root / "models"))
        patch.setattr(loop, "use_threads", lambda **_: 1)
        patch.setattr(loop, "SECONDS_BETWEEN_RESTARTS", 0.0)  # a restart file after each step
        patch.setattr("engine.train.showing.Showing.is_due", lambda *_: False)
        patch.setattr(Gate, "_reported", lambda *_: "")
        folder = reviewed_project(root / "discs", 6)
        made = Bench(folder, ModelStore(root / "models"), {})
        assert isinstance(made.tune("unbroken")[-1], Finished)
        made.go_back()
        yield replace(made, unbroken=made.weights("unbroken"))


@pytest.fixture
def few_restarts(monkeypatch: pytest.MonkeyPatch) -> None:
    """No restart file but where a run that ends leaves one."""
    monkeypatch.setattr(loop.Run, "is_time_for_restart", lambda _: False)


def failure(heard: Heard) -> str:
    """The one sentence that it ended with."""
    ending = heard[-1]
    assert isinstance(ending, Failed), ending
    assert "\n" not in ending.message
    assert "should not" not in ending.message
    return ending.message


def stop_after_one(step: int, wishes: Wishes) -> None:
    if step == 1:
        wishes.set()


def raising(error: Exception) -> Callable[..., Any]:
    def fail(*_: object, **__: object) -> None:
        raise error

    return fail


@contextmanager
def moved_away(folder: Path) -> Iterator[Callable[[str], None]]:
    """Gives what moves pictures of the folder aside; at the end of the block they are back."""
    aside, gone = folder.with_name("aside"), list[Path]()
    aside.mkdir()

    def move(pattern: str) -> None:
        for picture in folder.glob(pattern):
            gone.append(picture)
            picture.rename(aside / picture.name)

    try:
        yield move
    finally:
        for picture in gone:
            (aside / picture.name).rename(picture)
        aside.rmdir()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGKILL")
def test_that_a_killed_process_goes_on_with_the_data_of_its_start(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "command", lambda: [sys.executable, "-P", "-c", DEAF_AFTER_ONE])
    own = replace(bench, folder=Path(shutil.copytree(bench.folder, tmp_path / "discs")))
    pids = list[int]()

    def started(order: TrainOrder) -> TrainingProcess:
        made = TrainingProcess(order)
        pids.append(made.pid)
        return made

    def kill(event: object) -> None:
        if event == Saved(1):
            os.kill(pids[0], signal.SIGKILL)

    with monkeypatch.context() as patch:
        patch.setattr(tuner, "TrainingProcess", started)
        assert "restart file goes on after step 1" in failure(own.heard("killed", kill))
    with Project.open(own.folder) as project:  # the person goes on working meanwhile
        project.delete_classes([project.classes()[0].id])
    assert own.goes_on("killed")


def test_that_a_closed_window_goes_on(bench: Bench, few_restarts: None) -> None:
    assert bench.tune("closed", stop_after_one)[-1] == Canceled(1)
    stopped = stopped_run(bench.store.root, bench.folder)
    assert stopped is not None
    assert (stopped.name, stopped.step) == ("closed", 1)
    assert bench.goes_on("closed")


def test_that_a_disk_that_is_full_at_a_stop_is_told_and_leaves_nothing(
    bench: Bench, few_restarts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.files.os.fsync", raising(FULL))
    told = failure(bench.tune("full-stop", stop_after_one))
    assert "No space left on device" in told
    assert "make room" in told
    assert list((bench.store.root / "training").glob("full-stop*")) == []


def test_that_a_version_the_disk_has_no_room_for_is_saved_when_it_has(
    bench: Bench, few_restarts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr("engine.models.version.safetensors.torch.save_file", raising(FULL))
        heard = bench.tune("unsaved")
    assert "No space left on device" in failure(heard)
    assert Saved(STEPS) in heard
    assert bench.goes_on("unsaved")


def test_that_removed_images_are_named_and_put_back_it_goes_on(
    bench: Bench, few_restarts: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.train.dataset.CACHE_BYTES", 0)
    with moved_away(bench.folder) as move:
        heard = bench.tune("removed", lambda step, _: move("*.png") if step == 1 else None)
    told = failure(heard)
    assert str(bench.folder) in told
    assert "no such file" in told
    assert "put it back" in told
    assert Saved(1) in heard
    assert bench.goes_on("removed")


def held_out(folder: Path) -> list[str]:
    with Project.open(folder, read_only=True) as project:
        sides = project.held_out()
        return [item.path for item in project.media() if sides[item.id]]


def verdict_of(heard: Heard) -> Verdict:
    (judged,) = (one for one in heard if isinstance(one, Judged))
    return judged.verdict


def test_that_a_held_out_image_that_goes_costs_its_own_figures_and_no_others(bench: Bench) -> None:
    first, *rest = held_out(bench.folder)
    with moved_away(bench.folder) as move:
        heard = bench.tune(
            "fewer", lambda step, _: move(first) if step == STEPS else None, judged=True, accept=Accept.NEVER
        )
    verdict = verdict_of(heard)
    assert (verdict.images, verdict.unread, verdict.decision) == (len(rest), 1, Decision.KEPT)
    assert "1 more could not be read" in verdict.reason
    assert any(isinstance(one, Noted) and first in one.text for one in heard)
    card = bench.store.resolve("fewer").card
    assert Verdict.from_json(card.training["gate"]) == verdict
    assert list((bench.store.root / "training").glob("fewer.*")) == []


def test_that_a_version_of_which_nothing_is_left_to_measure_on_is_not_active(bench: Bench) -> None:
    with moved_away(bench.folder) as move:

        def at_end(step: int, _: Wishes) -> None:
            for name in held_out(bench.folder) if step == STEPS else ():
                move(name)

        heard = bench.tune("none-left", at_end, judged=True, accept=Accept.BETTER)
    assert isinstance(heard[-1], Finished)
    assert "nobody knows whether it is better" in verdict_of(heard).reason
    assert bench.active() == "base"


def test_that_a_version_that_cannot_be_measured_is_told_and_leaves_nothing_half_done(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("engine.train.gating.write_card", raising(ModelError(f"The card: {FULL.strerror}.")))
    told = failure(bench.tune("unjudged", judged=True))
    assert "trained and kept" in told
    assert "No space left on device" in told
    assert list((bench.store.root / "training").glob("unjudged.*")) == []


def test_that_a_stop_while_it_is_measured_leaves_a_version_without_a_verdict(bench: Bench) -> None:
    heard = bench.tune("cut", lambda step, wishes: wishes.set() if step > STEPS else None, judged=True)
    assert heard[-1] == Canceled(1)
    assert "gate" not in bench.store.resolve("cut").card.training


@pytest.mark.parametrize("suffix", [".restart", ".data"])
def test_that_a_damaged_file_of_a_stopped_run_is_told_and_a_new_run_is_free(
    bench: Bench, suffix: str
) -> None:
    name = f"damaged{len(suffix)}"
    bench.tune(name, stop_after_one)
    file = bench.store.root / "training" / f"{name}{suffix}"
    content = bytearray(file.read_bytes())
    middle = len(content) // 2
    content[middle : middle + 200] = bytes(byte ^ 0xFF for byte in content[middle : middle + 200])
    file.write_bytes(content)
    told = failure(bench.tune(name, resume=True))
    assert "is damaged" in told
    assert "anew" in told or "new training" in told
    assert not bench.has_version(name)
    assert isinstance(bench.tune(name)[-1], Finished)
    assert stopped_run(bench.store.root, bench.folder) is None
    bench.go_back()


def test_that_a_loss_that_is_never_a_number_ends_in_a_sentence(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = list[int]()

    def poisoned(*arguments: Any, **named: Any) -> dict[str, Tensor]:
        steps.append(1)
        losses = detection_losses(*arguments, **named)
        return losses if len(steps) == 1 else {name: loss * math.nan for name, loss in losses.items()}

    with monkeypatch.context() as patch:
        patch.setattr(gradients, "detection_losses", poisoned)
        patch.setattr(loop, "MOST_SKIPPED", 0)
        assert "not been a finite number" in failure(bench.tune("nan"))
    assert bench.goes_on("nan")


@contextmanager
def small_memory(patch: pytest.MonkeyPatch, most: int) -> Iterator[list[int]]:
    """A memory that holds `most` pictures at once; gives how many were tried."""
    tried = list[int]()

    def losses(network: Any, batch: Tensor, *rest: Any, **named: Any) -> dict[str, Tensor]:
        tried.append(len(batch))
        if len(batch) > most:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        return detection_losses(network, batch, *rest, **named)

    with patch.context() as own:
        own.setattr(gradients, "detection_losses", losses)
        yield tried


def test_that_too_small_a_memory_halves_what_is_taken_at_once_and_not_the_step(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    with small_memory(monkeypatch, 1) as tried:
        heard = bench.tune("small")
    assert isinstance(heard[-1], Finished)
    notes = [one.text for one in heard if isinstance(one, Noted) and "memory" in one.text]
    assert notes == ["the memory does not hold a whole step: 1 of its pictures are taken at once"]
    assert tried == [2] + [1] * (2 * STEPS)
    bench.go_back()
    with small_memory(monkeypatch, 1):
        assert bench.tune("smaller", stop_after_one)[-1] == Canceled(1)
    assert bench.goes_on("smaller", like=bench.weights("small"))  # also where there is room again


def test_that_no_memory_at_all_is_told_and_it_goes_on_where_there_is_some(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = loop.Run.step

    def none_after_one(run: loop.Run) -> Stepped:
        if run.at.step:
            raise MemoryError
        return real(run)

    with monkeypatch.context() as patch:
        patch.setattr(loop.Run, "step", none_after_one)
        assert "choose a smaller image side" in failure(bench.tune("none"))
    assert bench.goes_on("none")
