"""What the worker does for each request: generators of events. Runs on the worker's thread only.

Knows projects, pictures and predictors, and neither threads nor people: an error of one image becomes an
event, an error of the whole job is raised.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from engine.device import choose_device, use_threads
from engine.document.mask import Mask
from engine.document.records import Box, MediaItem, ReviewState, new_id
from engine.edges import candidates_at_edges, masks_at_edges
from engine.errors import MaskwrightError
from engine.hint import Hint, fitted
from engine.media.image import contrast_in_force, probe, read_rgb
from engine.media.prefetch import decode_ahead
from engine.media.scan import is_video_name
from engine.messages import (
    Compare,
    Examine,
    Explain,
    Explained,
    ImageFailed,
    ImageLabelled,
    LabelFolder,
    ModelChoice,
    ModelReady,
    OrderId,
    Predicted,
    PredictImage,
    PredictPixels,
    Progress,
    Prompt,
    Prompted,
    UpgradeBoxes,
    WorkRequest,
)
from engine.models.store import default_store
from engine.predict.loading import runner_of
from engine.predict.network import Steps
from engine.predict.predictor import Held
from engine.predict.prompts import Prompter
from engine.predict.runner import Runner
from engine.prediction import Prediction
from engine.project import Project
from engine.prompt import Candidate
from engine.proposing import prediction_key, proposals
from engine.refilter import Thresholds, refilter
from engine.tuning.examining import examine
from engine.upgrading import upgrade
from engine.worker import Job

GPU_BATCH = 8
LOOK_AHEAD_BATCHES = 4
"""How many batches' worth of decoded pictures are sorted by shape, so that a batch is padded little."""

BOXES_A_STEP = 8
"""Of a data set of boxes that get their masks; a prompt waits no longer than for these."""

Image = NDArray[np.uint8]
Answered: TypeAlias = tuple[MediaItem, Prediction | MaskwrightError]
OpenProject: TypeAlias = Callable[[Path], AbstractContextManager[Project]]


@dataclass(frozen=True, slots=True)
class ReadyModel:
    """A loaded model with what identifies its answers."""

    predictor: Runner
    sha256: str
    device_in_words: str


class Jobs:
    """Starts the job for a request, keeping the last model loaded.

    open_project: gives the project of a folder; a window lends the one it has open.
    """

    def __init__(self, *, window: bool, open_project: OpenProject = Project.open) -> None:
        self._window = window
        self._open_project = open_project
        self._choice: ModelChoice | None = None
        self._ready: ReadyModel | None = None
        self._prompter: Prompter | None = None  # of the model that is ready

    def start(self, order: OrderId, request: WorkRequest) -> Job:
        """The generator that carries out `request`."""
        match request:
            case PredictImage():
                return self._predict(order, request)
            case PredictPixels():
                return self._predict_pixels(order, request)
            case Prompt():
                return self._prompt(order, request)
            case Explain():
                return self._explain(order, request)
            case LabelFolder():
                return self._label(order, request)
            case Examine():
                return self._examine(order, request)
            case Compare():
                return self._compare(order, request)
            case UpgradeBoxes():
                return self._upgrade(order, request)

    def _model(self, choice: ModelChoice) -> ReadyModel:
        if self._ready is None or choice != self._choice:
            self._prompter = None
            self._ready = self._choice = None  # free the old model before the new one is loaded
            use_threads(window=self._window)
            version = default_store().resolve(choice.model)
            device = choose_device(choice.device)
            runner = runner_of(version, choice.settings, device=device.name)
            self._ready = ReadyModel(runner, version.card.sha256, f"{device.name}: {device.reason}")
            self._choice = choice
        return self._ready

    def _predict(self, order: OrderId, request: PredictImage) -> Job:
        predictor = self._model(request.choice).predictor
        if predictor.has_masks:  # what the backbone says is kept for the prompts that may follow
            prompter = self._prompts_of(predictor)
            prediction = yield from prompter.predict(_content_of(request), _reader(request))
        else:
            prediction = yield from predictor.predict_one(_reader(request)())
        yield Predicted(order, request.generation, prediction)
        return {"instances": len(prediction)}

    def _predict_pixels(self, order: OrderId, request: PredictPixels) -> Job:
        prediction = yield from self._model(request.choice).predictor.predict_one(request.pixels)
        yield Predicted(order, 0, prediction)
        return {"instances": len(prediction)}

    def _prompts_of(self, predictor: Runner) -> Prompter:
        if self._prompter is None:
            self._prompter = Prompter(predictor)
        return self._prompter

    def _prompt(self, order: OrderId, request: Prompt) -> Job:
        prompter = self._prompts_of(self._model(request.choice).predictor)
        held = prompter.set_image(_content_of(request), _reader(request))
        found: tuple[Candidate, ...] | None = None
        if request.hint is not None:
            found = _fitted(prompter, held, request.hint, request.class_name)
        elif request.box_xyxy is not None:
            answer = prompter.refine(held, request.box_xyxy, request.clicks, request.class_name)
            found = candidates_at_edges(answer, held.picture, request.clicks, request.mask_cutoff)
        elif request.clicks:
            found = ()
            for answer in prompter.points_one_by_one(held, request.clicks):
                found += candidates_at_edges(answer, held.picture, request.clicks, request.mask_cutoff)
                if found:  # seen while the next best is made
                    yield Prompted(order, request.generation, found, more=True)
        yield Prompted(order, request.generation, found)
        return {"candidates": len(found or ())}

    def _explain(self, order: OrderId, request: Explain) -> Job:
        model = self._model(request.choice)
        explanation = yield from model.predictor.explain(_reader(request)())
        yield Explained(order, request.generation, explanation)
        return {"instances": len(explanation.prediction)}

    def _examine(self, order: OrderId, request: Examine) -> Job:
        model = self._model(request.choice)
        yield ModelReady(order, model.predictor.card.name, model.device_in_words)

        with self._open_project(request.folder) as project:
            return (yield from examine(order, request, project, model.sha256, model.predictor.predict_one))

    def _compare(self, order: OrderId, request: Compare) -> Job:
        from engine.train.comparing import compare  # its report draws: labelling need not wait for that

        use_threads(window=self._window)
        with self._open_project(request.folder) as project:
            return (yield from compare(order, request, project, default_store()))

    def _upgrade(self, order: OrderId, request: UpgradeBoxes) -> Job:
        model = self._model(request.choice)
        prompter = self._prompts_of(model.predictor)
        yield ModelReady(order, model.predictor.card.name, model.device_in_words)

        def mask_boxes(picture: Image, boxes: Sequence[Box], names: Sequence[str]) -> Steps[Sequence[Mask]]:
            held = yield from prompter.hold(picture)
            masks: list[Mask] = []
            for start in range(0, len(boxes), BOXES_A_STEP):
                some = slice(start, start + BOXES_A_STEP)
                answer = prompter.predict_boxes(held, boxes[some], names[some])
                masks += masks_at_edges(answer, held.picture, (), request.mask_cutoff)
                yield
            return masks

        with self._open_project(request.folder) as project:
            return (yield from upgrade(order, request, project, mask_boxes))

    def _label(self, order: OrderId, request: LabelFolder) -> Job:
        model = self._model(request.choice)
        yield ModelReady(order, model.predictor.card.name, model.device_in_words)
        with self._open_project(request.folder) as project:
            return (yield from _label_project(order, request, model, project))


