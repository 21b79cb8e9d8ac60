"""The gate: old and new model on the same held-out images, and whether the new one may take its place.

Takes evaluations and gives a verdict; runs no model. No torch here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from engine.document.records import Instance
from engine.formats.labelled import LabelledSet
from engine.train.confusion import THRESHOLD, Matches
from engine.train.resample import MatchedClass, average_precisions, difference, matched
from engine.train.scores import Scores
from engine.train.verdict import Accept, Decision, Differing, ModelFigures, Verdict, decide

MOST_DIFFERING = 8


@dataclass(frozen=True, slots=True)
class Contender:
    """One of the two: its name, and what it found on the held-out images, scored and matched."""

    name: str
    scores: Scores
    matches: Matches
    found: tuple[tuple[Instance, ...], ...]


def judge(
    truth: LabelledSet,
    *,
    old: Contender,
    new: Contender,
    accept: Accept,
    seed: int,
    folder: Path | None = None,
    report: str = "",
) -> Verdict:
    """Compare two models on `truth`. folder: that image paths are told relative to.

    A model that lacks a class found nothing of it, and scores 0 there.
    """
    kind = new.scores.main
    by_class = [matched(truth, one.found, kind) for one in (old, new)]
    change = difference(by_class[0], by_class[1], seed=seed)
    if change is None:
        return unmeasured(old.name, new.name, accept, images=len(truth.images))
    return Verdict(
        decide(change.mean, change.high, accept),
        accept,
        new.name,
        old.name,
        len(truth.images),
        truth.instance_count,
        _figures(old, kind),
        _figures(new, kind),
        change.mean,
        change.low,
        change.high,
        _differing(truth, by_class, folder),
        report,
    )


def unmeasured(old: str, new: str, accept: Accept, *, images: int = 0) -> Verdict:
    """Where there is nothing to measure on: what nobody knows to be better is not activated unasked."""
    decision = Decision.ACTIVATED if accept is Accept.ALWAYS else Decision.KEPT
    return Verdict(decision, accept, new, old, images)


def _figures(one: Contender, kind: str) -> ModelFigures:
    counts = one.matches.at(THRESHOLD)
    return ModelFigures(
        one.name,
        one.scores.metrics.get(f"{kind}_ap", 0.0),
        one.scores.metrics.get("boundary_ap"),
        {name: values[f"{kind}_ap"] for name, values in one.scores.per_class.items()},
        counts.missed,
        counts.extra,
        counts.confused,
    )


def _differing(
    truth: LabelledSet, by_class: Sequence[Sequence[MatchedClass]], folder: Path | None
) -> tuple[Differing, ...]:
    each = np.eye(len(truth.images), dtype=np.int64)
    old, new = (np.nan_to_num(average_precisions(classes, each)) for classes in by_class)
    order = sorted(range(len(truth.images)), key=lambda n: -abs(new[n] - old[n]))
    return tuple(
        Differing(_told(truth.images[n].path, folder), truth.images[n].frame, float(old[n]), float(new[n]))
        for n in order[:MOST_DIFFERING]
        if new[n] != old[n]
    )


def _told(path: Path, folder: Path | None) -> str:
    return path.relative_to(folder).as_posix() if folder and path.is_relative_to(folder) else str(path)
