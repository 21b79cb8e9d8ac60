"""The records of one image, changed only inside a transaction that is one undoable step.

A document tells its subscribers what each edit changed and from whom it came, after the edit is
whole. Knows neither files nor storage nor the image's pixels. One thread owns a document.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from types import MappingProxyType
from typing import TypeAlias

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
from engine.document.rules import as_corrected, check_allowed, record_id


class EditError(RuntimeError):
    """The program changed a document in a way it must not: outside an edit, inside another, an unknown id."""


class Step(StrEnum):
    """Whether an edit is new, or takes back or repeats an older one."""

    DO = "do"
    UNDO = "undo"
    REDO = "redo"


@dataclass(frozen=True, slots=True)
class Edit:
    """One undoable step: what it is called, who made it, and what it changed."""

    name: str
    source: Source
    diff: Diff
    step: Step = Step.DO


Subscriber: TypeAlias = Callable[[Edit], None]


class Transaction:
    """An open edit: what the `with` of `Document.edit` gives."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.is_canceled = False

    def cancel(self) -> None:
        """Take everything back when the `with` ends, as if the edit had never been begun."""
        self.is_canceled = True


class Document:
    """The instances, ignore regions and state of one image.

    records: keyed by id, the ImageState (a fresh one where there is none) by IMAGE_STATE_ID. Raises
    ValueError for a record under another id than its own.
    """

    def __init__(self, records: Mapping[int, Record] | None = None) -> None:
        self._records: dict[int, Record] = {IMAGE_STATE_ID: ImageState(), **(records or {})}
        for id_, record in self._records.items():
            if record_id(record) != id_:
                raise ValueError(f"the record of id {record_id(record)} is filed under {id_}")
        self._before: dict[int, Record | None] = {}  # of the open edit; None where there was no record
        self._open: Transaction | None = None
        self._is_telling = False
        self._subscribers: list[Subscriber] = []
        self._instances: tuple[Instance, ...] | None = None

    # Reading

    @property
    def records(self) -> Mapping[int, Record]:
        """Every record by id, as it is now: a read-only view that follows the document."""
        return MappingProxyType(self._records)

    @property
    def state(self) -> ImageState:
        """What is known of the image as a whole."""
        state = self._records[IMAGE_STATE_ID]
        assert isinstance(state, ImageState)
        return state

    @property
    def instances(self) -> tuple[Instance, ...]:
        """The instances from the lowest to the topmost; equal z in the order of their ids."""
        if self._instances is None:
            found = (record for record in self._records.values() if isinstance(record, Instance))
            self._instances = tuple(sorted(found, key=lambda instance: (instance.z, instance.id)))
        return self._instances

    @property
    def ignore_regions(self) -> tuple[IgnoreRegion, ...]:
        """The ignore regions in the order of their ids."""
        found = (record for record in self._records.values() if isinstance(record, IgnoreRegion))
        return tuple(sorted(found, key=lambda region: region.id))

    @property
    def next_z(self) -> int:
        """The z that puts a new instance on top."""
        return self.instances[-1].z + 1 if self.instances else 0

    def instance(self, id_: int) -> Instance:
        """The instance of that id. Raises EditError where there is none."""
        record = self._records.get(id_)
        if not isinstance(record, Instance):
            raise EditError(f"there is no instance {id_} in this document")
        return record

    # Changing

    @contextmanager
    def edit(self, name: str, source: Source = Source.USER) -> Iterator[Transaction]:
        """One undoable step: `with document.edit("Brush"): document.replace(...)`.

        An exception or `cancel` puts everything back. A step that changes nothing is none: nobody is
        told. Edits do not nest (two gestures would share one undo step): a second one raises EditError,
        and so does one begun by a subscriber. Raises ProtectedError, with everything put back, where the
        source may not make the change.
        """
        if self._open is not None or self._is_telling:
            raise EditError(f"the edit {name!r} was begun inside another one")
        transaction = self._open = Transaction(source)
        try:
            yield transaction
            diff = self._changes()
            check_allowed(diff, source, self._state_before())
        except BaseException:
            self._close(keep=False)
            raise
        self._close(keep=not transaction.is_canceled)
        if not transaction.is_canceled and not diff.is_empty:
            self._tell(Edit(name, source, diff))

    def add(self, record: Instance | IgnoreRegion) -> None:
        """Add a record under its own id. Raises EditError where the id is taken."""
        if record_id(record) in self._records:
            raise EditError(f"there is a record {record.id} in this document already")
        self._put(record_id(record), record)

    def replace(self, record: Record) -> None:
        """Put a record in the place of the one with its id.

        A person who replaces a proposal's class, mask, box or keypoints makes it `corrected`. Raises
        EditError where no record of this kind has the id.
        """
        id_ = record_id(record)
        old = self._records.get(id_)
        if type(old) is not type(record):
            raise EditError(f"there is no {type(record).__name__} {id_} in this document")
        if self._source() is Source.USER and isinstance(old, Instance) and isinstance(record, Instance):
            record = as_corrected(old, record)
        self._put(id_, record)

    def remove(self, id_: int) -> None:
        """Remove an instance or ignore region. Raises EditError where there is none of that id."""
        if id_ == IMAGE_STATE_ID or id_ not in self._records:
            raise EditError(f"there is no record {id_} to remove in this document")
        self._put(id_, None)

    def accept(self, id_: int) -> None:
        """Take a proposal as right; any other instance stays as it is. Raises EditError for an unknown id."""
        instance = self.instance(id_)
        if instance.provenance.is_proposal:
            self._put(id_, replace(instance, provenance=Provenance.ACCEPTED))

    def accept_image(self, visible_ids: Collection[int]) -> None:
        """Take the image as right as it is seen: its visible proposals are accepted, the hidden ones removed.

        The image becomes reviewed; without any instance it is a negative.
        """
        visible = frozenset(visible_ids)
        for instance in self.instances:
            if instance.provenance.is_proposal and instance.id not in visible:
                self.remove(instance.id)
            else:
                self.accept(instance.id)
        self.replace(replace(self.state, review=ReviewState.REVIEWED))

    def apply(
        self, diff: Diff, *, name: str, source: Source = Source.USER, step: Step = Step.DO
    ) -> Edit | None:
        """Make a change that was worked out elsewhere (undo, a project's answer), as one edit of its own.

        What no longer makes sense here is left out (`Diff.fitted_to`). Returns the edit with what it
        changed, None where that is nothing. Raises EditError inside an edit, and ProtectedError.
        """
        if self._open is not None or self._is_telling:
            raise EditError(f"the edit {name!r} was begun inside another one")
        fitted = diff.fitted_to(self._records)
        if IMAGE_STATE_ID in fitted.removed:
            raise EditError("an image's state cannot be removed")
        if fitted.is_empty:
            return None
        check_allowed(fitted, source, self.state)
        for id_ in fitted.removed:
            self._set(id_, None)
        for id_, record in (*fitted.added.items(), *((id_, new) for id_, (_, new) in fitted.updated.items())):
            self._set(id_, record)
        edit = Edit(name, source, fitted, step)
        self._tell(edit)
        return edit

    # Telling

    def subscribe(self, subscriber: Subscriber) -> Callable[[], None]:
        """Have `subscriber` called after every edit, on the thread that made it; returns what ends that."""
        self._subscribers.append(subscriber)
        return lambda: self._subscribers.remove(subscriber)

    # Inside

    def _source(self) -> Source:
        if self._open is None:
            raise EditError("a document changes only inside `with document.edit(name):`")
        return self._open.source

    def _put(self, id_: int, record: Record | None) -> None:
        """Set or, with None, remove a record, remembering what stood there before the edit."""
        self._source()
        self._before.setdefault(id_, self._records.get(id_))
        self._set(id_, record)

    def _set(self, id_: int, record: Record | None) -> None:
        if record is None:
            self._records.pop(id_, None)
        else:
            self._records[id_] = record
        self._instances = None

    def _changes(self) -> Diff:
        """What the open edit has changed so far."""
        return Diff.between(
            {id_: old for id_, old in self._before.items() if old is not None},
            {id_: self._records[id_] for id_ in self._before if id_ in self._records},
        )

    def _state_before(self) -> ImageState:
        state = self._before.get(IMAGE_STATE_ID, self.state)
        assert isinstance(state, ImageState)
        return state

    def _close(self, *, keep: bool) -> None:
        if not keep:
            for id_, old in self._before.items():
                self._set(id_, old)
        self._before = {}
        self._open = None

    def _tell(self, edit: Edit) -> None:
        self._is_telling = True
        try:
            for subscriber in tuple(self._subscribers):
                subscriber(edit)
        finally:
            self._is_telling = False