def _fitted(prompter: Prompter, held: Held, mask: Mask, class_name: str | None) -> tuple[Candidate, ...]:
    """What a rough outline's mask means."""
    mask = mask.clipped(held.height, held.width)
    if mask.is_empty:
        return ()
    hint = Hint(mask, held.height, held.width)
    candidate = fitted(prompter.predict_polygon_hint(held, hint, class_name), held.picture, hint)
    return () if candidate is None else (candidate,)


def _reader(request: PredictImage | Prompt | Explain) -> Callable[[], Image]:
    return lambda: read_rgb(request.path, request.frame, request.contrast)


def _content_of(request: PredictImage | Prompt) -> Hashable:
    """Tells pictures apart, and a file from what it was before somebody wrote it anew."""
    try:
        status = request.path.stat()
    except OSError:
        return request.path, request.frame, request.contrast  # decoding will say why
    return request.path, request.frame, request.contrast, status.st_mtime_ns, status.st_size


@dataclass(slots=True)
class _Tally:
    """Counts of one labelling run and the pace of it."""

    order: OrderId
    total: int
    began: float
    labelled: int = 0
    failed: int = 0
    instances: int = 0

    def progress(self) -> Progress:
        done = self.labelled + self.failed
        seconds = time.monotonic() - self.began
        rate = done / seconds if seconds > 0 else 0.0
        left = (self.total - done) / rate if rate > 0 else None
        return Progress(self.order, done, self.total, self.failed, rate, left)


def _label_project(order: OrderId, request: LabelFolder, model: ReadyModel, project: Project) -> Job:
    if project.read_only:
        raise MaskwrightError(
            f"The project of {request.folder} is open read-only ({project.read_only_reason}); "
            "labels cannot be stored."
        )
    project.refresh()
    _add_pages(project)
    _add_frames(project, request)
    items = _wanted(project.media(), request)
    todo, up_to_date, reviewed = _missing(project, items, request, model)
    tally = _Tally(order, len(todo), time.monotonic())
    yield tally.progress()
    for path in sorted(set(request.only) - {item.path for item in items}):
        tally.failed += 1
        yield ImageFailed(order, path, f"{path}: it is not a picture this program reads")
    store = _Store(project, request, model)
    for found in _answers(project, todo, model.predictor, request.max_pixels):
        if found is None:
            yield None
            continue
        item, answer = found
        if isinstance(answer, MaskwrightError):
            tally.failed += 1
            yield ImageFailed(order, item.path, str(answer))
        else:
            count = store.put(item, answer)
            tally.labelled += 1
            tally.instances += count
            yield ImageLabelled(order, item.id, item.path, count)
        yield tally.progress()
    return {
        "images": len(items),
        "labelled": tally.labelled,
        "failed": tally.failed,
        "up_to_date": up_to_date,
        "reviewed": reviewed,
        "instances": tally.instances,
        "seconds": round(time.monotonic() - tally.began, 3),
        "batch": store.batch_id,
    }


