"""The classes of a project: made, renamed, recoloured, merged, deleted, and all of that undone.

No row of a class ever goes. Merging and deleting mark it as gone, and whoever reads an instance asks
`standing` what has become of its class. So each change is a few bytes, whole or not at all, however many
instances it touches; undoing it is exact; and an edit that is on its way to the disk or in the journal
of an image never names a class that is not there. Knows the tables `class` and `class_op`.
"""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import TypeAlias

from engine.document.diff import Diff
from engine.document.records import ClassDef, Instance, Record, new_id
from engine.errors import ProjectError
from engine.project.colors import next_color

_COLUMNS = "id, name, color, position, keypoints, skeleton, gone, merged_into"
_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class ClassPast:
    """Names of the class changes that can be undone and redone next; empty for none."""

    undo: str = ""
    redo: str = ""


@dataclass(frozen=True, slots=True)
class _Row:
    """A class as its table has it."""

    id: int
    name: str
    color: str
    position: int
    keypoints: str = "[]"
    skeleton: str = "[]"
    gone: int = 0
    merged_into: int | None = None


_Rows: TypeAlias = dict[int, _Row]
_Change: TypeAlias = Callable[[_Rows], str]  # changes the rows, returns the name of the step


# Reading


def read_classes(connection: sqlite3.Connection) -> tuple[ClassDef, ...]:
    """The classes in their order."""
    return tuple(_definition(row) for row in _live(_read(connection)))


def standing(connection: sqlite3.Connection) -> dict[int, int | None]:
    """What has become of each class that is gone: the class it was merged into, None where deleted."""
    rows = connection.execute("SELECT id, merged_into FROM class WHERE gone = 1").fetchall()
    direct = dict(rows)
    result: dict[int, int | None] = {}
    for start in direct:
        place: int | None = start
        # A merge goes into a class that stands, so the chain ends.
        while place is not None and place in direct:
            place = direct[place]
        result[start] = place
    return result


def resolve_records(connection: sqlite3.Connection, records: Mapping[int, Record]) -> dict[int, Record]:
    """The records with the classes that stand; an instance of a deleted one is left out."""
    gone = standing(connection)
    return resolve(gone, records) if gone else dict(records)


def resolve_diff(connection: sqlite3.Connection, diff: Diff) -> Diff:
    """The diff with the classes that stand; what is only about a deleted one is left out."""
    gone = standing(connection)
    if not gone:
        return diff
    old = resolve(gone, {id_: pair[0] for id_, pair in diff.updated.items()})
    new = resolve(gone, {id_: pair[1] for id_, pair in diff.updated.items()})
    return Diff(
        resolve(gone, diff.added),
        {id_: (old[id_], new[id_]) for id_ in old if id_ in new and old[id_] != new[id_]},
        resolve(gone, diff.removed),
    )


def past(connection: sqlite3.Connection) -> ClassPast:
    """What can be undone and redone."""
    undo, redo = _next(connection, undone=False), _next(connection, undone=True)
    return ClassPast(undo[1] if undo else "", redo[1] if redo else "")


def stamp(connection: sqlite3.Connection) -> tuple[int, int]:
    """Two numbers that are others after every step of the classes, its undoing and its redoing."""
    last, undone = connection.execute("SELECT max(seq), total(undone) FROM class_op").fetchone()
    return int(last or 0), int(undone)


# Changing; each runs in the writer's transaction and is one step


def ensure(connection: sqlite3.Connection, name: str, like: ClassDef | None = None) -> ClassDef:
    """The class of this name; the one it was merged into; else a new one. Not a step of its own.

    So a model that says "automobile" goes on proposing cars where a person merged the two. like: the new
    one's colour, unless another class has it, and its keypoints and skeleton, which a class that has none
    takes too.
    """
    rows = _read(connection)
    for row in _live(rows):
        if row.name == name:
            return _definition(_with_keypoints(connection, row, like))
    gone = standing(connection)
    for row in rows.values():
        into = gone.get(row.id)
        if row.name == name and into is not None:
            return _definition(rows[into])
    taken = {row.color for row in _live(rows)}
    made = _new_row(rows, name, like.color if like is not None and like.color not in taken else "")
    if like is not None:
        made = replace(made, keypoints=json.dumps(like.keypoints), skeleton=json.dumps(like.skeleton))
    _insert(connection, made)
    return _definition(made)


def _with_keypoints(connection: sqlite3.Connection, row: _Row, like: ClassDef | None) -> _Row:
    if like is None or not like.keypoints or json.loads(row.keypoints):
        return row
    taken = replace(row, keypoints=json.dumps(like.keypoints), skeleton=json.dumps(like.skeleton))
    connection.execute(
        "UPDATE class SET keypoints = ?, skeleton = ? WHERE id = ?", (taken.keypoints, taken.skeleton, row.id)
    )
    return taken


