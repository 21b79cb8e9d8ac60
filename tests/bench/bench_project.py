"""How long a project of 100,000 images with 5 masks each takes to open, to list and to save one image.

`python -m tests.bench.bench_project` prints the figures; `measure` gives them to the bench runner.
"""

from __future__ import annotations

import os
import random
import statistics
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import numpy as np

from engine.document.document import Edit
from engine.document.masks import Mask, pack
from engine.document.records import Instance, new_id
from engine.project import Project

IMAGES = 100_000
INSTANCES = 5  # an image
SAVES = 400
OPENINGS = 7

TARGETS = {"open_s": 0.2, "save_median_s": 0.005}
"""What is to be reached, by the name of the figure."""


def measure() -> dict[str, float]:
    """Figures in seconds (`_s`) and megabytes (`_mb`); medians unless the name says otherwise.

    `open_s` ends when `Project.open` returns; `list_s` is `media()` after that, a record for each
    image. `save_*` is from `save` to the acknowledged future: committed with synchronous=FULL.
    `raw_sync_s` is 8 KiB written and synced by itself: what the disk takes of a save, and a busy
    machine shows there first.
    """
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        _fill(folder)
        figures = _openings(folder)
        figures["raw_sync_s"] = _raw_sync(folder)
        figures |= _saves(folder)
        figures["database_mb"] = (folder / ".maskwright" / "project.db").stat().st_size / 1e6
    return figures


def _fill(folder: Path) -> None:
    """A project as a long labelling leaves it. Only the images that will be saved to have a file."""
    random_ = np.random.default_rng(0)
    masks = [pack(_blob(random_)) for _ in range(200)]
    with Project.open(folder) as project:
        class_id = project.ensure_class("cell").id
        media = [(n + 1, f"folder_{n // 1000:03}/image_{n:06}.jpg", f"{n:064x}") for n in range(IMAGES)]
        instances = [
            (n // INSTANCES + 1, new_id(), class_id, masks[n % len(masks)]) for n in range(IMAGES * INSTANCES)
        ]
        project._write(
            lambda connection: (
                connection.executemany(
                    """INSERT INTO media (id, path, content_hash, width, height, size, mtime_ns)
                    VALUES (?, ?, ?, 1920, 1080, 1, 1)""",
                    media,
                ),
                connection.executemany(
                    """INSERT INTO instance (media_id, id, class_id, provenance, mask)
                    VALUES (?, ?, ?, 'drawn', ?)""",
                    instances,
                ),
            )
        )


def _blob(random_: np.random.Generator) -> Mask:
    """A wobbly disc of about 100 pixels across."""
    rows, columns = np.mgrid[:140, :140] - 70.0
    angle, radius = np.arctan2(rows, columns), np.hypot(rows, columns)
    edge = 50 + sum(random_.normal(0, 5) * np.sin(k * angle + random_.uniform(0, 6)) for k in range(2, 8))
    return Mask.from_crop(int(random_.integers(1700)), int(random_.integers(900)), radius < edge)


def _openings(folder: Path) -> dict[str, float]:
    opened, listed = [], []
    for _ in range(OPENINGS):
        start = time.perf_counter()
        with Project.open(folder) as project:
            opened.append(time.perf_counter() - start)
            start = time.perf_counter()
            items = project.media()
            listed.append(time.perf_counter() - start)
            assert len(items) == IMAGES
    return {
        "open_s": statistics.median(opened),
        "open_worst_s": max(opened),
        "list_s": statistics.median(listed),
    }


def _raw_sync(folder: Path) -> float:
    times = []
    with (folder / "raw").open("wb", buffering=0) as file:
        for _ in range(100):
            start = time.perf_counter()
            file.write(bytes(8192))
            os.fsync(file.fileno())
            times.append(time.perf_counter() - start)
    return statistics.median(times)


def _saves(folder: Path) -> dict[str, float]:
    """Corrections as a person makes them: load an image, repaint one mask, save it, wait for the answer."""
    dice, random_ = random.Random(0), np.random.default_rng(1)
    saves, loads = [], []
    with Project.open(folder) as project:
        for item in dice.sample(project.media(), SAVES):
            start = time.perf_counter()
            document = project.load(item.id)
            loads.append(time.perf_counter() - start)
            edits: list[Edit] = []
            document.subscribe(edits.append)
            with document.edit("Repaint"):
                document.replace(_repainted(document.instances[0], random_))
            start = time.perf_counter()
            project.save(item.id, edits[0].diff, name="Repaint").result()
            saves.append(time.perf_counter() - start)
    return {
        "load_s": statistics.median(loads),
        "save_median_s": statistics.median(saves),
        "save_p95_s": sorted(saves)[int(0.95 * SAVES)],
        "save_worst_s": max(saves),
    }


def _repainted(instance: Instance, random_: np.random.Generator) -> Instance:
    return replace(instance, mask=_blob(random_))


if __name__ == "__main__":
    for name, value in measure().items():
        target = f"  (target {TARGETS[name]:g})" if name in TARGETS else ""
        print(f"{name:16} {value:10.5f}{target}")