def _add_pages(project: Project) -> None:
    """Enter the pages of multi-page files that were not looked into before; each is a frame."""
    for item in project.media():
        if item.width or item.missing or not item.path.lower().endswith((".tif", ".tiff")):
            continue
        try:
            info = probe(project.path_of(item))
        except MaskwrightError:
            continue  # decoding will say why
        if info.frames > 1:
            project.add_frames(item.path, range(info.frames))


def _add_frames(project: Project, request: LabelFolder) -> None:
    """Make images of every n-th frame of the videos asked for."""
    for item in project.media() if request.every else ():
        wanted = not request.only or item.path in request.only
        if not wanted or item.frame or item.missing or not is_video_name(item.path):
            continue
        try:
            frames = probe(project.path_of(item)).frames
        except MaskwrightError:
            continue  # decoding will say why
        project.add_frames(item.path, range(0, frames, request.every))


def _wanted(media: Sequence[MediaItem], request: LabelFolder) -> list[MediaItem]:
    wanted = set(request.only)
    return [
        item
        for item in media
        if not item.missing
        and (not wanted or item.path in wanted)
        and not (request.every and is_video_name(item.path) and item.frame % request.every)
    ]


def _missing(
    project: Project, items: list[MediaItem], request: LabelFolder, model: ReadyModel
) -> tuple[list[MediaItem], int, int]:
    """What is left to do, how many are up to date already, and how many a person has reviewed."""
    todo: list[MediaItem] = []
    up_to_date = reviewed = 0
    for item in items:
        if project.review_state(item.id) is ReviewState.REVIEWED:
            reviewed += 1
        elif not request.again and project.prediction_key(item.id) == _key(project, item, request, model):
            up_to_date += 1
        else:
            todo.append(item)
    return todo[: request.limit], up_to_date, reviewed


def _key(project: Project, item: MediaItem, request: LabelFolder, model: ReadyModel) -> str:
    try:
        content = project.ensure_hash(item.id)
        contrast = contrast_in_force(project.path_of(item), item.frame, item.contrast)
    except MaskwrightError:
        return ""  # it cannot be read: decoding will say why
    settings, classes = request.choice.settings, request.classes
    return prediction_key(content, item.frame, model.sha256, settings, classes, contrast)


def _answers(
    project: Project, todo: list[MediaItem], predictor: Runner, max_pixels: int
) -> Iterator[Answered | None]:
    """Decode ahead and predict, batches of like shape on a GPU; every item is answered once.

    None is a moment between two steps.
    """
    batch_size = GPU_BATCH if predictor.device.type == "cuda" else 1
    decoded = decode_ahead(
        [(project.path_of(item), item.frame, item.contrast) for item in todo],
        workers=2,
        depth=max(4, batch_size * LOOK_AHEAD_BATCHES),
        max_pixels=max_pixels,
    )
    buffer: list[tuple[MediaItem, Image]] = []
    try:
        for index, picture in decoded:
            if isinstance(picture, MaskwrightError):
                yield todo[index], picture
                continue
            buffer.append((todo[index], picture))
            if len(buffer) >= batch_size * (LOOK_AHEAD_BATCHES if batch_size > 1 else 1):
                yield from _predict_buffer(buffer, predictor, batch_size)
                buffer = []
        yield from _predict_buffer(buffer, predictor, batch_size)
    finally:
        decoded.close()


def _predict_buffer(
    buffer: list[tuple[MediaItem, Image]], predictor: Runner, batch_size: int
) -> Iterator[Answered | None]:
    buffer.sort(key=lambda pair: pair[1].shape[0] / pair[1].shape[1])
    for start in range(0, len(buffer), batch_size):
        batch = buffer[start : start + batch_size]
        answers = yield from predictor.predict_in_steps([image for _, image in batch])
        yield from zip((item for item, _ in batch), answers, strict=True)


class _Store:
    """Turns predictions into proposals of the project, under one batch that can be undone."""

    def __init__(self, project: Project, request: LabelFolder, model: ReadyModel) -> None:
        self.batch_id = f"label {new_id():x}"
        self._project = project
        self._request = request
        self._model = model
        self._class_ids: dict[str, int] = {}

    def put(self, item: MediaItem, prediction: Prediction) -> int:
        """Store one image's proposals in one transaction; how many there are."""
        self._project.set_size(item.id, prediction.width, prediction.height)
        classes = self._request.classes
        shown = refilter(
            prediction, Thresholds(score=0.0, classes=None if classes is None else frozenset(classes))
        )
        instances = [one for one in proposals(shown, self._class_id) if one is not None]
        key = _key(self._project, item, self._request, self._model)
        self._project.put_proposals(item.id, instances, key=key, batch_id=self.batch_id)
        return len(instances)

    def _class_id(self, name: str) -> int:
        if name not in self._class_ids:
            self._class_ids[name] = self._project.ensure_class(name).id
        return self._class_ids[name]
