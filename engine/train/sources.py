"""Where training and evaluation data come from: a project's reviewed images, or a COCO file.

Also the seeded split. No torch here.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from pathlib import Path

from engine.document.records import MediaItem, ReviewState
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
            raise DataError(f"{data} is a project, which knows its images itself: leave --images out.")
        return _of_project(data)
    if not data.is_file():
        raise DataError(f"There is no project folder or COCO file at {data}.")
    return read_coco(data, images_dir)


def _of_project(folder: Path) -> LabelledSet:
    with Project.open(folder, read_only=True) as project:
        changed = project.changed_media()
        images = tuple(
            _of_item(project, item)
            for item in project.media()
            if not item.missing
            and item.id not in changed
            and project.review_state(item.id) is ReviewState.REVIEWED
        )
        if not images:
            raise DataError(f"No image of {folder} is reviewed yet: review some, or give a COCO file.")
        return LabelledSet(project.classes(), images)


def _of_item(project: Project, item: MediaItem) -> LabelledImage:
    path, document = project.path_of(item), project.load(item.id)
    width, height = item.width, item.height
    if not width:  # nobody has read its header yet
        info = probe(path, item.frame)
        width, height = info.width, info.height
    seen = tuple(one for one in document.instances if not one.provenance.is_proposal)
    return LabelledImage(path, width, height, seen, document.ignore_regions, item.frame)


def split(labelled: LabelledSet, share: float, seed: int) -> tuple[LabelledSet, LabelledSet]:
    """Split off a share of the images (0..1, at least one on either side): the rest, then the share.

    Which images go is decided by a hash of the seed and each name, so it depends neither on the order
    of the file nor on what else is in it. Raises DataError for fewer than two images.
    """
    if len(labelled.images) < 2:
        raise DataError("One image cannot be split into two sets: label more, or leave --val-fraction out.")
    order = sorted(labelled.images, key=lambda image: _place(image, seed))
    count = min(max(round(share * len(order)), 1), len(order) - 1)
    chosen = {(image.path, image.frame) for image in order[:count]}
    kept = (i for i in labelled.images if (i.path, i.frame) not in chosen)
    gone = (i for i in labelled.images if (i.path, i.frame) in chosen)
    return labelled.with_images(tuple(kept)), labelled.with_images(tuple(gone))


def hold_out(labelled: LabelledSet, seed: int) -> tuple[LabelledSet, LabelledSet | None]:
    """What to learn from, and a slice of it to choose the best weights by; None of too small a set."""
    count = len(labelled.images)
    if count < LEAST_TO_HOLD_OUT:
        return labelled, None
    return split(labelled, min(HELD_OUT_SHARE, MOST_HELD_OUT / count), seed)


def _place(image: LabelledImage, seed: int) -> str:
    return hashlib.sha256(
        f"{seed}\t{image.path.name}\t{image.frame}".encode("utf-8", "surrogateescape")
    ).hexdigest()


def check_apart(training: LabelledSet, measured: LabelledSet) -> None:
    """Raises DataError where an image is in both: what was learned by heart cannot be measured."""
    common = {(i.path.resolve(), i.frame) for i in training.images} & {
        (i.path.resolve(), i.frame) for i in measured.images
    }
    if common:
        path, _ = min(common)
        raise DataError(
            f"{path} and {len(common) - 1} more images are in the training data and in --val: take them out "
            "of one of them."
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
