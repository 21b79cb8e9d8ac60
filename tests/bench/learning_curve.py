"""How much a model learns from so many corrected images: the window's loop, simulated with known truth.

The queue (or chance) picks images, their truth is "corrected" in, a model is trained from the same base for
the same minutes, ours or torchvision's tutorial recipe, and measured on the same validation set. It goes on
with the images that it has: so the queue sees what the model of the size before doubts.

    python -m tests.bench.learning_curve train.json --val val.json --base FILE --sizes 10 40 --minutes 3

Figures go to OUT/curve.json after each way and seed, so that a run that is cut off is not lost; the plot to
OUT/curve.png.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.document.diff import Diff
from engine.document.records import IMAGE_STATE_ID, ImageState, Record, ReviewState, new_id
from engine.formats.labelled import LabelledSet
from engine.messages import LabelFolder, ModelChoice
from engine.project import Project
from engine.session import run_to_end
from engine.train.events import Trained
from engine.train.order import TrainOrder
from engine.train.process import TrainingProcess
from engine.train.sources import load_labelled
from engine.tuning.review_queue import review_queue
from tests.bench.torchvision_recipe import train_as_torchvision_does

WAYS = ("queue", "random", "torchvision")


def project_of(folder: Path, data: LabelledSet) -> None:
    """Copies of the pictures, with nothing labelled."""
    folder.mkdir(parents=True)
    for image in data.images:
        shutil.copyfile(image.path, folder / image.path.name)
    with Project.open(folder) as project:
        project.refresh()
        for one in data.classes:
            project.ensure_class(one.name)


def correct(folder: Path, data: LabelledSet, names: Sequence[str]) -> None:
    """Put the truth of these pictures in, as a person would who reviews them."""
    truth = {image.path.name: image for image in data.images}
    with Project.open(folder) as project:
        ids = {c.id: project.ensure_class(c.name).id for c in data.classes}
        for item in project.media():
            if item.path not in names:
                continue
            document = project.load(item.id)
            drawn = [
                replace(one, id=new_id(), class_id=ids[one.class_id]) for one in truth[item.path].instances
            ]
            added: dict[int, Record] = {one.id: one for one in drawn}
            removed: dict[int, Record] = {one.id: one for one in document.instances}
            state = {IMAGE_STATE_ID: (document.state, ImageState(ReviewState.REVIEWED))}
            project.save(item.id, Diff(added, state, removed), name="Correct").result()


def picked(folder: Path, way: str, count: int, seed: int) -> list[str]:
    """The next pictures to correct."""
    with Project.open(folder) as project:
        if way != "random":
            return [one.path for one in review_queue(project, count, seed=seed)]
        states = project.image_states()
        reviewed = {id_ for id_, one in states.items() if one.review is ReviewState.REVIEWED}
        left = [item.path for item in project.media() if item.id not in reviewed]
    order = np.random.default_rng(seed).permutation(len(left))
    return [left[n] for n in order[:count]]


def trained(folder: Path, given: argparse.Namespace, name: str, seed: int) -> float:
    """Mask AP on the validation set of a model taught on what is reviewed."""
    order = TrainOrder(
        folder,
        val=given.val,
        val_images=given.images,
        base=str(given.base),
        name=name,
        minutes=given.minutes,
        side=given.side,
        seed=seed,
        held_out=0.0,
    )
    with TrainingProcess(order) as process:
        ending = list(process.events())[-1]
    if not isinstance(ending, Trained):
        raise SystemExit(f"{name}: {ending}")
    return ending.metrics["mask_ap"]


def taught_by_torchvision(folder: Path, val: LabelledSet, given: argparse.Namespace, seed: int) -> float:
    """The same by the tutorial's recipe."""
    data = load_labelled(folder)
    outcome = train_as_torchvision_does(
        data, val, given.base, side=given.side, minutes=given.minutes, seed=seed
    )
    return outcome.metrics["mask_ap"]


def curve(given: argparse.Namespace, way: str, seed: int) -> dict[int, float]:
    """Mask AP by the number of corrected images. torchvision's learns from the images that chance picks."""
    data = load_labelled(given.data, given.images)
    val = load_labelled(given.val, given.images)
    folder = given.out / f"{way}-{seed}"
    shutil.rmtree(folder, ignore_errors=True)
    project_of(folder, data)
    found, have = dict[int, float](), 0
    for size in sorted(given.sizes):
        correct(
            folder, data, picked(folder, "queue" if way == "queue" else "random", size - have, seed + have)
        )
        have, name = size, f"{way}-{seed}-{size}"
        if way == "torchvision":
            found[size] = taught_by_torchvision(folder, val, given, seed)
        else:
            found[size] = trained(folder, given, name, seed)
        print(f"{way}, seed {seed}, {size} images: mask AP {found[size]:.3f}", flush=True)
        if way == "queue" and size < max(given.sizes):
            list(run_to_end(LabelFolder(folder, ModelChoice(name))))
    return found


def plot(file: Path, results: dict[str, dict[str, dict[int, float]]]) -> None:
    """A line a way: the mean over the seeds, with their range."""
    import matplotlib as mpl

    mpl.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(6, 4))
    for way, by_seed in results.items():
        sizes = sorted({size for one in by_seed.values() for size in one})
        every = [[one[size] for one in by_seed.values() if size in one] for size in sizes]
        axes.plot(sizes, [float(np.mean(aps)) for aps in every], marker="o", label=way)
        axes.fill_between(sizes, [min(aps) for aps in every], [max(aps) for aps in every], alpha=0.2)
    axes.set_xlabel("corrected images")
    axes.set_ylabel("mask AP")
    axes.legend()
    figure.tight_layout()
    figure.savefig(file, dpi=120)
    plt.close(figure)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", type=Path)
    parser.add_argument("--val", type=Path, required=True)
    parser.add_argument("--images", type=Path)
    parser.add_argument("--base", type=Path, required=True, help="an ImageNet classifier's weights file")
    parser.add_argument("--sizes", type=int, nargs="+", default=[10, 40])
    parser.add_argument("--ways", nargs="+", choices=WAYS, default=list(WAYS))
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--side", type=int, default=256)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--out", type=Path, default=Path("out", "curve"))
    given = parser.parse_args()
    given.out = given.out.resolve()
    os.environ["MASKWRIGHT_MODELS"] = str(given.out / "models")
    results: dict[str, dict[str, dict[int, float]]] = {}
    for way in given.ways:
        for seed in given.seeds:
            results.setdefault(way, {})[str(seed)] = curve(given, way, seed)
            settings = {"minutes": given.minutes, "side": given.side, "base": given.base.name}
            text = json.dumps({"settings": settings, "mask_ap": results}, indent=1)
            (given.out / "curve.json").write_text(text + "\n", encoding="utf-8")
            plot(given.out / "curve.png", results)


if __name__ == "__main__":
    main()
