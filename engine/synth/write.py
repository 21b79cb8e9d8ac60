"""Writes rendered pictures and their truth as a labelled data set.

Knows the neutral data set and COCO; nothing of how a picture is rendered.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeAlias

import cv2

from engine.errors import DataError
from engine.formats.coco import write_coco
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.synth.grounds import Split
from engine.synth.scene import render, scene_classes

TRUTH = "truth.json"
JPEG_QUALITY = 92

Size: TypeAlias = tuple[int, int]


@dataclass(frozen=True, slots=True)
class _Order:
    """One picture to render into a file."""

    file: Path
    seed: int
    split: Split
    size: Size
    extra_class: bool
    quality: int


def write_set(
    folder: Path,
    *,
    count: int,
    seed: int,
    split: Split,
    sizes: Sequence[Size] = ((640, 480),),
    extra_class: bool = False,
    suffix: str = ".jpg",
    workers: int = 1,
    on_picture: Callable[[int], None] = lambda _done: None,
) -> LabelledSet:
    """Renders `count` pictures into `folder`, their seeds counted up from `seed`; see `write_seeds`."""
    return write_seeds(
        folder,
        range(seed, seed + count),
        split=split,
        sizes=sizes,
        extra_class=extra_class,
        suffix=suffix,
        workers=workers,
        on_picture=on_picture,
    )


def write_seeds(
    folder: Path,
    seeds: Sequence[int],
    *,
    split: Split,
    sizes: Sequence[Size] = ((640, 480),),
    extra_class: bool = False,
    suffix: str = ".jpg",
    quality: int = JPEG_QUALITY,
    workers: int = 1,
    on_picture: Callable[[int], None] = lambda _done: None,
) -> LabelledSet:
    """Renders a picture for each seed into `folder`, and their truth into `truth.json` (COCO, exact RLE).

    Picture number i has the size `sizes[i % len(sizes)]` (width, height): the same arguments give the
    same files, whatever `workers` (processes) is. `suffix` is ".jpg" (of this `quality`) or ".png".
    `on_picture` is told how many are done. Raises DataError where a picture cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise DataError(f"{folder} cannot be made a folder: {e.strerror or e}.") from e
    orders = [
        _Order(folder / f"tray_{seed:06d}{suffix}", seed, split, sizes[i % len(sizes)], extra_class, quality)
        for i, seed in enumerate(seeds)
    ]
    images: list[LabelledImage] = []
    next_id = 1
    for image in _rendered(orders, workers):
        # Ids are unique in a set, not only in a picture.
        instances = tuple(replace(one, id=next_id + k) for k, one in enumerate(image.instances))
        next_id += len(instances)
        images.append(replace(image, instances=instances))
        on_picture(len(images))
    labelled = LabelledSet(scene_classes(extra_class=extra_class), tuple(images))
    write_coco(folder / TRUTH, labelled)
    return labelled


def _rendered(orders: Sequence[_Order], workers: int) -> Iterator[LabelledImage]:
    """The pictures in order, each written to its file."""
    if workers <= 1:
        yield from map(_render_to_file, orders)
        return
    # Spawned, as everywhere: forking a process that has started OpenCV's threads may hang.
    with ProcessPoolExecutor(workers, mp_context=multiprocessing.get_context("spawn")) as pool:
        yield from pool.map(_render_to_file, orders, chunksize=4)


def _render_to_file(order: _Order) -> LabelledImage:
    """Renders one picture and writes it."""
    scene = render(order.seed, split=order.split, size=order.size, extra_class=order.extra_class)
    flags = [cv2.IMWRITE_JPEG_QUALITY, order.quality] if order.file.suffix == ".jpg" else []
    done, data = cv2.imencode(order.file.suffix, scene.image[..., ::-1], flags)
    assert done
    try:
        # Not cv2.imwrite: on Windows it cannot write to names outside the code page.
        order.file.write_bytes(data.tobytes())
    except OSError as e:
        raise DataError(f"{order.file} cannot be written: {e.strerror or e}.") from e
    height, width = scene.image.shape[:2]
    return LabelledImage(order.file, width, height, scene.instances)
