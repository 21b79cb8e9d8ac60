"""What changed between two states of a document: the whole algebra of undo.

A Diff is turned round by `invert` and joined with the one after it by `squash`; there is no other
kind of undo. Knows records by their ids and as values; knows no rule about who may change what.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from types import MappingProxyType

from engine.document.records import Record


class Source(StrEnum):
    """Who made a change. Only the user's enter undo."""

    USER = "user"
    ENGINE = "engine"
    IMPORT = "import"


@dataclass(frozen=True, slots=True)
class Diff:
    """Records added, updated (old, new) and removed, keyed by id; read-only.

    An id stands in one of the three at most, and old and new differ. Raises ValueError otherwise.
    """

    added: Mapping[int, Record] = field(default_factory=dict)
    updated: Mapping[int, tuple[Record, Record]] = field(default_factory=dict)
    removed: Mapping[int, Record] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("added", "updated", "removed"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))
        if len(self.ids) != len(self.added) + len(self.updated) + len(self.removed):
            raise ValueError("a record is added, updated or removed by a diff, not two of these")
        if any(old == new for old, new in self.updated.values()):
            raise ValueError("a diff updates a record to what it was")

    @classmethod
    def between(cls, before: Mapping[int, Record], after: Mapping[int, Record]) -> Diff:
        """The diff that makes `after` of `before`."""
        return cls(
            added={id_: record for id_, record in after.items() if id_ not in before},
            updated={
                id_: (before[id_], record)
                for id_, record in after.items()
                if id_ in before and before[id_] != record
            },
            removed={id_: record for id_, record in before.items() if id_ not in after},
        )

    @property
    def is_empty(self) -> bool:
        """True where nothing changed."""
        return not (self.added or self.updated or self.removed)

    @property
    def ids(self) -> frozenset[int]:
        """Every id the diff names."""
        return frozenset((*self.added, *self.updated, *self.removed))

    def invert(self) -> Diff:
        """The diff that takes this one back."""
        return Diff(self.removed, {id_: (new, old) for id_, (old, new) in self.updated.items()}, self.added)

    def squash(self, later: Diff) -> Diff:
        """This diff and the one made right after it, as one; what comes back to where it was is left out.

        Raises ValueError where `later` cannot follow: it adds what is there or changes what is not.
        """
        before: dict[int, Record] = {**self.removed}
        after: dict[int, Record] = {**self.added}
        for id_, (old, new) in self.updated.items():
            before[id_], after[id_] = old, new
        self._check_followed_by(later)
        for id_, record in later.removed.items():
            if id_ not in self.ids:
                before[id_] = record
            after.pop(id_, None)
        for id_, (old, new) in later.updated.items():
            if id_ not in self.ids:
                before[id_] = old
            after[id_] = new
        after |= later.added
        return Diff.between(before, after)

    def _check_followed_by(self, later: Diff) -> None:
        there = self.added.keys() | self.updated.keys()
        if later.added.keys() & there:
            raise ValueError("the later diff adds a record that the earlier one left in place")
        if (later.updated.keys() | later.removed.keys()) & self.removed.keys():
            raise ValueError("the later diff changes a record that the earlier one removed")

    def applied_to(self, records: Mapping[int, Record]) -> dict[int, Record]:
        """`records` with this change made; applied twice it is the same as once."""
        kept = {id_: record for id_, record in records.items() if id_ not in self.removed}
        return kept | dict(self.added) | {id_: new for id_, (_, new) in self.updated.items()}

    def fitted_to(self, records: Mapping[int, Record]) -> Diff:
        """The part of this change that still makes sense on `records`, with their state as the old one.

        Left out: adding what is there by now; updating and removing what is there no longer; what has
        been done already.
        """
        return Diff(
            added={id_: record for id_, record in self.added.items() if id_ not in records},
            updated={
                id_: (records[id_], new)
                for id_, (_, new) in self.updated.items()
                if id_ in records and records[id_] != new
            },
            removed={id_: records[id_] for id_ in self.removed if id_ in records},
        )
