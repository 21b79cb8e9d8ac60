"""The training loop, to be read from top to bottom.

`train` is a generator: it yields an event after each step, and closing it stops between two steps and
leaves a restart file. It knows the data set, the network and the losses; not projects, people or
processes.
"""

from __future__ import annotations

import copy
import hashlib
import json
import math
import time
from collections.abc import Generator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN

from engine.device import use_threads
from engine.errors import TrainingError
from engine.formats.labelled import LabelledSet
from engine.models.card import WEIGHTS_SUFFIX, Json, ModelCard, ModelVersion, check_name, read_version
from engine.models.store import ModelStore
from engine.models.version import load_network, save_version
from engine.predict.preprocess import to_batch
from engine.train.augment import augmented
from engine.train.dataset import Dataset, batch_indices
from engine.train.evaluate import evaluate_network
from engine.train.events import Measured, Started, Stepped, Trained, TrainEvent
from engine.train.losses import Truth, detection_losses, prepare_for_training
from engine.train.norm import frozen, statistics, thaw
from engine.train.recipe import FROM_NOTHING, Recipe
from engine.train.restart import Restart, read_restart, write_restart
from engine.train.sizing import Sizes, choose_sizes
from engine.train.start import freeze, starting_point

SECONDS_BETWEEN_RESTARTS = 300.0
MEASUREMENTS = 8
"""How often a run is measured on the images it holds out, the end included."""

LONGEST_AVERAGE = 0.998
MOST_SKIPPED = 20


@dataclass(frozen=True, slots=True)
class Budget:
    """How long to train: steps or minutes, one of them."""

    iterations: int | None = None
    minutes: float | None = None

    def progress(self, step: int, seconds: float) -> float:
        """Share of the run that is done, 0..1."""
        if self.iterations is not None:
            return min(1.0, step / max(self.iterations, 1))
        assert self.minutes is not None
        return min(1.0, seconds / (60.0 * self.minutes))


@dataclass(frozen=True, slots=True)
class TrainPlan:
    """What is to be trained, on what, how and for how long.

    data: what is learned from. held_out: a part of the training data kept to choose the best weights by;
    None where there is too little. base: see `starting_point`. side: short side of a picture; None lets
    the data decide. recipe: None takes the one that suits the base. notes: for the model card, such as
    which images were left out.
    """

    data: LabelledSet
    base: str
    name: str
    budget: Budget
    held_out: LabelledSet | None = None
    recipe: Recipe | None = None
    seed: int = 0
    device: str = "cpu"
    side: int | None = None
    notes: tuple[tuple[str, Json], ...] = ()


def train(plan: TrainPlan, store: ModelStore, *, resume: bool = False) -> Generator[TrainEvent, None, None]:
    """Train a model and save it in the store as NAME (the best) and NAME-last.

    NAME holds averaged weights: those that did best on `held_out`, or without it those of the end.
    NAME-last holds the last step's, not averaged. Until the end an earlier version called NAME stays.
    Raises TrainingError, ModelError, MediaError or DataError.
    """
    run = _Run(plan, store)
    if resume:
        run.restore(read_restart(run.restart_file))
    yield run.started()
    try:
        while run.progress() < 1.0:
            yield run.step()
            if run.is_time_to_measure():
                yield run.measure()
            if run.is_time_for_restart():
                write_restart(run.restart_file, run.restart())
    except GeneratorExit:
        write_restart(run.restart_file, run.restart())
        raise
    last = run.save_last()
    best = run.save_best()
    run.restart_file.unlink(missing_ok=True)
    yield Trained(best, last, run.steps, run.seconds)


