"""How good a model's proposals are, told by what the person made of them: no held-out image is needed.

Reads the project's journal; no model is run, no torch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from engine.document.records import Instance, Provenance
from engine.project import Project
from engine.project.reviews import ReviewPast
from engine.tuning.doubts import overlap

LAST = 20
"""Images that the running quality is of."""


@dataclass(frozen=True, slots=True)
class ImageQuality:
    """What became of the proposals of one reviewed image.

    accepted: as they were. corrected: the IoU of each with what the person made of it, 0..1; relabelled: of
    those, the IoUs where the class became another one. rejected: removed. missed: objects that the person
    drew. edits: steps the person took, the accepting not counted. weights: SHA-256 of the model, empty where
    none proposed anything. time: seconds since 1970.
    """

    media_id: int
    accepted: int
    corrected: tuple[float, ...]
    relabelled: tuple[float, ...]
    rejected: int
    missed: int
    edits: int
    weights: str
    time: float

    @property
    def objects(self) -> int:
        """All that there was to be right or wrong about."""
        return self.accepted + len(self.corrected) + self.rejected + self.missed

    @property
    def right(self) -> float:
        """How much of it was right: a corrected mask counts by its IoU, another class as wrong."""
        return self.accepted + sum(self.corrected) - sum(self.relabelled)

    @property
    def quality(self) -> float:
        """The share that was right, 0..1; an empty image without a proposal is all right."""
        return self.right / self.objects if self.objects else 1.0


@dataclass(frozen=True, slots=True)
class LiveQuality:
    """The running quality: of the last images that were reviewed, the latest first, each once."""

    images: tuple[ImageQuality, ...]

    @property
    def quality(self) -> float | None:
        """The share of all objects that was right, 0..1; None where there is none."""
        objects = sum(one.objects for one in self.images)
        return sum(one.right for one in self.images) / objects if objects else None

    @property
    def edits_an_image(self) -> float | None:
        """Steps the person took for an image, on the average."""
        return sum(one.edits for one in self.images) / len(self.images) if self.images else None

    @property
    def mean_iou(self) -> float | None:
        """Of the accepted and the corrected proposals with what they became; None where there are none."""
        kept = sum(one.accepted + len(one.corrected) for one in self.images)
        return sum(one.accepted + sum(one.corrected) for one in self.images) / kept if kept else None

    @property
    def counts(self) -> tuple[int, int, int, int]:
        """Accepted, corrected, rejected, missed."""
        return (
            sum(one.accepted for one in self.images),
            sum(len(one.corrected) for one in self.images),
            sum(one.rejected for one in self.images),
            sum(one.missed for one in self.images),
        )

    @property
    def summary(self) -> str:
        """The line for a person."""
        if not self.images or self.quality is None:
            return "No proposal has been reviewed yet."
        accepted, corrected, rejected, missed = self.counts
        return (
            f"On the last {len(self.images)} images {self.quality:.0%} was right: {accepted} accepted, "
            f"{corrected} corrected, {rejected} rejected, {missed} missed; "
            f"{self.edits_an_image:.1f} edits an image."
        )


def live_quality(project: Project, last: int = LAST, weights: str = "") -> LiveQuality:
    """Of the last reviewed images on which a model had proposed something.

    weights: only proposals of the model with this SHA-256, empty for any. Raises ProjectError.
    """
    found: list[ImageQuality] = []
    for media_id in project.last_reviewed(4 * last):
        past = project.review_past(media_id)
        if not past.weights or (weights and past.weights != weights):
            continue
        found.append(image_quality(past, project.load(media_id).instances))
        if len(found) == last:
            break
    return LiveQuality(tuple(found))


def image_quality(past: ReviewPast, now: Sequence[Instance]) -> ImageQuality:
    """What became of the proposals, given the instances that the image has now."""
    accepted = missed = 0
    corrected, relabelled = list[float](), list[float]()
    for one in now:
        was = past.proposed.get(one.id)
        if was is None:
            missed += one.provenance in (Provenance.DRAWN, Provenance.CORRECTED)
        elif one.provenance is Provenance.ACCEPTED:
            accepted += 1
        elif one.provenance is Provenance.CORRECTED:
            corrected.append(overlap(was, one))
            if one.class_id != was.class_id:
                relabelled.append(corrected[-1])
    left = {one.id for one in now}
    return ImageQuality(
        past.media_id,
        accepted,
        tuple(corrected),
        tuple(relabelled),
        len(past.rejected - left),
        missed,
        past.edits,
        past.weights,
        past.time,
    )
