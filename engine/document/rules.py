"""Who may change what, and what a change makes of an instance's provenance. Pure functions of records."""

from __future__ import annotations

from dataclasses import replace

from engine.document.diff import Diff, Source
from engine.document.records import (
    IMAGE_STATE_ID,
    IgnoreRegion,
    ImageState,
    Instance,
    Provenance,
    Record,
    ReviewState,
)
from engine.errors import MaskwrightError

_BY_A_MODEL = (Provenance.PREDICTED, Provenance.ACCEPTED)


class ProtectedError(MaskwrightError):
    """The engine or an import would change what a person has done."""


def record_id(record: Record) -> int:
    """The id under which a document holds the record."""
    return IMAGE_STATE_ID if isinstance(record, ImageState) else record.id


def as_corrected(old: Instance, new: Instance) -> Instance:
    """`new` as it is kept after a person replaced `old` by it.

    What a model proposed becomes `corrected` when its class, mask, box or keypoints change. With the
    mask goes what described the old one: the imported rings, and the box where it was left as it was.
    """
    if new.mask != old.mask:
        if new.rings == old.rings:
            new = replace(new, rings=())
        if new.box_xyxy == old.box_xyxy and new.mask is not None:
            new = replace(new, box_xyxy=None)
    if old.provenance in _BY_A_MODEL and _shape(new) != _shape(old):
        new = replace(new, provenance=Provenance.CORRECTED)
    return new


def _shape(instance: Instance) -> tuple[object, ...]:
    return instance.class_id, instance.mask, instance.box_xyxy, instance.keypoints


def check_allowed(diff: Diff, source: Source, state: ImageState) -> None:
    """Raise ProtectedError where `source` may not make this change to an image in that state.

    A person may do anything. The engine adds, replaces and removes proposals and sets an image to
    proposed or unlabelled; an import adds anything, and replaces and removes what was imported.
    Neither touches a reviewed image.
    """
    if source is Source.USER or diff.is_empty:
        return
    if state.review is ReviewState.REVIEWED:
        raise ProtectedError(
            "This image is reviewed: take its review back before anything but a person changes it."
        )
    own = Provenance.PREDICTED if source is Source.ENGINE else Provenance.IMPORTED
    before = [*diff.removed.values(), *(old for old, _ in diff.updated.values())]
    after = [*diff.added.values(), *(new for _, new in diff.updated.values())]
    for record in before:
        if isinstance(record, IgnoreRegion) or (
            isinstance(record, Instance) and record.provenance is not own
        ):
            raise ProtectedError(
                f"{_name(record)} is a person's work and stays as it is: delete it by hand first."
            )
    if source is Source.ENGINE:
        _check_engine_leaves(after, state)


def _check_engine_leaves(after: list[Record], state: ImageState) -> None:
    for record in after:
        match record:
            case Instance(provenance=Provenance.PREDICTED):
                pass
            case ImageState() if (
                record.review is not ReviewState.REVIEWED and replace(record, review=state.review) == state
            ):
                pass
            case ImageState():
                raise ProtectedError("Only a person can review, flag or skip an image.")
            case _:
                raise ProtectedError(f"{_name(record)} is not a proposal: a model can only add proposals.")


def _name(record: Record) -> str:
    match record:
        case Instance():
            return f"The {record.provenance} instance {record.id}"
        case IgnoreRegion():
            return f"The ignore region {record.id}"
        case ImageState():
            return "The image's state"


def without_verdict(diff: Diff) -> Diff:
    """The diff, but that it does not make the image reviewed: where somebody else has changed it since."""
    updated = dict(diff.updated)
    old, new = updated.pop(IMAGE_STATE_ID, (None, None))
    if not isinstance(old, ImageState) or not isinstance(new, ImageState):
        return diff
    if new.review is ReviewState.REVIEWED:
        new = replace(new, review=old.review)
    if new != old:
        updated[IMAGE_STATE_ID] = (old, new)
    return Diff(diff.added, updated, diff.removed)
