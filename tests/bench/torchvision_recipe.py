"""torchvision's detection tutorial as it stands, to be compared with `train` on the same machine.

Their model and their way: full-size masks, the model's own transform, SGD 0.005 with momentum 0.9 and
weight decay 5e-4, batch 2, a mirror half the time, warm-up over the first epoch's steps, the rate a
tenth after every third epoch. What is the same as ours: the architecture and its first weights, the
side, the data (the slice that `train` holds out included), the minutes of steps, and how AP is measured.

    python -m tests.bench.torchvision_recipe train.json --val val.json --base FILE --side 320 --minutes 20

`--val-fraction F` in place of `--val` measures on what `train --val-fraction F` keeps back. The curve is of
the held-out slice, as `train` measures it; the figures at the end are of the pictures of `--val`.
"""

from __future__ import annotations

import argparse
import copy
import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torchvision.models.detection import FasterRCNN

from engine.device import core_count
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.media.image import read_rgb
from engine.models.backbone import backbone_architecture, load_backbone
from engine.models.card import ModelCard
from engine.models.families import body_of, build
from engine.models.spec import NetworkSpec
from engine.train.evaluate import evaluate_network
from engine.train.sources import hold_out, load_labelled, split

BATCH = 2
RATE, MOMENTUM, DECAY = 0.005, 0.9, 5e-4
EPOCHS_A_DROP, EPOCHS = 3, 10
MEASUREMENTS = 8

Target = dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of the recipe. seconds: of its steps alone. curve: minutes, held-out slice's mask AP."""

    steps: int
    seconds: float
    metrics: dict[str, float]
    curve: tuple[tuple[float, float], ...]


def tutorial_network(base: Path, spec: NetworkSpec) -> FasterRCNN:
    """torchvision's Mask R-CNN over the base's weights, three stages of the body trainable."""
    network = build(spec)
    load_backbone(network, base)
    for name, parameter in body_of(network).named_parameters():
        parameter.requires_grad_(name.startswith(("layer2", "layer3", "layer4")))
    return network.train()


def example(image: LabelledImage, mirror: bool) -> tuple[Tensor, Target]:
    """A picture as 3 x H x W float in 0..1 and its target with full-size masks."""
    pixels = torch.from_numpy(read_rgb(image.path)).permute(2, 0, 1).float() / 255
    masks = [one.mask.to_full(image.height, image.width) for one in image.instances if one.mask]
    full = torch.from_numpy(np.array(masks, np.uint8).reshape(-1, image.height, image.width))
    boxes = torch.tensor([one.mask.box_xyxy for one in image.instances if one.mask]).reshape(-1, 4)
    if mirror:
        pixels, full = pixels.flip(2), full.flip(2)
        boxes[:, [0, 2]] = image.width - boxes[:, [2, 0]]
    return pixels, {"boxes": boxes, "masks": full, "labels": torch.ones(len(boxes), dtype=torch.long)}


def batches(data: LabelledSet, chance: np.random.Generator) -> Iterator[tuple[int, list[LabelledImage]]]:
    """Epoch and pictures of each step, for ever."""
    epoch = 0
    while True:
        order = chance.permutation(len(data.images))
        for start in range(0, len(order), BATCH):
            yield epoch, [data.images[i] for i in order[start : start + BATCH]]
        epoch += 1


class Tutorial:
    """The recipe between two steps. seconds: spent in steps, told by `clock`.

    minutes: of the run, over which the rate drops as the tutorial's does over its ten epochs: of a few images
    ten epochs are over in no time. None lets it drop by epochs, as it stands.
    """

    def __init__(
        self,
        data: LabelledSet,
        base: Path,
        *,
        side: int,
        seed: int,
        clock: Callable[[], float] = time.perf_counter,
        minutes: float | None = None,
    ) -> None:
        self._clock, self._minutes = clock, minutes
        torch.manual_seed(seed)
        self.spec = NetworkSpec(backbone_architecture(base), 1, min_size=side, max_size=2 * side)
        self.network = tutorial_network(base, self.spec)
        self.seconds, self.steps = 0.0, 0
        parameters = [p for p in self.network.parameters() if p.requires_grad]
        self._optimizer = torch.optim.SGD(parameters, lr=RATE, momentum=MOMENTUM, weight_decay=DECAY)
        self._chance = np.random.default_rng(seed)
        self._batches = batches(data, self._chance)
        self._warm = max(1, min(1000, len(data.images) // BATCH - 1))

    def step(self) -> float:
        """One step; returns its loss."""
        begun = self._clock()
        epoch, images = next(self._batches)
        if self._minutes is not None:
            epoch = int(EPOCHS * self.seconds / (60 * self._minutes))
        rate = RATE * 0.1 ** (epoch // EPOCHS_A_DROP) * min(1.0, 0.001 + self.steps / self._warm)
        for group in self._optimizer.param_groups:
            group["lr"] = rate
        pictures, targets = zip(*(example(i, self._chance.random() < 0.5) for i in images), strict=True)
        losses = self.network(list(pictures), list(targets))
        loss = torch.stack(list(losses.values())).sum()
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        self._optimizer.step()
        self.steps += 1
        self.seconds += self._clock() - begun
        return float(loss.item())

    def metrics(self, truth: LabelledSet) -> dict[str, float]:
        """How good the weights of this step are on labelled pictures."""
        card = ModelCard("tutorial", self.spec, truth.class_names)
        network = copy.deepcopy(self.network).eval()
        return dict(evaluate_network(network, card, truth, "cpu").scores.metrics)


def train_as_torchvision_does(
    data: LabelledSet,
    val: LabelledSet,
    base: Path,
    *,
    side: int,
    minutes: float,
    seed: int,
    clock: Callable[[], float] = time.perf_counter,
    stretched: bool = False,
) -> Outcome:
    """Train a one-class data set for so many minutes, told by `clock`, and measure it on `val`.

    stretched: the rate drops over these minutes, not by epochs.
    """
    torch.set_num_threads(core_count())
    data, held_out = hold_out(data, seed)
    over = minutes if stretched else None
    run = Tutorial(data, base, side=side, seed=seed, clock=clock, minutes=over)
    curve = list[tuple[float, float]]()
    while True:
        share = run.seconds / (60 * minutes)
        if held_out is not None and share >= 0.25 and share * MEASUREMENTS >= len(curve) + 2:
            curve.append((round(run.seconds / 60, 2), round(run.metrics(held_out)["mask_ap"], 4)))
            print(f"{curve[-1][0]} minutes: mask AP {curve[-1][1]}", flush=True)
        if share >= 1:
            break
        loss = run.step()
        if run.steps % 20 == 0:
            print(f"step {run.steps}, {run.seconds:.0f} s, loss {loss:.3f}", flush=True)
    return Outcome(run.steps, run.seconds, run.metrics(val), tuple(curve))


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--val", type=Path)
    parser.add_argument("--val-fraction", type=float)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--side", type=int, default=320)
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args()
    data = load_labelled(given.data, given.images)
    if given.val_fraction is not None:
        data, val = split(data, given.val_fraction, given.seed)
    else:
        val = load_labelled(given.val, None)
    outcome = train_as_torchvision_does(
        data,
        val,
        given.base,
        side=given.side,
        minutes=given.minutes,
        seed=given.seed,
    )
    metrics = {name: round(value, 4) for name, value in outcome.metrics.items()}
    told = {"steps": outcome.steps, "seconds": round(outcome.seconds, 1), "curve": outcome.curve}
    print(json.dumps({**told, "metrics": metrics}))


if __name__ == "__main__":
    main()
