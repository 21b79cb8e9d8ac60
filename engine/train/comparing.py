"""The job that measures two models on the same held-out images, whenever a person asks for it.

What it finds has the form of a gate's verdict, with its report; nothing is decided by it.
"""

from __future__ import annotations

import time
from collections.abc import Generator, Mapping
from contextlib import suppress

from engine.device import choose_device, number_format
from engine.errors import DataError
from engine.formats.labelled import LabelledSet
from engine.messages import Compare, Compared, Event, OrderId, Progress
from engine.models.card import ModelVersion
from engine.models.store import ModelStore
from engine.models.version import load_network
from engine.predict.predictor import Predictor
from engine.predict.settings import PredictSettings
from engine.project import Project
from engine.train.evaluate import assess, found_on
from engine.train.gate import Contender, judge
from engine.train.report import Measurement, write_comparison
from engine.train.scores import MAX_DETECTIONS
from engine.train.sources import sides_of
from engine.train.verdict import Accept
from engine.tuning.stopped import REPORTS


def compare(
    order: OrderId, request: Compare, project: Project, store: ModelStore
) -> Generator[Event, None, Mapping[str, int | float | str]]:
    """Run both on every image that the project holds out, telling after each; then Compared.

    The report lies beside that of the second's own gate. Raises DataError where nothing is held out,
    ModelError, MediaError.
    """
    _, truth = sides_of(project)
    if not truth.instance_count:
        raise DataError(
            f"No image of {project.folder} is held out yet, so there is none that no model has learned from: "
            "have the model learn once, which holds out every fifth."
        )
    versions = [store.resolve(name) for name in (request.first, request.second)]
    pace = _Pace(order, len(versions) * len(truth.images))
    measured = []
    for version in versions:
        measured.append((yield from _measured(version, truth, request.device, pace)))
    before, after = measured
    report = store.root / REPORTS / request.second / f"against {request.first}"
    told = ""
    with suppress(DataError):  # a report that cannot be written costs nothing but itself
        told = str(write_comparison(report, truth, before=before, after=after).parent)
    old, new = (
        Contender(one.name, one.evaluation.scores, one.evaluation.matches, one.evaluation.found)
        for one in measured
    )
    verdict = judge(truth, old=old, new=new, accept=Accept.NEVER, seed=0, folder=project.folder, report=told)
    yield Compared(order, verdict)
    return {"images": len(truth.images), "difference": round(verdict.difference, 4)}


def _measured(
    version: ModelVersion, truth: LabelledSet, device: str, pace: _Pace
) -> Generator[Event, None, Measurement]:
    """One that knows no class of the truth finds nothing."""
    ids = {one.name: one.id for one in truth.classes}
    if not ids.keys() & set(version.card.classes):
        yield pace.after(len(truth.images))
        return Measurement(version, assess(truth, [()] * len(truth.images)))
    chosen = choose_device(device).name
    settings = PredictSettings(max_detections=MAX_DETECTIONS)
    predictor = Predictor(
        load_network(version), version.card, settings, device=chosen, number_format=number_format(chosen)
    )
    found = []
    for image in truth.images:
        found.append(found_on(predictor, image, ids))
        yield pace.after(1)
    return Measurement(version, assess(truth, found))


class _Pace:
    """Counts images, and tells how far it is."""

    def __init__(self, order: OrderId, total: int) -> None:
        self._order, self._total, self._done = order, total, 0
        self._began = time.monotonic()

    def after(self, images: int) -> Progress:
        self._done += images
        rate = self._done / max(time.monotonic() - self._began, 1e-6)
        return Progress(self._order, self._done, self._total, 0, rate, (self._total - self._done) / rate)