def add(connection: sqlite3.Connection, wanted: Sequence[ClassDef]) -> tuple[ClassDef, ...]:
    """Make classes under new ids, an empty colour standing for a free one; those with a name that is
    taken are left as they are. Returns what was made. Raises ProjectError for an unusable name.
    """
    made: list[ClassDef] = []

    def change(rows: _Rows) -> str:
        taken = {row.name for row in _live(rows)}
        for one in wanted:
            clean = _usable(one.name)
            if clean in taken:
                continue
            row = _new_row(rows, clean, one.color)
            row = replace(row, keypoints=json.dumps(one.keypoints), skeleton=json.dumps(one.skeleton))
            rows[row.id] = row
            taken.add(clean)
            made.append(_definition(row))
        return f"Add {_listed([one.name for one in made])}"

    _step(connection, change)
    return tuple(made)


def rename(connection: sqlite3.Connection, class_id: int, to: str) -> None:
    """Give a class another name. Raises ProjectError for one that is taken or unusable."""
    clean = _usable(to)

    def change(rows: _Rows) -> str:
        row = _known(rows, class_id)
        if any(other.name == clean and other.id != class_id for other in _live(rows)):
            raise ProjectError(f'There is a class "{clean}" already: choose another name, or merge the two.')
        rows[class_id] = replace(row, name=clean)
        return f"Rename {row.name} to {clean}"

    _step(connection, change)


def recolor(connection: sqlite3.Connection, class_id: int, color: str) -> None:
    """Give a class another colour, "#rrggbb". Raises ProjectError for anything else."""
    if (
        len(color) != 7
        or color[0] != "#"
        or not all(digit in "0123456789abcdefABCDEF" for digit in color[1:])
    ):
        raise ProjectError(f'"{color}" is no colour: write it as #rrggbb.')

    def change(rows: _Rows) -> str:
        rows[class_id] = replace(_known(rows, class_id), color=color.lower())
        return f"Recolour {rows[class_id].name}"

    _step(connection, change)


def order(connection: sqlite3.Connection, class_ids: Sequence[int]) -> None:
    """Put the classes in this order; those not named follow in theirs."""

    def change(rows: _Rows) -> str:
        wanted = {id_: place for place, id_ in enumerate(class_ids)}
        rest = len(wanted)
        inorder = sorted(_live(rows), key=lambda row: (wanted.get(row.id, rest), row.position, row.id))
        for place, row in enumerate(inorder):
            rows[row.id] = replace(row, position=place)
        return "Reorder classes"

    _step(connection, change)


def merge(connection: sqlite3.Connection, class_ids: Collection[int], into: int) -> None:
    """Make every instance of some classes one of `into`, and the classes gone."""

    def change(rows: _Rows) -> str:
        names = [_known(rows, id_).name for id_ in class_ids if id_ != into]
        for id_ in class_ids:
            if id_ != into:
                rows[id_] = replace(rows[id_], gone=1, merged_into=into)
        return f"Merge {_listed(names)} into {_known(rows, into).name}"

    _step(connection, change)


def delete(connection: sqlite3.Connection, class_ids: Collection[int]) -> None:
    """Make classes and all their instances gone."""

    def change(rows: _Rows) -> str:
        names = [_known(rows, id_).name for id_ in class_ids]
        for id_ in class_ids:
            rows[id_] = replace(rows[id_], gone=1, merged_into=None)
        return f"Delete {_listed(names)}"

    _step(connection, change)


def undo(connection: sqlite3.Connection, count: Callable[[int], int]) -> str:
    """Take back the last step; returns its name, empty where there is none.

    count: how many instances a class has. Raises ProjectError where they would go with a class whose
    making is taken back.
    """
    return _move(connection, undone=True, count=count)


def redo(connection: sqlite3.Connection) -> str:
    """Repeat the step that was undone last; returns its name, empty where there is none."""
    return _move(connection, undone=False, count=lambda _class_id: 0)


# Inside


def _step(connection: sqlite3.Connection, change: _Change) -> None:
    before = _read(connection)
    after = dict(before)
    name = change(after)
    changed = [id_ for id_, row in after.items() if before.get(id_) != row]
    if not changed:
        return
    # A class that was not there is one that was gone: its row stays when the step is undone.
    was = [asdict(before.get(id_, replace(after[id_], gone=1))) for id_ in changed]
    connection.execute("DELETE FROM class_op WHERE undone = 1")
    connection.execute(
        "INSERT INTO class_op (name, time, before, after) VALUES (?, ?, ?, ?)",
        (name, time.time(), json.dumps(was), json.dumps([asdict(after[id_]) for id_ in changed])),
    )
    _write(connection, [after[id_] for id_ in changed])


