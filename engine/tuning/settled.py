"""What a person has settled: conflicts of a model with labels that are right. They are not told again.

Kept in the project, by whichever model they are found later. No torch.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from engine.project import Project
from engine.project.examined import Conflict, ConflictKind, from_json, to_json
from engine.tuning.doubts import box_overlap

_PREFIX = "settled "

SAME_BOX = 0.5
"""IoU from which two boxes where nobody labelled anything are the same object."""


def settle(project: Project, media_id: int, conflict: Conflict) -> None:
    """The label is right: never tell of this conflict again. Raises ProjectError."""
    before = settled(project, media_id).get(media_id, ())
    if not _is_among(conflict, before):
        project.note({f"{_PREFIX}{media_id}": to_json((*before, conflict))})
    found = project.examined().get(media_id)
    if found is not None:
        keep(project, media_id, unsettled(found.conflicts, (conflict,)))


def keep(project: Project, media_id: int, conflicts: tuple[Conflict, ...]) -> None:
    """These are left of an examined image's conflicts, as somebody has just looked."""
    found = project.examined().get(media_id)
    if found is not None and found.conflicts != conflicts:
        project.put_examined(replace(found, conflicts=conflicts))


def settled(project: Project, media_id: int | None = None) -> Mapping[int, tuple[Conflict, ...]]:
    """What was settled, of all images or of one, by the image's id."""
    found = project.notes(_PREFIX if media_id is None else f"{_PREFIX}{media_id}")
    read = {int(name.removeprefix(_PREFIX)): from_json(text) for name, text in found.items()}
    return read if media_id is None else {id_: one for id_, one in read.items() if id_ == media_id}


def unsettled(conflicts: Iterable[Conflict], done: Iterable[Conflict]) -> tuple[Conflict, ...]:
    """Those of which nobody has said that the label is right."""
    known = tuple(done)
    return tuple(one for one in conflicts if not _is_among(one, known))


def _is_among(one: Conflict, known: Iterable[Conflict]) -> bool:
    return any(_is_same(one, other) for other in known)


def _is_same(one: Conflict, other: Conflict) -> bool:
    if one.kind is not other.kind or one.instance != other.instance:
        return False
    if one.kind in (ConflictKind.DOUBTED, ConflictKind.OUTLINE):
        return True
    if one.class_name != other.class_name:
        return False
    return one.instance is not None or box_overlap(one.box_xyxy, other.box_xyxy) >= SAME_BOX
