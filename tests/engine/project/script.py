"""Work on a project that is the same in every process: each step follows from its number and the records.

A child process does the steps on a project; the test does them on documents in memory, and so
knows what the project must hold after each of them.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Mapping, Sequence
from concurrent.futures import Future
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path

from engine.document.diff import Diff, Source
from engine.document.document import Document, Edit
from engine.document.history import History
from engine.document.records import (
    IMAGE_STATE_ID,
    IgnoreRegion,
    Instance,
    Provenance,
    Record,
    ReviewState,
)
from engine.project import Project
from tests.engine.project.making import ids, speckled

_MOST = 6  # instances on an image

Snapshot = tuple[tuple[Mapping[int, Record], int], ...]
"""For every image its records, and how many bytes of edits could be undone or redone."""


@dataclass(frozen=True)
class Plan:
    """One step: `kind` is edit, undo, redo or propose. `image` counts from 0."""

    number: int
    image: int
    kind: str


def plan(
    number: int, images: int, kinds: Sequence[str] = ("edit",) * 5 + ("undo", "redo", "propose")
) -> Plan:
    """The step of this number."""
    dice = random.Random(number)
    return Plan(number, dice.randrange(images), dice.choice(kinds))


def edit(document: Document, number: int, class_id: int) -> Edit:
    """Make the edit of this number on a document."""
    dice = random.Random(-number)
    edits: list[Edit] = []
    end = document.subscribe(edits.append)
    with document.edit(f"Edit {number}"):
        there = document.instances
        kind = dice.choice(("draw", "draw", "ignore", "paint", "remove", "accept", "state"))
        if len(there) > _MOST or (kind == "remove" and there):
            document.remove(dice.choice(there).id)
        elif kind == "paint" and there:
            document.replace(replace(dice.choice(there), mask=speckled(dice)))
        elif kind == "accept" and document.state.review is not ReviewState.REVIEWED and dice.random() < 0.3:
            document.accept_image([instance.id for instance in there if dice.random() < 0.8])
        elif kind == "state":
            review = ReviewState.UNLABELLED if dice.random() < 0.5 else document.state.review
            document.replace(replace(document.state, review=review, flags=(f"flag {number}",)))
        elif kind == "ignore" and len(document.ignore_regions) < 3:
            document.add(IgnoreRegion(number * 10 + 1, speckled(dice)))
        else:
            document.add(Instance(number * 10 + 2, class_id, speckled(dice), z=document.next_z))
    end()
    (made,) = edits
    return made


def proposals(number: int, class_id: int) -> list[Instance]:
    """What a model finds at the step of this number."""
    dice = random.Random(number)
    return [
        Instance(
            number * 10 + 3 + k,
            class_id,
            speckled(dice),
            score=dice.random(),
            provenance=Provenance.PREDICTED,
        )
        for k in range(dice.randrange(4))
    ]


class Memory:
    """The script in memory: what a project must hold after every step."""

    def __init__(self, images: int, class_id: int) -> None:
        self._class_id = class_id
        self._documents = [Document() for _ in range(images)]
        self._histories = [History(document) for document in self._documents]

    def do(self, step: Plan) -> None:
        """Do one step."""
        document, history = self._documents[step.image], self._histories[step.image]
        match step.kind:
            case "edit":
                edit(document, step.number, self._class_id)
            case "undo":
                history.undo()
            case "redo":
                history.redo()
            case _ if document.state.review is not ReviewState.REVIEWED:
                before = dict(document.records)
                found = proposals(step.number, self._class_id)
                after = {
                    id_: record
                    for id_, record in before.items()
                    if not (isinstance(record, Instance) and record.provenance.is_proposal)
                } | {instance.id: instance for instance in found}
                after[IMAGE_STATE_ID] = replace(document.state, review=ReviewState.PROPOSED)
                diff = Diff.between(before, after)
                if document.apply(diff, name="Propose", source=Source.ENGINE) is None:
                    history._foreign += 1  # the journal counts a run that found the same again

    def snapshot(self) -> Snapshot:
        """What the project must hold now."""
        pairs = zip(self._documents, self._histories, strict=True)
        return tuple((dict(document.records), history.size_bytes) for document, history in pairs)


class Worker:
    """The script on a project. Starts from what the project holds."""

    def __init__(self, project: Project, class_id: int) -> None:
        self._project = project
        self._class_id = class_id
        self._ids = ids(project)
        self._documents = [project.load(media_id) for media_id in self._ids]

    def do(self, step: Plan) -> Future[None]:
        """Do one step; the future is done when it is on the disk. Raises ProjectError for all but edits."""
        media_id, document = self._ids[step.image], self._documents[step.image]
        done: Future[None] = Future()
        match step.kind:
            case "edit":
                made = edit(document, step.number, self._class_id)
                return self._project.save(media_id, made.diff, name=made.name, source=made.source)
            case "undo" | "redo":
                diff = self._project.undo(media_id) if step.kind == "undo" else self._project.redo(media_id)
                if diff is not None:
                    document.apply(diff, name=step.kind)
            case _:
                found = proposals(step.number, self._class_id)
                self._project.put_proposals(media_id, found, key=str(step.number), batch_id="b")
                self._documents[step.image] = self._project.load(media_id)
        done.set_result(None)
        return done


def make_pictures(folder: Path, images: int) -> None:
    """A folder of pictures."""
    folder.mkdir()
    for number in range(images):
        (folder / f"{number}.png").write_bytes(b"picture %d" % number)


def make_folder(folder: Path, images: int) -> int:
    """A folder of pictures with a project; the id of its class."""
    make_pictures(folder, images)
    with Project.open(folder) as project:
        project.refresh()
        for media_id in ids(project):
            project.ensure_hash(media_id)
        return project.ensure_class("cell").id


def snapshot(project: Project) -> Snapshot:
    """What the project holds now."""
    with closing(sqlite3.connect(f"file:{project.database}?mode=ro", uri=True)) as connection:
        sizes = dict(
            connection.execute(
                "SELECT media_id, sum(length(diff)) FROM op WHERE source = 'user' GROUP BY media_id"
            )
        )
    return tuple((dict(project.load(media_id).records), sizes.get(media_id, 0)) for media_id in ids(project))
