"""What a project holds, as counts for plots: instances by class and by size. Pure."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from engine.project.facts import Survey

SIZE_EDGES = (0, 4, 8, 16, 32, 64, 128, 256, 512, 1024, 2048)
"""Lower ends of the size classes in pixels: the side of a square as large as the instance."""


@dataclass(frozen=True, slots=True)
class ClassCount:
    """Instances of one class: those a person has settled, those proposed, and on how many images."""

    class_id: int
    settled: int
    proposed: int
    images: int


@dataclass(frozen=True, slots=True)
class Statistics:
    """classes: the fullest first. sizes: (settled, proposed) for each of SIZE_EDGES."""

    classes: tuple[ClassCount, ...] = ()
    sizes: tuple[tuple[int, int], ...] = ((0, 0),) * len(SIZE_EDGES)


def statistics(survey: Survey) -> Statistics:
    """Count a survey; 500,000 instances take some 0.1 s."""
    kinds, kind = np.unique(survey.class_ids, return_inverse=True)
    proposal = survey.is_proposal
    proposed = np.bincount(kind[proposal], minlength=len(kinds))
    every = np.bincount(kind, minlength=len(kinds))
    pairs = np.unique(kind * max(len(survey.media_ids), 1) + survey.image)
    images = np.bincount(pairs // max(len(survey.media_ids), 1), minlength=len(kinds))
    classes = [
        ClassCount(int(kinds[n]), int(every[n] - proposed[n]), int(proposed[n]), int(images[n]))
        for n in np.argsort(-every, kind="stable")
    ]
    size = np.digitize(np.sqrt(survey.areas), SIZE_EDGES[1:])
    of_all = np.bincount(size, minlength=len(SIZE_EDGES))
    of_proposed = np.bincount(size[proposal], minlength=len(SIZE_EDGES))
    return Statistics(
        tuple(classes), tuple((int(a - p), int(p)) for a, p in zip(of_all, of_proposed, strict=True))
    )
