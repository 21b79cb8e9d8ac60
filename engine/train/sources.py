"""Where training and evaluation data come from: a project's reviewed images, or a COCO file.

Also the seeded split. No torch here.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections import Counter
from collections.abc import Collection, Iterable
from pathlib import Path

import numpy as np

from engine.document.masks import Mask
from engine.document.records import ClassDef, IgnoreRegion, Instance, MediaItem, ReviewState
from engine.errors import DataError
from engine.formats.coco import read_coco
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.media.image import probe
from engine.project import Project

LEAST_TO_HOLD_OUT = 200
MOST_HELD_OUT = 40
HELD_OUT_SHARE = 0.1
"""Below the least, every image teaches more than it would say about the others."""


def load_labelled(data: Path, images_dir: Path | None = None) -> LabelledSet:
    """The labelled images of a project folder (the reviewed ones) or a COCO JSON file.

    Images whose file is missing, or holds another picture than was labelled, are left out. Raises
    DataError, ProjectError or MediaError, naming the place.
    """
    if data.is_dir():
        if images_dir is not None:
            raise DataError(
                f"{data} is a project, which knows its images itself: name no folder of pictures for it."
            )
        return _of_project(data)
    if not data.is_file():
        raise DataError(f"There is no project folder or COCO file at {data}.")
    return read_coco(data, images_dir)


def _of_project(folder: Path) -> LabelledSet:
    with Project.open(folder, read_only=True) as project:
        items = usable(project)
        if not items:
            raise DataError(f"No image of {folder} is reviewed yet: review some, or give a COCO file.")
        return LabelledSet(project.classes(), tuple(labelled_image(project, item) for item in items))


def usable(project: Project) -> tuple[MediaItem, ...]:
    """The reviewed images whose file is in place and is the one that was labelled."""
    changed, states = project.changed_media(), project.image_states()
    return tuple(
        item
        for item in project.media()
        if not item.missing
        and item.id not in changed
        and item.id in states
        and states[item.id].review is ReviewState.REVIEWED
    )


def labelled_image(project: Project, item: MediaItem) -> LabelledImage:
    """An image with what a person said of it. Proposals that nobody looked at are ignored pixels.

    They are neither an object nor background. Raises MediaError for a header that cannot be read.
    """
    path, document = project.path_of(item), project.load(item.id)
    width, height = item.width, item.height
    if not width:  # nobody has read its header yet
        info = probe(path, item.frame)
        width, height = info.width, info.height
    seen = tuple(one for one in document.instances if not one.provenance.is_proposal)
    unseen = (one for one in document.instances if one.provenance.is_proposal)
    ignored = (*document.ignore_regions, *(_region(one) for one in unseen))
    return LabelledImage(path, width, height, seen, ignored, item.frame, item.contrast)


def _region(one: Instance) -> IgnoreRegion:
    if one.mask is not None:
        return IgnoreRegion(one.id, one.mask)
    x0, y0, x1, y1 = (round(edge) for edge in one.bounds_xyxy)
    return IgnoreRegion(one.id, Mask.from_crop(x0, y0, np.ones((max(y1 - y0, 1), max(x1 - x0, 1)), np.bool_)))


def load_for_tuning(folder: Path, classes: Collection[str] | None = None) -> tuple[LabelledSet, LabelledSet]:
    """What a fine-tuning learns from, and what it is measured on: a project's reviewed images, as assigned.

    classes: those to learn, None for every one that has an instance; instances of the others are ignored
    pixels. Images that were not assigned yet take no part. Raises DataError, ProjectError or MediaError.
    """
    with Project.open(folder, read_only=True) as project:
        return sides_of(project, classes)


def sides_of(project: Project, classes: Collection[str] | None = None) -> tuple[LabelledSet, LabelledSet]:
    """As `load_for_tuning`, of a project that is open."""
    sides = project.held_out()
    items = [item for item in usable(project) if item.id in sides]
    images = {item.id: labelled_image(project, item) for item in items}
    whole = LabelledSet(project.classes(), tuple(images.values()))
    learned = tuple(images[item.id] for item in items if not sides[item.id])
    measured = tuple(images[item.id] for item in items if sides[item.id])
    known = only_classes(whole, classes)
    return only_known(known.classes, learned), only_known(known.classes, measured)


def only_classes(labelled: LabelledSet, names: Collection[str] | None) -> LabelledSet:
    """The set with the classes of these names, or with those that have an instance, and no others."""
    used = {one.class_id for image in labelled.images for one in image.instances}
    wanted = tuple(c for c in labelled.classes if (c.name in names if names is not None else c.id in used))
    if names is not None and (unknown := sorted(set(names) - {c.name for c in wanted})):
        known = ", ".join(f"'{name}'" for name in labelled.class_names)
        raise DataError(f"The project has no class '{unknown[0]}'; it has {known}.")
    return only_known(wanted, labelled.images)


def only_known(classes: tuple[ClassDef, ...], images: Iterable[LabelledImage]) -> LabelledSet:
    """These classes; instances of others become ignored pixels."""
    ids = {one.id for one in classes}
    kept = []
    for image in images:
        others = [one for one in image.instances if one.class_id not in ids]
        if others:
            own = tuple(one for one in image.instances if one.class_id in ids)
            ignored = (*image.ignore, *(_region(one) for one in others))
            image = dataclasses.replace(image, instances=own, ignore=ignored)  # noqa: PLW2901
        kept.append(image)
    return LabelledSet(classes, tuple(kept))


def split(labelled: LabelledSet, share: float, seed: int) -> tuple[LabelledSet, LabelledSet]:
    """Split off a share of the images (0..1, at least one on either side): the rest, then the share.

    Which images go is decided by a hash of the seed and each file's name, so it depends neither on the
    order of the file nor on what else is in it. The frames of a video and the pages of a stack stay on one
    side: they are too much alike to be measured by each other. Raises DataError for fewer than two files.
    """
    frames = Counter(image.path for image in labelled.images)
    if len(frames) < 2:
        raise DataError(
            "One image, or one video or stack, cannot be split into two sets: label more files, or "
            "measure on nothing."
        )
    wanted = max(round(share * len(labelled.images)), 1)
    chosen: set[Path] = set()
    for path in sorted(frames, key=lambda path: _place(path, seed))[:-1]:
        if sum(frames[one] for one in chosen) >= wanted:
            break
        chosen.add(path)
    kept = (i for i in labelled.images if i.path not in chosen)
    gone = (i for i in labelled.images if i.path in chosen)
    return labelled.with_images(tuple(kept)), labelled.with_images(tuple(gone))


def hold_out(labelled: LabelledSet, seed: int) -> tuple[LabelledSet, LabelledSet | None]:
    """What to learn from, and a slice of it to choose the best weights by; None of too small a set."""
    count = len(labelled.images)
    if count < LEAST_TO_HOLD_OUT or len({image.path for image in labelled.images}) < 2:
        return labelled, None
    return split(labelled, min(HELD_OUT_SHARE, MOST_HELD_OUT / count), seed)


def _place(path: Path, seed: int) -> str:
    return hashlib.sha256(f"{seed}\t{path.name}\t0".encode("utf-8", "surrogateescape")).hexdigest()


def check_apart(training: LabelledSet, measured: LabelledSet) -> None:
    """Raises DataError where an image is in both: what was learned by heart cannot be measured."""
    common = {(i.path.resolve(), i.frame) for i in training.images} & {
        (i.path.resolve(), i.frame) for i in measured.images
    }
    if common:
        path, _ = min(common)
        raise DataError(
            f"{path} and {len(common) - 1} more images are in the training data and among those to measure "
            "on: take them out of one of the two."
        )


def write_split(file: Path, *, training: LabelledSet, measured: LabelledSet, seed: int) -> None:
    """Write the names on either side of a split as JSON. Raises DataError where it cannot be written."""
    content = {"seed": seed, "train": _names(training.images), "val": _names(measured.images)}
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    except OSError as e:
        raise DataError(f"The split cannot be written to {file}: {e.strerror or e}.") from e


def _names(images: Iterable[LabelledImage]) -> list[str]:
    return sorted(
        image.path.name if not image.frame else f"{image.path.name}#{image.frame}" for image in images
    )
