"""The training loop, to be read from top to bottom.

`train` is a generator: it yields an event after each step, and closing it stops between two steps and
leaves a restart file. It knows the data set, the network and the losses; not projects or people, and of
processes only that it may be one of several (`engine.train.distributed`).
"""

from __future__ import annotations

import copy
import dataclasses
import hashlib
import itertools
import json
import math
import time
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch import Tensor, nn
from torchvision.models.detection import FasterRCNN

from engine.device import use_threads
from engine.errors import DataError, MediaError, ModelError, TrainingError
from engine.formats.labelled import LabelledSet
from engine.models.card import FINE_AP, PLAIN_AP, check_name
from engine.models.prompt_head import NAME as PROMPT_HEAD
from engine.models.prompt_head import prompt_head
from engine.models.store import ModelStore
from engine.models.version import load_network
from engine.train.augment import training_sample
from engine.train.dataset import Dataset, batch_indices
from engine.train.distributed import ALONE, Team
from engine.train.evaluate import evaluate_network
from engine.train.events import (
    EndedEarly,
    Measured,
    Noted,
    Pictured,
    Saved,
    Started,
    Stepped,
    StopAsked,
    Trained,
    TrainEvent,
)
from engine.train.gradients import add_gradients, add_prompt_gradients
from engine.train.losses import prepare_for_training
from engine.train.memory import is_out_of_memory, let_go, memory_held
from engine.train.norm import frozen, statistics, thaw
from engine.train.plan import TrainPlan, with_changes
from engine.train.prompts import Look, Looks, look_at
from engine.train.recipe import FROM_NOTHING, Recipe
from engine.train.restart import Restart, read_restart, write_restart
from engine.train.sample import Sample
from engine.train.showing import Showing
from engine.train.sizing import Sizes, choose_sizes, side_of
from engine.train.standing import Standing
from engine.train.start import freeze, freeze_all_but_prompts, starting_point
from engine.train.versions import Versions

SECONDS_BETWEEN_RESTARTS, LEAST_BETWEEN_RESTARTS = 300.0, 30.0
SECONDS_TO_FIRST_RESTART = 5.0
"""Soon, because who cancels a training has the process killed if its last step and file take too long."""
SHARE_OF_WRITING = 0.01
"""Of the time, that restart files may take before they are written less often than the least pause says."""

LONGEST_AVERAGE = 0.998
PROMPT_RATE = 2.0
"""Of the branch for prompts, in learning rates: it begins with nothing and holds nobody else up."""

MOST_SKIPPED = 20

_PROMPTS, _GO_ON, _ENOUGH, _STOP = 2.0, 1.0, 0.0, -1.0
"""What the first process tells the others before each step."""

OnImage = Callable[[int, int], None]
"""Called with the images measured and all there are; may raise StopAsked."""


