"""The work behind `label`: which folders, the run with its progress, and what is written afterwards.

Apart from the command so that other commands (`demo`) and tests can call it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import cv2

from engine.cli import batch
from engine.cli.console import say
from engine.cli.models import obtain
from engine.document.records import ClassDef, Instance, ReviewState
from engine.errors import DataError, MaskwrightError, ModelError
from engine.files import replacing
from engine.formats.coco import write_coco
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.media.image import read_rgb
from engine.media.scan import is_video_name
from engine.messages import (
    Event,
    Finished,
    ImageLabelled,
    LabelFolder,
    ModelReady,
)
from engine.overlay import draw
from engine.project import Project

EXIT_CANCELED = 130


@dataclass(slots=True)
class Report:
    """What came of one `label` command over all its folders."""

    requests: list[LabelFolder] = field(default_factory=list)
    labelled: int = 0
    instances: int = 0
    up_to_date: int = 0
    reviewed: int = 0
    seconds: float = 0.0
    failures: list[str] = field(default_factory=list)
    canceled: bool = False
    device: str = ""

    def figures(self) -> dict[str, object]:
        """Everything a script may want, ready for JSON."""
        return {
            "labelled": self.labelled,
            "instances": self.instances,
            "up_to_date": self.up_to_date,
            "reviewed": self.reviewed,
            "failed": len(self.failures),
            "failures": self.failures,
            "canceled": self.canceled,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.labelled / self.seconds, 3) if self.seconds else None,
            "device": self.device,
        }

    def exit_code(self) -> int:
        """0 only if every image asked for was done."""
        if self.canceled:
            return EXIT_CANCELED
        return 1 if self.failures else 0


def by_folder(targets: Sequence[Path]) -> dict[Path, tuple[str, ...]]:
    """Folder -> paths in it to label (all when empty), for folders and single files.

    A file belongs to the nearest folder above it that holds a project, else to its own folder.
    Raises DataError for a target that is not there.
    """
    whole: list[Path] = []
    single: dict[Path, list[str]] = {}
    for target in targets:
        path = target.absolute()
        if path.is_dir():
            whole.append(path)
        elif path.is_file():
            home = next(
                (p for p in path.parents if (p / ".maskwright" / "project.db").is_file()), path.parent
            )
            single.setdefault(home, []).append(path.relative_to(home).as_posix())
        else:
            raise DataError(f"There is no file or folder called {target}: check the name.")
    return {**{folder: tuple(names) for folder, names in single.items()}, **dict.fromkeys(whole, ())}


def check_model(name: str, classes: tuple[str, ...] | None) -> None:
    """Fetch the model if it is one to download, and see that it knows the classes asked for."""
    card = obtain(name).card
    unknown = sorted(set(classes or ()) - set(card.classes))
    if unknown:
        known = ", ".join(card.classes[:20]) + (", ..." if len(card.classes) > 20 else "")
        raise ModelError(f"Model {card.name} knows no class called '{unknown[0]}'; it knows {known}.")


def run(request: LabelFolder, report: Report) -> None:
    """Carry out one folder's labelling with a progress display. Raises MaskwrightError if it cannot start."""
    # As the project itself says it, so that its images are found below it.
    request = replace(request, folder=request.folder.resolve())
    report.requests.append(request)

    def note(event: Event) -> None:
        match event:
            case ModelReady():
                if event.device != report.device:
                    say(f"model {event.name} on {event.device}")
                report.device = event.device
            case ImageLabelled():
                report.labelled += 1
                report.instances += event.instances
            case Finished():
                _count_the_rest(report, event)

    batch.carry_out(request, f"label {request.folder.name}", report, note)


def _count_the_rest(report: Report, event: Finished) -> None:
    report.up_to_date += int(event.summary["up_to_date"])
    report.reviewed += int(event.summary["reviewed"])
    report.seconds += float(event.summary["seconds"])