class _Run:
    """The state of a training run between steps."""

    def __init__(self, plan: TrainPlan, store: ModelStore) -> None:
        if not plan.data.images or not plan.data.instance_count:
            raise TrainingError("There is nothing to learn from: the data holds no image with an instance.")
        check_name(plan.name)  # now, not after an hour's training
        use_threads(window=False)
        torch.manual_seed(plan.seed)
        self.plan, self.store = plan, store
        self.device = torch.device(plan.device)
        self.sizes = choose_sizes(plan.data.images, plan.device, side=plan.side)
        self.start = starting_point(plan.base, plan.data.class_names, self.sizes, store)
        self.network = self.start.network
        self.recipe = plan.recipe or (FROM_NOTHING if self.start.is_fresh else Recipe())
        if self.start.is_fresh:
            thaw(self.network)
        prepare_for_training(self.network, self.recipe)
        freeze(self.network, self.recipe, live_norm=self.start.is_fresh)
        self.network.to(self.device, memory_format=torch.channels_last)
        self.data = _dataset(plan.data, self.sizes, self.recipe)
        self.parameters = {n: p for n, p in self.network.named_parameters() if p.requires_grad}
        self.statistics = statistics(self.network) if self.start.is_fresh else {}
        self.average = {n: p.detach().clone() for n, p in self.parameters.items()}
        self.optimizer = _optimizer(self.parameters, self.recipe)
        self.steps, self.seconds, self.best, self.skipped_in_a_row = 0, 0.0, -1.0, 0
        self.measured_at, self.saved_at = 0.0, 0.0
        self.fingerprint = plan.data.fingerprint()

    def identity(self) -> str:
        """Hash of everything that decides the weights, except for how long is trained."""
        plan = self.plan
        parts = [self.fingerprint, plan.base, self.start.parent, self.recipe.to_json(), plan.seed, plan.side]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def folder(self) -> Path:
        """Where unfinished work lies: the restart file and the best weights so far."""
        return self.store.root / "training"

    @property
    def restart_file(self) -> Path:
        """This run's restart file: one a name."""
        return self.folder / f"{self.plan.name}.restart"

    def progress(self) -> float:
        return self.plan.budget.progress(self.steps, self.seconds)

    def started(self) -> Started:
        held_out = len(self.plan.held_out.images) if self.plan.held_out else 0
        return Started(
            str(self.device),
            len(self.data),
            self.plan.data.instance_count,
            held_out,
            self.sizes.min_size,
            self.start.spec.anchor_base,
            self.steps,
            self.plan.budget.iterations,
        )

    def step(self) -> Stepped:
        """One step: a batch, its losses, their gradients, new weights, a new average."""
        begun = time.perf_counter()
        rate = self.recipe.rate(self.steps, self.progress())
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        batch, truths = self._batch()
        losses = detection_losses(self.network, batch, truths, self.recipe)
        total = torch.stack(list(losses.values())).sum()
        self.optimizer.zero_grad()
        torch.autograd.backward(total)
        norm = nn.utils.clip_grad_norm_(self.parameters.values(), self.recipe.clip_norm, foreach=True)
        skipped = not math.isfinite(total.item()) or not math.isfinite(norm.item())
        if not skipped:
            self.optimizer.step()
            self._average_in()
        self.skipped_in_a_row = self.skipped_in_a_row + 1 if skipped else 0
        if self.skipped_in_a_row > MOST_SKIPPED:
            raise TrainingError(
                f"The loss has not been a finite number for {MOST_SKIPPED} steps: the base's weights do not "
                "suit the data; train from another --base."
            )
        self.steps += 1
        self.seconds += time.perf_counter() - begun
        named = {name: loss.item() for name, loss in losses.items()}
        return Stepped(self.steps, self.progress(), total.item(), named, rate, self.seconds, skipped)

    def _batch(self) -> tuple[Tensor, list[Truth]]:
        """The pictures of this step, which follow from the seed and its number alone."""
        plan, recipe = self.plan, self.recipe
        torch.manual_seed(hash((plan.seed, self.steps)) & 0x7FFFFFFF)
        indices = batch_indices(self.data, recipe.batch, seed=plan.seed, step=self.steps)
        samples = [
            augmented(
                self.data[index], np.random.default_rng([plan.seed, self.steps, place]), recipe, self.sizes
            )
            for place, index in enumerate(indices)
        ]
        batch = to_batch(
            [s.image for s in samples],
            [s.shape for s in samples],
            mean=self.start.mean,
            std=self.start.std,
            device=self.device,
        )
        return batch, [Truth.of(sample, self.device) for sample in samples]

    @torch.no_grad()
    def _average_in(self) -> None:
        """Exponential average of the weights, over about the last tenth of the steps so far."""
        keep = min(LONGEST_AVERAGE, (1 + self.steps) / (10 + self.steps))
        torch._foreach_lerp_(list(self.average.values()), list(self.parameters.values()), 1.0 - keep)

    def averaged_network(self) -> FasterRCNN:
        """A copy of the network with the averaged weights, in evaluation mode."""
        network = self.saveable()
        network.load_state_dict(self.average, strict=False)
        return network

    def saveable(self) -> FasterRCNN:
        """A copy of the network in evaluation mode, its normalisation in the form that is saved."""
        network = copy.deepcopy(self.network).eval()
        if self.start.is_fresh:
            frozen(network)
        return network

    def is_time_to_measure(self) -> bool:
        if self.plan.held_out is None or self.progress() < 0.25:
            return False
        return self.progress() >= 1.0 or self.progress() - self.measured_at >= 1 / MEASUREMENTS

    def measure(self) -> Measured:
        """Measure the averaged weights on the held-out images and keep them if they are the best yet."""
        assert self.plan.held_out is not None
        self.measured_at = self.progress()
        network = self.averaged_network()
        metrics = evaluate_network(
            copy.deepcopy(network), self._card(self.plan.name, {}), self.plan.held_out, str(self.device)
        ).scores.metrics
        score = metrics.get("mask_ap", metrics.get("box_ap", 0.0))
        is_best = score > self.best
        if is_best:
            self.best = score
            self._save(network, self.folder, self.plan.name, metrics)
        return Measured(self.steps, metrics, is_best)

    def save_best(self) -> ModelVersion:
        """Save the best weights under the plan's name: those measured best, or the averaged ones."""
        name, root = self.plan.name, self.store.root
        if self.best < 0:
            return self._save(self.averaged_network(), root, name, {})
        kept = read_version(self.folder / f"{name}{WEIGHTS_SUFFIX}")
        version = save_version(root, name, load_network(kept), kept.card)
        kept.path.unlink(missing_ok=True)
        kept.card_path.unlink(missing_ok=True)
        return version

    def save_last(self) -> ModelVersion:
        """Save the last step's weights as NAME-last."""
        return self._save(self.saveable(), self.store.root, f"{self.plan.name}-last", {})

    def _save(
        self, network: FasterRCNN, folder: Path, name: str, metrics: Mapping[str, float]
    ) -> ModelVersion:
        held_out = {f"held_out_{key}": value for key, value in metrics.items()}
        return save_version(folder, name, network, self._card(name, held_out))

    def _card(self, name: str, metrics: Mapping[str, float]) -> ModelCard:
        training: dict[str, Json] = {
            "base": self.plan.base,
            "seed": self.plan.seed,
            "steps": self.steps,
            "minutes": round(self.seconds / 60, 2),
            "device": str(self.device),
            "images": len(self.plan.data.images),
            "recipe": self.recipe.to_json(),
            **dict(self.plan.notes),
        }
        return ModelCard(
            name,
            self.start.spec,
            self.plan.data.class_names,
            mean=self.start.mean,
            std=self.start.std,
            parent=self.start.parent,
            training=training,
            data_fingerprint=self.fingerprint,
            metrics=metrics,
        )

    def is_time_for_restart(self) -> bool:
        """Every few minutes, beginning with the first minutes."""
        return self.seconds - self.saved_at >= SECONDS_BETWEEN_RESTARTS

    def restart(self) -> Restart:
        """The state as it is now."""
        self.saved_at = self.seconds
        return Restart(
            self.identity(),
            self.steps,
            self.seconds,
            self.best,
            {name: p.detach() for name, p in self.parameters.items()} | self.statistics,
            self.average,
            self.optimizer.state_dict(),
        )

    def restore(self, restart: Restart) -> None:
        """Go on from there. Raises TrainingError where it was another run."""
        if restart.identity != self.identity():
            raise TrainingError(
                f"{self.restart_file} is of a training with other data, base, seed or settings: give the "
                "same again, or train without --resume."
            )
        self.steps, self.seconds, self.best = restart.step, restart.seconds, restart.best
        self.saved_at = restart.seconds
        with torch.no_grad():
            for name, parameter in self.parameters.items():
                parameter.copy_(restart.weights[name])
                self.average[name].copy_(restart.average[name])
            for name, buffer in self.statistics.items():
                buffer.copy_(restart.weights[name])
        self.optimizer.load_state_dict(restart.optimizer)


def _dataset(data: LabelledSet, sizes: Sizes, recipe: Recipe) -> Dataset:
    labels = {one.id: index for index, one in enumerate(data.classes, start=1)}
    most = max(1.0, recipe.scales[1])
    return Dataset(
        data.images,
        labels,
        min_size=math.ceil(sizes.min_size * most),
        max_size=math.ceil(sizes.max_size * most),
    )


def _optimizer(parameters: Mapping[str, nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer, with the backbone at its own share of the rate."""
    adaptive = recipe.optimizer == "adamw"
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in parameters.items():
        share = recipe.body_rate if name.startswith("backbone.body.") else 1.0
        decay = 0.0 if adaptive and parameter.ndim == 1 else recipe.weight_decay
        groups.setdefault((share, decay), []).append(parameter)
    options = [{"params": p, "share": share, "weight_decay": decay} for (share, decay), p in groups.items()]
    if adaptive:
        return torch.optim.AdamW(options, lr=recipe.learning_rate, fused=True)
    return torch.optim.SGD(options, lr=recipe.learning_rate, momentum=recipe.momentum, fused=True)
