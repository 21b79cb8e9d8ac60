"""AP over time of `train` and of torchvision's tutorial recipe, taking turns on one thread.

Whichever has spent less of the processor's time in its steps takes the next one, so that whatever slows
the machine slows both alike, and a minute is a minute of one core. The pictures of `--val` are looked at
for the curve alone: nothing is chosen by them, and no slice of the data is held out.

    python -m tests.bench.curves train.json --val val.json --base FILE --side 256 --minutes 15 --plot FILE.png

`--val-fraction F` in place of `--val` measures on what `train --val-fraction F` keeps back.
"""

from __future__ import annotations

import argparse
import copy
import json
import tempfile
import time
from pathlib import Path

import torch

from engine.device import number_format
from engine.formats.labelled import LabelledSet
from engine.models.store import ModelStore
from engine.train.evaluate import evaluate_network
from engine.train.loop import Run
from engine.train.plan import Budget, TrainPlan
from engine.train.sources import load_labelled, split
from tests.bench.torchvision_recipe import Tutorial

Point = tuple[float, int, dict[str, float]]
"""Minutes in steps, steps, figures."""


def ours_at(run: Run, truth: LabelledSet) -> dict[str, float]:
    """How good the averaged weights of this step are."""
    card = run.versions.card(run.plan.name, run.at, {})
    network = copy.deepcopy(run.averaged_network())
    return dict(evaluate_network(network, card, truth, run.plan.device).scores.metrics)


def curves(
    data: LabelledSet, val: LabelledSet, base: Path, *, side: int, minutes: float, points: int, seed: int
) -> dict[str, list[Point]]:
    """Both recipes for so many minutes each, measured `points` times on the way."""
    torch.set_num_threads(1)
    bf16 = number_format("cpu").bf16
    with tempfile.TemporaryDirectory() as folder:
        plan = TrainPlan(data, str(base), "curve", Budget(minutes=minutes), seed=seed, side=side, bf16=bf16)
        ours = Run(plan, ModelStore(Path(folder)))
        ours.clock = time.process_time
        torch.set_num_threads(1)
        theirs = Tutorial(data, base, side=side, seed=seed, clock=time.process_time)
        found: dict[str, list[Point]] = {"ours": [], "torchvision's": []}
        for point in range(1, points + 1):
            until = 60 * minutes * point / points
            while min(ours.at.seconds, theirs.seconds) < until:
                if ours.at.seconds <= theirs.seconds:
                    ours.step()
                else:
                    theirs.step()
            figures = {"ours": ours_at(ours, val), "torchvision's": theirs.metrics(val)}
            for name, steps in (("ours", ours.at.step), ("torchvision's", theirs.steps)):
                found[name].append((round(until / 60, 2), steps, figures[name]))
                told = {k: round(figures[name][k], 4) for k in ("mask_ap", "mask_ap50", "box_ap")}
                print(f"{until / 60:.1f} minutes, {name}: {steps} steps, {json.dumps(told)}", flush=True)
    return found


def plot(found: dict[str, list[Point]], file: Path, title: str) -> None:
    """Draw the mask AP over the minutes."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for (name, points), colour in zip(found.items(), ("#2e86ab", "#b0772e"), strict=True):
        minutes = [0.0, *(p[0] for p in points)]
        for key, style in (("mask_ap", "-"), ("mask_ap50", ":")):
            values = [0.0, *(p[2][key] for p in points)]
            label = f"{name}, {'AP' if key == 'mask_ap' else 'AP50'}"
            axes.plot(minutes, values, style, color=colour, marker="o", markersize=3, label=label)
    axes.set(xlabel="minutes of one core in steps", ylabel="mask AP", title=title, ylim=(0, 1))
    axes.grid(alpha=0.25)
    axes.legend()
    figure.savefig(file, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--val", type=Path)
    parser.add_argument("--val-fraction", type=float)
    parser.add_argument("--base", type=Path, required=True)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--minutes", type=float, default=15.0)
    parser.add_argument("--points", type=int, default=5)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plot", type=Path)
    given = parser.parse_args()
    data = load_labelled(given.data, None)
    if given.val_fraction is not None:
        data, val = split(data, given.val_fraction, given.seed)
    else:
        val = load_labelled(given.val, None)
    found = curves(
        data,
        val,
        given.base,
        side=given.side,
        minutes=given.minutes,
        points=given.points,
        seed=given.seed,
    )
    if given.plot:
        plot(found, given.plot, f"{given.data.parent.name}, side {given.side}")


if __name__ == "__main__":
    main()