def _move(connection: sqlite3.Connection, *, undone: bool, count: Callable[[int], int]) -> str:
    found = _next(connection, undone=not undone)
    if found is None:
        return ""
    seq, name, before, after = found
    old, new = (after, before) if undone else (before, after)
    now = _read(connection)
    wanted = []
    for one, other in zip(json.loads(old), json.loads(new), strict=True):
        changes = {field: value for field, value in other.items() if value != one[field]}
        wanted.append(replace(now[one["id"]], **changes))
        if changes.get("gone") and (used := count(one["id"])):
            raise ProjectError(
                f'"{one["name"]}" has {used} instances by now: delete the class if they shall go with it.'
            )
    moved = {row.id for row in wanted}
    rest = {row.name for row in _live(now) if row.id not in moved}
    for place, row in enumerate(wanted):
        if not row.gone:
            # A model may have made a class of this name meanwhile.
            wanted[place] = replace(row, name=_free(row.name, rest))
            rest.add(wanted[place].name)
    _write(connection, wanted)
    connection.execute("UPDATE class_op SET undone = ? WHERE seq = ?", (undone, seq))
    return name


def _next(connection: sqlite3.Connection, *, undone: bool) -> tuple[int, str, str, str] | None:
    order_ = "ASC" if undone else "DESC"
    row: tuple[int, str, str, str] | None = connection.execute(
        f"SELECT seq, name, before, after FROM class_op WHERE undone = ? ORDER BY seq {order_} LIMIT 1",
        (undone,),
    ).fetchone()
    return row


def _read(connection: sqlite3.Connection) -> _Rows:
    rows = connection.execute(f"SELECT {_COLUMNS} FROM class ORDER BY position, id")
    return {row[0]: _Row(*row) for row in rows}


def _live(rows: _Rows) -> list[_Row]:
    return [row for row in rows.values() if not row.gone]


def _write(connection: sqlite3.Connection, rows: Sequence[_Row]) -> None:
    # First all that change leave their names, so that two may swap theirs.
    connection.executemany("UPDATE class SET gone = 1 WHERE id = ?", [(row.id,) for row in rows])
    for row in rows:
        _insert(connection, row)


def _insert(connection: sqlite3.Connection, row: _Row) -> None:
    values = asdict(row)
    sets = ", ".join(f"{name} = excluded.{name}" for name in values if name != "id")
    connection.execute(
        f"INSERT INTO class ({_COLUMNS}) VALUES ({', '.join('?' * len(values))})"
        f" ON CONFLICT (id) DO UPDATE SET {sets}",
        tuple(values.values()),
    )


def _new_row(rows: _Rows, name: str, color: str = "") -> _Row:
    live = _live(rows)
    position = max((row.position for row in rows.values()), default=-1) + 1
    return _Row(new_id(), name, color or next_color(row.color for row in live), position)


def _known(rows: _Rows, class_id: int) -> _Row:
    row = rows.get(class_id)
    if row is None or row.gone:
        raise ProjectError("This class is not in the project any more: look at the list of classes again.")
    return row


def _usable(name: str) -> str:
    clean = " ".join(name.split())
    if not clean:
        raise ProjectError("A class needs a name: write one.")
    if len(clean) > _LONGEST_NAME:
        raise ProjectError(f"The name of a class has {_LONGEST_NAME} letters at most: shorten it.")
    return clean


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names[:3]) + (", ..." if len(names) > 3 else "")


def _free(name: str, taken: set[str]) -> str:
    number, free = 1, name
    while free in taken:
        number += 1
        free = f"{name} ({number})"
    return free


def _definition(row: _Row) -> ClassDef:
    return ClassDef(
        row.id,
        row.name,
        row.color,
        tuple(json.loads(row.keypoints)),
        tuple((a, b) for a, b in json.loads(row.skeleton)),
    )


def resolve(gone: Mapping[int, int | None], records: Mapping[int, Record]) -> dict[int, Record]:
    """The records with the classes that stand; gone: as `standing` says it."""
    resolved: dict[int, Record] = {}
    for id_, record in records.items():
        if isinstance(record, Instance) and record.class_id in gone:
            into = gone[record.class_id]
            if into is None:
                continue
            resolved[id_] = replace(record, class_id=into)
        else:
            resolved[id_] = record
    return resolved
