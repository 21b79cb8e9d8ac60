"""A measurement, and its figures as JSON: what `metrics.json` holds and `eval --json` prints."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from engine.formats.labelled import LabelledSet
from engine.models.card import Json, ModelVersion
from engine.train.confusion import THRESHOLD, Confusion
from engine.train.evaluate import Evaluation


@dataclass(frozen=True, slots=True)
class Measurement:
    """A model and what it did on the images of a set."""

    version: ModelVersion
    evaluation: Evaluation

    @property
    def name(self) -> str:
        """The model's."""
        return self.version.card.name


def figures(truth: LabelledSet, measured: Measurement, threshold: float = THRESHOLD) -> dict[str, Json]:
    """Model, data, AP over all and by class, what is right at the threshold, and the confusion table.

    A figure without anything to measure it on is absent, or null where it stands in a row of others.
    """
    scores, matches = measured.evaluation.scores, measured.evaluation.matches
    counts, best = matches.at(threshold), matches.best_threshold()
    return {
        "model": measured.name,
        "model_sha256": measured.version.card.sha256,
        "images": len(truth.images),
        "instances": truth.instance_count,
        "instances_by_size": dict(scores.sizes),
        "data_fingerprint": truth.fingerprint(),
        "metrics": _rounded(scores.metrics),
        "per_class": {
            name: _rounded(values) | {"instances": scores.instances[name]} | _of_class(counts, name)
            for name, values in scores.per_class.items()
        },
        "at_threshold": _at(counts),
        "best_threshold": None if best is None else _at(matches.at(best)),
        "confusion": {
            "true": [*counts.classes, "nothing"],
            "found": [*counts.classes, "missed"],
            "counts": counts.table.tolist(),
        },
    }


def compared(
    truth: LabelledSet, before: Measurement, after: Measurement, threshold: float = THRESHOLD
) -> dict[str, Json]:
    """The figures of `after`, with those of `before`, and by how much each metric that both have grew."""
    old, new = before.evaluation.scores.metrics, after.evaluation.scores.metrics
    return {
        **figures(truth, after, threshold),
        "before": figures(truth, before, threshold),
        "difference": {name: round(new[name] - old[name], 4) for name in new if name in old},
    }


def _at(counts: Confusion) -> dict[str, Json]:
    return {
        "threshold": round(counts.threshold, 4),
        "precision": _digits(counts.precision),
        "recall": _digits(counts.recall),
        "f1": _digits(counts.f1),
        "right": counts.right,
        "missed": counts.missed,
        "extra": counts.extra,
        "confused": counts.confused,
    }


def _of_class(counts: Confusion, name: str) -> dict[str, Json]:
    recall, precision = counts.of_class(name)
    return {"recall": _digits(recall), "precision": _digits(precision)}


def _rounded(values: Mapping[str, float]) -> dict[str, Json]:
    return {name: round(value, 4) for name, value in values.items()}


def _digits(value: float | None) -> float | None:
    return None if value is None else round(value, 4)