def conclude(report: Report) -> None:
    """Say in a line what came of it, and how to go on."""
    if report.canceled:
        say(f"stopped after {_count(report.labelled, 'image')}; run the same command again to go on there")
        return
    parts = [f"{_count(report.labelled, 'image')} labelled, {_count(report.instances, 'proposal')}"]
    parts += [f"{report.up_to_date} up to date"] * bool(report.up_to_date)
    parts += [f"{report.reviewed} reviewed and left alone"] * bool(report.reviewed)
    parts += [f"{len(report.failures)} failed"] * bool(report.failures)
    say(" · ".join(parts))


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def write_results(
    report: Report,
    threshold: float,
    classes: tuple[str, ...] | None,
    out: Path | None,
    overlays: Path | None,
) -> None:
    """Write what the projects now hold of the images asked for: COCO JSON, pictures with masks.

    A proposal is shown from `threshold` up; what a person made is shown whatever its score.
    """
    result = _collect(report.requests, threshold, None if classes is None else frozenset(classes))
    if out is not None:
        write_coco(out, result, images_dir=_common_folder(report.requests))
        say(f"{_count(result.instance_count, 'instance')} of {_count(len(result.images), 'image')} in {out}")
    if overlays is not None:
        max_pixels = report.requests[0].max_pixels
        written = sum(
            _write_overlay(image, result, overlays / name, max_pixels)
            for name, image in zip(_overlay_names(report.requests, result), result.images, strict=True)
        )
        say(f"{_count(written, 'picture')} with masks in {overlays}")


def _collect(requests: Sequence[LabelFolder], threshold: float, wanted: frozenset[str] | None) -> LabelledSet:
    classes: dict[str, ClassDef] = {}
    images: list[LabelledImage] = []
    for request in requests:
        with Project.open(request.folder, read_only=True) as project:
            images += _collect_project(project, request, threshold, wanted, classes)
    return LabelledSet(tuple(classes.values()), tuple(images))


def _collect_project(
    project: Project,
    request: LabelFolder,
    threshold: float,
    wanted: frozenset[str] | None,
    classes: dict[str, ClassDef],
) -> Iterator[LabelledImage]:
    own = {c.id: c for c in project.classes()}
    for cls in own.values():
        if wanted is None or cls.name in wanted:
            classes.setdefault(cls.name, cls)
    for item in project.media():
        known = item.width and not item.missing and (not request.only or item.path in request.only)
        if request.every and item.frame % request.every and is_video_name(item.path):
            continue
        if not known or project.review_state(item.id) is ReviewState.UNLABELLED:
            continue
        document = project.load(item.id)
        shown = tuple(
            replace(one, class_id=classes[own[one.class_id].name].id)
            for one in document.instances
            if own[one.class_id].name in classes and _is_shown(one, threshold)
        )
        yield LabelledImage(
            project.path_of(item), item.width, item.height, shown, document.ignore_regions, item.frame,
            item.contrast,
        )  # fmt: skip


def _is_shown(one: Instance, threshold: float) -> bool:
    return not one.provenance.is_proposal or one.score is None or one.score >= threshold


def _common_folder(requests: Sequence[LabelFolder]) -> Path:
    """The folder that names in the COCO file are relative to: the one labelled, or what several share."""
    return Path(os.path.commonpath([request.folder for request in requests]))


def _overlay_names(requests: Sequence[LabelFolder], result: LabelledSet) -> Iterator[Path]:
    """Where each image's overlay goes: the image's own place under its folder, with `.jpg` behind it.

    The whole name stays, suffix and all: a.png and a.jpg may lie side by side. A page's number joins
    the name of a multi-page file, and the folder's name leads where several were labelled.
    """
    folders = [request.folder for request in requests]
    for image in result.images:
        folder = next(f for f in folders if image.path.is_relative_to(f))
        inside = image.path.relative_to(folder if len(folders) == 1 else folder.parent)
        page = f".{image.frame:06d}" if is_video_name(inside.name) else f".{image.frame}" * (image.frame > 0)
        yield inside.with_name(f"{inside.name}{page}.jpg")


def _write_overlay(image: LabelledImage, result: LabelledSet, target: Path, max_pixels: int) -> bool:
    try:
        pixels = read_rgb(image.path, image.frame, image.contrast, max_pixels=max_pixels)
    except MaskwrightError as error:
        say(f"no overlay: {error}")
        return False
    drawn = draw(pixels, image.instances, {c.id: c for c in result.classes})
    _, encoded = cv2.imencode(".jpg", cv2.cvtColor(drawn, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, 92])
    try:
        with replacing(target) as part:
            part.write_bytes(encoded.tobytes())
    except OSError as e:
        raise DataError(f"The overlay {target} cannot be written: {e.strerror or e}.") from e
    return True