def train(
    plan: TrainPlan,
    store: ModelStore,
    *,
    resume: bool = False,
    team: Team = ALONE,
    on_image: OnImage = lambda _done, _total: None,
    showing: Showing | None = None,
    idle: Callable[[], float] = lambda: 0.0,
) -> Generator[TrainEvent, None, None]:
    """Train a model and save it in the store as NAME (the best) and NAME-last.

    NAME holds averaged weights: those that did best on `held_out`, or without it those of the end.
    NAME-last holds the last step's, not averaged. Until the end an earlier version called NAME stays.
    showing: looks at a few images now and then; decides nothing. idle: seconds spent in pauses.
    In a team only the first process saves, and ends with Trained. Raises TrainingError, ModelError,
    MediaError, DataError, or what `on_image` raises; StopAsked on the others when the first is stopped.
    """
    run = Run(plan, store, team)
    run.idle = idle
    if resume:
        run.restore(read_restart(run.restart_file))
    elif run.restart_file.is_file():
        yield Noted(f"a stopped training of {plan.name} is given up: this one begins anew")
    yield run.started()
    try:
        while True:
            if run.is_time_to_measure():
                yield run.measure(on_image)
            if showing and team.is_first and showing.is_due(run.progress(), run.at.seconds):
                yield run.look(showing)
            if not run.goes_on():
                run.settle(on_image)
                break
            yield run.step()
            while run.notices:
                yield run.notices.pop(0)
            if run.is_time_for_restart():
                yield run.save_restart()
    except (GeneratorExit, StopAsked):
        run.stop()
        raise
    except (MediaError, DataError) as e:  # a picture is gone or another one
        yield from run.leave_restart()
        raise TrainingError(
            f"{str(e).rstrip('.')}; put it back as it was and resume the training, or begin one without it."
        ) from e
    if not team.is_first:
        return
    if run.ended_early():
        yield EndedEarly(run.at.step, run.at.best_step, run.at.fruitless)
    try:
        last = run.versions.save_last(run.saveable(), run.at) if plan.keep_last else None
        best = run.versions.save_best(run.at, run.averaged_network)
    except ModelError:  # no room for it: where there is some again, only the saving is left to do
        yield from run.leave_restart()
        raise
    run.restart_file.unlink(missing_ok=True)
    yield Trained(best, last or best, run.at.step, run.at.seconds)


