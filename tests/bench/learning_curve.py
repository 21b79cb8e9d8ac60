"""How much a model learns from so many corrected images: the window's loop, simulated with known truth.

The queue (or chance) picks images, their truth is "corrected" in, a model is trained from the same base for
the same minutes, ours or torchvision's tutorial recipe, and measured on the same validation set. It goes on
with the images that it has: so the queue sees what the model of the size before doubts. A minute is one of
the processor in steps, not of the clock: whatever else the machine does slows no way more than another.

    taskset -c 1 python -m tests.bench.learning_curve train.json --val val.json --base FILE --minutes 3

Figures go to OUT/curve.json after each training, so that a run that is cut off is not lost; the plot to
OUT/curve.png. A run that is given an OUT with figures goes on after them.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeAlias

import numpy as np

from engine.document.diff import Diff
from engine.document.records import IMAGE_STATE_ID, ImageState, Record, ReviewState, new_id
from engine.formats.labelled import LabelledSet
from engine.messages import LabelFolder, ModelChoice
from engine.project import Project
from engine.project.location import PROJECT_DIR
from engine.session import run_to_end
from engine.train.events import Trained
from engine.train.loop import Run
from engine.train.order import TrainOrder
from engine.train.sources import load_labelled
from engine.train.wishes import Wishes
from engine.train.work import carry_out
from engine.tuning.review_queue import review_queue
from tests.bench.torchvision_recipe import train_as_torchvision_does

WAYS = ("queue", "random", "torchvision")

Figures: TypeAlias = dict[str, float]
"""Mask AP by the number of images."""

Results: TypeAlias = dict[str, dict[str, Figures]]
"""By way and seed."""


def project_of(folder: Path, data: LabelledSet) -> None:
    """Copies of the pictures, with nothing labelled; one that is there is left as it is."""
    if (folder / PROJECT_DIR).is_dir():
        return
    folder.mkdir(parents=True, exist_ok=True)
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


def picked(folder: Path, way: str, size: int, seed: int) -> list[str]:
    """The next pictures to correct, so that it is `size` of them."""
    with Project.open(folder) as project:
        states = project.image_states()
        reviewed = {id_ for id_, one in states.items() if one.review is ReviewState.REVIEWED}
        count = max(size - len(reviewed), 0)
        if way == "queue":
            return [one.path for one in review_queue(project, count, seed=seed)]
        left = [item.path for item in project.media() if item.id not in reviewed]
    order = np.random.default_rng(seed + len(reviewed)).permutation(len(left))
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
    ending = carry_out(order, lambda _event: None, Wishes())
    if not isinstance(ending, Trained):
        raise SystemExit(f"{name}: {ending}")
    return ending.metrics["mask_ap"]


def taught_by_torchvision(folder: Path, val: LabelledSet, given: argparse.Namespace, seed: int) -> float:
    """The same by the tutorial's recipe, its rate stretched over the minutes: by epochs it would be over
    before anything of ten images is learned."""
    data = load_labelled(folder)
    outcome = train_as_torchvision_does(
        data,
        val,
        given.base,
        side=given.side,
        minutes=given.minutes,
        seed=seed,
        clock=time.process_time,
        stretched=True,
    )
    return outcome.metrics["mask_ap"]


def curve(given: argparse.Namespace, way: str, seed: int, found: Figures) -> Iterator[None]:
    """Fill in the mask AP by the number of corrected images; yields after each that is new.

    torchvision's learns from the images that chance picks.
    """
    data = load_labelled(given.data, given.images)
    val = load_labelled(given.val, given.images)
    folder = given.out / f"{way}-{seed}"
    project_of(folder, data)
    for size in sorted(given.sizes):
        correct(folder, data, picked(folder, way, size, seed))
        name = f"{way}-{seed}-{size}"
        if str(size) not in found:
            if way == "torchvision":
                found[str(size)] = taught_by_torchvision(folder, val, given, seed)
            else:
                found[str(size)] = trained(folder, given, name, seed)
            print(f"{way}, seed {seed}, {size} images: mask AP {found[str(size)]:.3f}", flush=True)
            yield
        if way == "queue" and size < max(given.sizes):
            list(run_to_end(LabelFolder(folder, ModelChoice(name))))


def plot(file: Path, results: Results, title: str) -> None:
    """A line a way: the mean over the seeds, with their range."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(6, 3.6), layout="constrained")
    axes = figure.add_subplot()
    for way, by_seed in results.items():
        sizes = sorted({size for one in by_seed.values() for size in one}, key=int)
        every = [[one[size] for one in by_seed.values() if size in one] for size in sizes]
        places = [int(size) for size in sizes]
        (line,) = axes.plot(places, [float(np.mean(aps)) for aps in every], marker="o", label=way)
        least, most = [min(aps) for aps in every], [max(aps) for aps in every]
        axes.fill_between(places, least, most, alpha=0.2, color=line.get_color())
    axes.set(xlabel="corrected images", ylabel="mask AP", title=title, xlim=(0, None), ylim=(0, None))
    axes.grid(alpha=0.25)
    axes.legend()
    figure.savefig(file, dpi=110)


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
    Run.clock = staticmethod(time.process_time)
    file, settings = given.out / "curve.json", {"minutes": given.minutes, "side": given.side}
    results: Results = json.loads(file.read_text())["mask_ap"] if file.is_file() else {}
    for way in given.ways:
        for seed in given.seeds:
            for _ in curve(given, way, seed, results.setdefault(way, {}).setdefault(str(seed), {})):
                text = json.dumps({"settings": settings, "mask_ap": results}, indent=1)
                file.write_text(text + "\n", encoding="utf-8")
                plot(given.out / "curve.png", results, f"{given.minutes:g} minutes of one core each")


if __name__ == "__main__":
    main()