class Run:
    """The state of a training run between steps. clock: what the seconds of a step are told by."""

    clock = staticmethod(time.perf_counter)

    def __init__(self, plan: TrainPlan, store: ModelStore, team: Team = ALONE) -> None:
        if not plan.data.images or not plan.data.instance_count:
            raise TrainingError(
                "There is nothing to learn from: the data holds no image with an instance; label some first."
            )
        check_name(plan.name)  # now, not after an hour's training
        threads = use_threads(window=False) - plan.window
        torch.set_num_threads(max(1, threads // team.neighbours))
        torch.manual_seed(plan.seed)
        self.plan, self.team = plan, team
        self.device = torch.device(plan.device)
        self.sizes = choose_sizes(
            plan.data.images, plan.device, side=plan.side, learned_at=side_of(plan.base, store)
        )
        self.start = starting_point(plan.base, plan.data.class_names, self.sizes, store)
        self.network = self.start.network
        recipe = plan.recipe or (FROM_NOTHING if self.start.is_fresh else Recipe())
        self.recipe = with_changes(recipe, dict(plan.changes))
        if self.recipe.window:
            self.sizes = dataclasses.replace(self.sizes, window=self.recipe.window)
        if min(self.recipe.batch, len(plan.data.images)) < team.size:
            raise TrainingError(
                f"A step of {min(self.recipe.batch, len(plan.data.images))} pictures cannot be dealt out to "
                f"{team.size} processes: start fewer, or raise the recipe's batch."
            )
        if self.start.is_fresh:
            thaw(self.network)
        prepare_for_training(self.network, self.recipe)
        freeze(self.network, self.recipe, live_norm=self.start.is_fresh)
        self.network.to(self.device, memory_format=torch.channels_last)
        self.data = _dataset(plan.data, self.sizes, self.recipe)
        self.statistics = statistics(self.network) if self.start.is_fresh else {}
        team.align([*self.network.parameters(), *self.statistics.values()])
        self.learned = {n: p for n, p in self.network.named_parameters() if p.requires_grad}
        has_branch = prompt_head(self.network.roi_heads) is not None
        self.prompt_share = plan.budget.whole(self.recipe.prompt_share) if has_branch else 0.0
        self.looks: Looks | None = None
        self._learn(self.learned)
        self.at = Standing()
        self.saved_at = 0.0
        self.writing = 0.0
        self.first_step: tuple[float, Standing] | None = None
        self.notices: list[Noted] = []
        self.idle: Callable[[], float] = lambda: 0.0
        self.versions = Versions(store.root, plan, self.start, self.recipe)

    def _learn(self, parameters: Mapping[str, nn.Parameter]) -> None:
        """From now on these learn."""
        self.parameters = dict(parameters)
        self.average = {n: p.detach().clone() for n, p in self.parameters.items()}
        self.optimizer = _optimizer(self.parameters, self.recipe)

    def identity(self) -> str:
        """Hash of everything that decides the weights, except for how long is trained."""
        plan = self.plan
        held_out = plan.held_out.fingerprint() if plan.held_out else None
        settings = [plan.base, self.start.parent, self.recipe.to_json(), plan.seed]
        shapes = [dataclasses.asdict(self.sizes), dataclasses.asdict(self.start.spec)]
        parts = [self.versions.fingerprint, held_out, *settings, *shapes]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def restart_file(self) -> Path:
        """This run's restart file: one a name."""
        return self.versions.folder / f"{self.plan.name}.restart"

    def progress(self) -> float:
        return self.plan.budget.progress(self.at.step, self.at.seconds)

    def started(self) -> Started:
        held_out = len(self.plan.held_out.images) if self.plan.held_out else 0
        return Started(
            str(self.device),
            len(self.data),
            self.plan.data.instance_count,
            held_out,
            self.sizes.min_size,
            self.start.spec.anchor_base,
            self.at.step,
            self.plan.budget.iterations,
            self.recipe.batch,
            self.sizes.window,
            self.start.spec.architecture,
        )

    def goes_on(self) -> bool:
        """Whether there is another step, which the first process decides; StopAsked where it stopped."""
        word, seconds = self.team.share(self._next(), self.at.seconds)
        if word == _STOP:
            raise StopAsked
        self.at = dataclasses.replace(self.at, seconds=seconds)
        if word == _PROMPTS:
            self._turn_to_prompts()
        return word != _ENOUGH

    def _next(self) -> float:
        done = self.progress()
        if self.at.on_prompts:
            return _GO_ON if done < min(1.0, self.at.prompts_progress + self.prompt_share) else _ENOUGH
        if done < 1.0 - self.prompt_share and not self.at.is_fruitless(self.plan.budget):
            return _GO_ON
        return _PROMPTS if self.prompt_share and done < 1.0 else _ENOUGH

    def _turn_to_prompts(self) -> None:
        """From here on only the branch for prompts learns, on the best weights so far."""
        kept = self.versions.aside() if self.at.best >= 0 and self.team.is_first else None
        best = load_network(kept) if kept else self.averaged_network()
        self.network.load_state_dict(best.state_dict(), strict=False)
        self.team.align([*self.network.parameters(), *self.statistics.values()])
        self.at = self.at.turned(self.progress())
        self._teach_prompts()
        self.notices.append(Noted("from here on it learns to answer boxes and clicks, and nothing else"))

    def _teach_prompts(self) -> None:
        freeze_all_but_prompts(self.network)
        self._learn({n: p for n, p in self.learned.items() if PROMPT_HEAD in n})
        self.first_step = None  # these steps take less time
        self.looks = Looks(self._look, len(self.data), self.recipe.prompt_batch, seed=self.plan.seed)

    def _look(self, index: int, chance: np.random.Generator) -> Look:
        sample = training_sample(self.data, index, chance, self.recipe, self.sizes)
        start, device = self.start, self.device
        return look_at(
            self.network, sample, mean=start.mean, std=start.std, device=device, bf16=self.plan.bf16
        )

    def step(self) -> Stepped:
        """One step: a batch, its losses, their gradients, new weights, a new average."""
        begun = self.clock()
        rate = self._rate()
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["share"]
        before = [buffer.clone() for buffer in self.statistics.values()]
        pictures, share = self._pictures()
        losses = self._gradients(pictures)
        while losses is None:  # here, since an exception's traceback would keep the tensors alive
            let_go(str(self.device))
            _put_back(self.statistics, before)
            self._take_fewer(len(pictures))
            losses = self._gradients(pictures)
        figures = torch.stack(list(losses.values()))
        self._average_over_team(figures, share)
        most, parts = self.recipe.clip_norm, _clipped_apart(self.parameters)
        norms = [nn.utils.clip_grad_norm_(part, most, foreach=True).item() for part in parts]
        total = figures.sum().item()
        skipped = not all(math.isfinite(value) for value in (total, *norms))
        if skipped:  # what made the loss infinite may be in the statistics already
            _put_back(self.statistics, before)
        else:
            self.optimizer.step()
            self._average_in()
        self.at = self.at.stepped(self.clock() - begun, skipped=skipped)
        if self.at.skipped > MOST_SKIPPED:
            raise TrainingError(
                f"The loss has not been a finite number for {MOST_SKIPPED} steps: the base's weights do not "
                "suit the data: begin from another base model."
            )
        named = dict(zip(losses, figures.tolist(), strict=True))
        pace, held = self._pace(), memory_held(str(self.device))
        return Stepped(
            self.at.step, self.progress(), total, named, rate, self.at.seconds, skipped, *pace, held
        )

    def _rate(self) -> float:
        """Up and down along the recipe's curve, once for the network and once for the branch for prompts."""
        at, done = self.at, self.progress()
        if at.on_prompts:
            return self.recipe.rate(
                at.step - at.prompts_step, (done - at.prompts_progress) / self.prompt_share
            )
        return self.recipe.rate(at.step, done / (1.0 - self.prompt_share))

    def _pictures(self) -> tuple[list[Sample] | list[Look], float]:
        """This process's pictures of the step, which follow from the seed and its number, and their share."""
        plan, recipe, step = self.plan, self.recipe, self.at.step
        if self.looks:
            places = self.team.own(self.looks.batch)
            looks = self.looks.of(step - self.at.prompts_step, places)
            return [look.to(self.device) for look in looks], len(places) / self.looks.batch
        indices = batch_indices(self.data, recipe.batch, seed=plan.seed, step=step)
        places = self.team.own(len(indices))
        samples = [
            training_sample(
                self.data, indices[place], np.random.default_rng([plan.seed, step, place]), recipe, self.sizes
            )
            for place in places
        ]
        return samples, len(places) / len(indices)

    def _gradients(self, pictures: Sequence[Sample] | Sequence[Look]) -> dict[str, Tensor] | None:
        """The losses, their gradients in the parameters; None where the memory did not suffice."""
        seed = np.random.SeedSequence([self.plan.seed, self.at.step, self.team.rank]).generate_state(1)
        torch.manual_seed(int(seed[0]))
        self.optimizer.zero_grad()
        at_once, bf16 = self.at.at_once, self.plan.bf16
        try:
            if self.looks:
                looks = cast(Sequence[Look], pictures)
                return add_prompt_gradients(self.network, looks, self.recipe, at_once=at_once, bf16=bf16)
            return add_gradients(
                self.network,
                cast(Sequence[Sample], pictures),
                self.recipe,
                mean=self.start.mean,
                std=self.start.std,
                device=self.device,
                at_once=at_once,
                bf16=bf16,
            )
        except (MemoryError, RuntimeError) as error:
            if not is_out_of_memory(error) or (at_once or len(pictures)) < 2:
                raise
            return None

    def _take_fewer(self, pictures: int) -> None:
        """Half as many pictures at once; a step stays what it was."""
        at_once = (self.at.at_once or pictures) // 2
        self.at = dataclasses.replace(self.at, at_once=at_once)
        self.notices.append(
            Noted(f"the memory does not hold a whole step: {at_once} of its pictures are taken at once")
        )

    def _average_over_team(self, figures: Tensor, share: float) -> None:
        """Gradients, statistics and the losses' figures as one process would see them, more or less."""
        if self.team.size == 1:
            return
        gradients = list[Tensor]()
        for parameter in self.parameters.values():
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            gradients.append(parameter.grad)
        self.team.average([*gradients, *self.statistics.values(), figures], share)

    @torch.no_grad()
    def _average_in(self) -> None:
        """Exponential average of the weights, over about the last tenth of the steps so far."""
        step = self.at.step - max(self.at.prompts_step, 0)
        keep = min(LONGEST_AVERAGE, (1 + step) / (10 + step))
        torch._foreach_lerp_(list(self.average.values()), list(self.parameters.values()), 1.0 - keep)

    def _pace(self) -> tuple[float | None, float | None]:
        """Seconds a step and seconds left, by what was done since the first step of this program."""
        now = time.perf_counter() - self.idle()
        if self.first_step is None:
            self.first_step = (now, self.at)
            return None, None
        began, then = self.first_step
        done, progress = self.plan.budget.progress(then.step, then.seconds), self.progress()
        a_step = (self.at.seconds - then.seconds) / (self.at.step - then.step)
        left = (now - began) * (1.0 - progress) / (progress - done) if progress > done else None
        return a_step, left

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
        held_out = self.plan.held_out if self.team.is_first else None
        end = 1.0 - self.prompt_share
        return held_out is not None and self.at.is_time_to_measure(self.plan.budget, end)

    def measure(self, on_image: OnImage) -> Measured:
        """Measure the averaged weights on the held-out images and keep them if they are the best yet."""
        held_out, network = self.plan.held_out, self.averaged_network()
        assert held_out is not None
        done = 0

        def count() -> None:
            nonlocal done
            done += 1
            on_image(done, len(held_out.images))

        card = self.versions.card(self.plan.name, self.at, {})
        metrics = evaluate_network(
            copy.deepcopy(network),
            card,
            held_out,
            str(self.device),
            on_image=count,
            fine_masks=False,
        ).scores.metrics
        score = metrics.get("mask_ap", metrics.get("box_ap", 0.0))
        is_best = score > self.at.best
        if is_best:
            self.versions.put_aside(network, self.at, metrics)
        self.at = self.at.measured(score)
        return Measured(self.at.step, metrics, is_best)

    def settle(self, on_image: OnImage) -> None:
        """The best version gets the branch for prompts, and its card how good the masks of either are."""
        if not self.team.is_first or self.plan.held_out is None:
            return
        if self.at.best < 0:
            self.measure(on_image)
        elif self.at.on_prompts and (kept := self.versions.aside()) is not None:
            self.versions.put_back(self.averaged_network(), kept.card)
        self._compare_masks(self.plan.held_out, on_image)

    def _compare_masks(self, held_out: LabelledSet, on_image: OnImage) -> None:
        kept = self.versions.aside()
        if kept is None:
            return
        network = load_network(kept)
        if FINE_AP in kept.card.metrics or prompt_head(network.roi_heads) is None:
            return
        count = itertools.count(1)
        alone = self.team.size == 1  # the others are done, and no longer hear that somebody stops

        def counted() -> None:
            if alone:
                on_image(next(count), len(held_out.images))

        finely = evaluate_network(
            network, kept.card, held_out, str(self.device), on_image=counted, fine_masks=True
        ).scores.metrics.get("mask_ap", 0.0)
        self.versions.note(kept, {PLAIN_AP: kept.card.metrics.get(PLAIN_AP, 0.0), FINE_AP: finely})

    def look(self, showing: Showing) -> Pictured:
        """Run the averaged weights on the images that are shown."""
        card = self.versions.card(self.plan.name, self.at, {})
        network, progress = self.averaged_network(), self.progress()
        return showing.look(network, card, str(self.device), step=self.at.step, progress=progress)

    def ended_early(self) -> bool:
        """Whether the measurements ended the run, not its budget."""
        return self.progress() < 1.0 and self.at.is_fruitless(self.plan.budget)

    def is_time_for_restart(self) -> bool:
        """After the first seconds; then often, where writing it is quick, else every few minutes."""
        pause = min(SECONDS_BETWEEN_RESTARTS, max(LEAST_BETWEEN_RESTARTS, self.writing / SHARE_OF_WRITING))
        if not self.saved_at:
            pause = min(pause, SECONDS_TO_FIRST_RESTART)
        return self.team.is_first and self.at.seconds - self.saved_at >= pause

    def save_restart(self) -> Saved | Noted:
        """Write the restart file. A disk that refuses it costs the file, not the training."""
        begun = time.perf_counter()
        try:
            self._write_restart()
        except TrainingError as e:
            return Noted(f"{e} The training goes on without it.")
        finally:
            self.saved_at = self.at.seconds
            self.writing = time.perf_counter() - begun
        return Saved(self.at.step)

    def stop(self) -> None:
        """Leave a restart file behind, if a step was done, and let the other processes end."""
        if not self.team.is_first:
            return
        if self.first_step is not None:
            self._write_restart()
        self.team.share(_STOP, self.at.seconds)

    def leave_restart(self) -> Iterator[Saved]:
        """As `stop`, where the run ends for another reason that matters more than a file."""
        if self.team.is_first and self.first_step is not None:
            with suppress(TrainingError):
                self._write_restart()
                yield Saved(self.at.step)

    def _write_restart(self) -> None:
        weights = {name: p.detach() for name, p in self.learned.items()} | self.statistics
        state = self.optimizer.state_dict()
        write_restart(self.restart_file, Restart(self.identity(), self.at, weights, self.average, state))

    @torch.no_grad()
    def restore(self, restart: Restart) -> None:
        """Go on from there. Raises TrainingError where it was another run."""
        if restart.identity != self.identity():
            raise TrainingError(
                f"{self.restart_file} is of a training with other data, base, seed or settings: give the "
                "same again, or begin a new training."
            )
        self.at, self.saved_at = restart.standing, restart.standing.seconds
        if self.at.best >= 0 and self.versions.aside() is None:  # somebody has removed them
            self.at = dataclasses.replace(self.at, best=-1.0, fruitless=0)
        for name, tensor in (self.learned | self.statistics).items():
            tensor.copy_(restart.weights[name])
        if self.at.on_prompts:
            self._teach_prompts()
        for name, tensor in self.average.items():
            tensor.copy_(restart.average[name])
        self.optimizer.load_state_dict(restart.optimizer)


@torch.no_grad()
def _put_back(statistics: Mapping[str, Tensor], before: Sequence[Tensor]) -> None:
    for buffer, kept in zip(statistics.values(), before, strict=True):
        buffer.copy_(kept)


def _dataset(data: LabelledSet, sizes: Sizes, recipe: Recipe) -> Dataset:
    labels = {one.id: index for index, one in enumerate(data.classes, start=1)}
    most = max(1.0, recipe.scales[1])
    return Dataset(
        data.images,
        labels,
        min_size=math.ceil(sizes.min_size * most),
        max_size=math.ceil(sizes.max_size * most),
    )


def _clipped_apart(parameters: Mapping[str, nn.Parameter]) -> tuple[list[nn.Parameter], list[nn.Parameter]]:
    """The branch for prompts by itself: its gradients must not shorten those of the rest."""
    own = [p for name, p in parameters.items() if PROMPT_HEAD in name]
    return [p for name, p in parameters.items() if PROMPT_HEAD not in name], own


def _optimizer(parameters: Mapping[str, nn.Parameter], recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer; backbone and branch for prompts have their own shares of the rate."""
    adaptive = recipe.optimizer == "adamw"
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in parameters.items():
        share = recipe.body_rate if name.startswith("backbone.body.") else 1.0
        share = PROMPT_RATE if PROMPT_HEAD in name else share
        decay = 0.0 if adaptive and parameter.ndim == 1 else recipe.weight_decay
        groups.setdefault((share, decay), []).append(parameter)
    options = [{"params": p, "share": share, "weight_decay": decay} for (share, decay), p in groups.items()]
    if adaptive:
        return torch.optim.AdamW(options, lr=recipe.learning_rate, fused=True)
    return torch.optim.SGD(options, lr=recipe.learning_rate, momentum=recipe.momentum, fused=True)
