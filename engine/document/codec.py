"""Records and diffs as bytes for the journal: small, checked, and safe to read from anywhere.

An edited record is stored as the fields that changed, old and new, and an edited mask as the pixels
that changed: a box and a bitmap (`pack` of old XOR new), not two crops. So reading a diff back needs
the records as they were on either side of it; what has not changed is taken from there.

Layout: b"MWD", one version byte, the CRC-32 of all that follows (4 bytes, little-endian), the length
of the header (4 bytes, little-endian), the header (JSON, zlib), then the packed masks one after the
other. The checksum covers the length too: no bit after it can change unnoticed. Header:

    {"masks": [length, ...],                       # of each packed mask, in order
     "added": [record, ...], "removed": [record, ...],
     "updated": [{"kind", "id", "old": {field: value}, "new": {field: value}, "patch": [n, old, new]}]}

A record is {"kind": "instance" | "ignore" | "state", "id", field: value, ...} without the fields that are at
their default, which may therefore never change; its "mask" is the number of a packed mask, or null. A patch
is the number of one and the checksums of the old and the new mask.
"""

from __future__ import annotations

import json
import struct
import zlib
from collections.abc import Callable, Mapping
from dataclasses import fields, replace
from typing import Any, TypeAlias

from engine.document.boolean import symmetric_difference
from engine.document.diff import Diff
from engine.document.masks import Mask, pack, unpack
from engine.document.records import (
    IgnoreRegion,
    ImageState,
    Instance,
    Keypoint,
    Provenance,
    Record,
    ReviewState,
)
from engine.document.rules import record_id

_Json: TypeAlias = dict[str, Any]

_MAGIC = b"MWD\x01"
_UINT32 = struct.Struct("<I")
_MAX_HEADER = 1 << 30  # bytes of JSON; a damaged length must not fill the memory
_KINDS: dict[str, type[Record]] = {"instance": Instance, "ignore": IgnoreRegion, "state": ImageState}
_FIELDS = {kind: tuple((one.name, one.default) for one in fields(kind)) for kind in _KINDS.values()}
"""Of each kind: the names of its fields and what each is where nothing else is said."""
_AS_THEY_ARE = frozenset({type(None), bool, int, float, str})
_NAMES = {kind: name for name, kind in _KINDS.items()}


def to_bytes(diff: Diff) -> bytes:
    """A diff as bytes; the same diff gives the same bytes. Raises ValueError for a number not finite."""
    masks: list[bytes] = []
    header: _Json = {
        "added": [_record_out(record, masks) for _, record in sorted(diff.added.items())],
        "removed": [_record_out(record, masks) for _, record in sorted(diff.removed.items())],
        "updated": [_update_out(old, new, masks) for _, (old, new) in sorted(diff.updated.items())],
    }
    header["masks"] = [len(mask) for mask in masks]
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    packed = zlib.compress(text)
    body = b"".join((_UINT32.pack(len(packed)), packed, *masks))
    return _MAGIC + _UINT32.pack(zlib.crc32(body)) + body


def from_bytes(data: bytes, records: Mapping[int, Record]) -> Diff:
    """The diff that `to_bytes` wrote.

    records: those of the image, as they were right before or right after the diff; of the ids that it
    updates at least. An update is left out where its record is gone or its mask fits neither side:
    something else has replaced it meanwhile. Raises ValueError for damaged bytes.
    """
    try:
        header, masks = _open(data)
        updated = {}
        for item in header["updated"]:
            pair = _update_in(item, masks, records)
            if pair is not None:
                updated[record_id(pair[0])] = pair
        return Diff(_records_in(header["added"], masks), updated, _records_in(header["removed"], masks))
    except (KeyError, IndexError, TypeError, AttributeError, zlib.error, struct.error) as e:
        raise ValueError(f"the stored edit is damaged: {e}") from e


def _open(data: bytes) -> tuple[_Json, list[Mask]]:
    if data[: len(_MAGIC)] != _MAGIC:
        raise ValueError("the stored edit is damaged, or of another version")
    body = memoryview(data)[len(_MAGIC) + _UINT32.size :]
    (checksum,) = _UINT32.unpack_from(data, len(_MAGIC))
    if zlib.crc32(body) != checksum:
        raise ValueError("the stored edit is damaged: its checksum is wrong")
    (length,) = _UINT32.unpack_from(body)
    place = _UINT32.size + length
    inflate = zlib.decompressobj()
    header: _Json = json.loads(inflate.decompress(body[_UINT32.size : place], _MAX_HEADER))
    masks = []
    for size in header["masks"]:
        masks.append(unpack(bytes(body[place : place + size])))
        place += size
    return header, masks


def _record_out(record: Record, masks: list[bytes]) -> _Json:
    made: _Json = {"kind": _NAMES[type(record)], "id": record_id(record)}
    for name, default in _FIELDS[type(record)]:
        value = getattr(record, name)
        if value is not default:  # what is as ever goes without saying
            made[name] = value if type(value) in _AS_THEY_ARE else _plain(value, masks)
    return made


def _update_out(old: Record, new: Record, masks: list[bytes]) -> _Json:
    if type(old) is not type(new):
        raise ValueError(
            f"an update keeps the kind of a record, not {type(old).__name__} to {type(new).__name__}"
        )
    changed = [f.name for f in fields(old) if getattr(old, f.name) != getattr(new, f.name)]
    item: _Json = {"kind": _NAMES[type(old)], "id": record_id(old)}
    masks_changed = [getattr(record, "mask", None) for record in (old, new)] if "mask" in changed else []
    before, after = masks_changed or (None, None)
    if before is not None and after is not None:
        changed.remove("mask")
        masks.append(pack(symmetric_difference(before, after)))
        item["patch"] = [len(masks) - 1, before.checksum(), after.checksum()]
    for side, record in (("old", old), ("new", new)):
        item[side] = {name: _plain(getattr(record, name), masks) for name in changed}
    return item


def _plain(value: object, masks: list[bytes]) -> object:
    """A field's value as JSON has it; a mask goes to `masks` and leaves its number."""
    match value:
        case Mask():
            masks.append(pack(value))
            return len(masks) - 1
        case Keypoint():
            return [float(value.x), float(value.y), int(value.visibility)]
        case tuple():
            return [_plain(item, masks) for item in value]
        case None | bool() | int() | float() | str():
            return value
        case _ if hasattr(value, "item"):  # a numpy scalar, as comes of a prediction
            return value.item()
    raise ValueError(f"a record holds a {type(value).__name__}, which no edit can store")


def _records_in(items: list[_Json], masks: list[Mask]) -> dict[int, Record]:
    records = (_record_in(item, masks) for item in items)
    return {record_id(record): record for record in records}


def _record_in(item: _Json, masks: list[Mask]) -> Record:
    kind = _KINDS[item["kind"]]
    values = _fields_in({name: value for name, value in item.items() if name != "kind"}, masks)
    if kind is ImageState:
        del values["id"]
    return kind(**values)


def _update_in(item: _Json, masks: list[Mask], records: Mapping[int, Record]) -> tuple[Record, Record] | None:
    base = records.get(item["id"])
    if base is None or type(base) is not _KINDS[item["kind"]]:
        return None
    old, new = (_fields_in(item[side], masks) for side in ("old", "new"))
    if "patch" in item:
        number, before, after = item["patch"]
        mask = None if isinstance(base, ImageState) else base.mask
        checksum = None if mask is None else mask.checksum()
        if mask is None or checksum not in (before, after):
            return None
        other = symmetric_difference(mask, masks[number])
        old["mask"], new["mask"] = (mask, other) if checksum == before else (other, mask)
    return replace(base, **old), replace(base, **new)


def _fields_in(values: _Json, masks: list[Mask]) -> _Json:
    return {
        name: None if value is None else masks[value] if name == "mask" else _READERS[name](value)
        for name, value in values.items()
    }


def _keypoints(value: Any) -> tuple[Keypoint, ...]:
    return tuple(Keypoint(x, y, visibility) for x, y, visibility in value)


def _pairs(value: Any) -> tuple[tuple[Any, ...], ...]:
    return tuple(tuple(item) for item in value)


def _same(value: Any) -> Any:
    return value


_READERS: dict[str, Callable[[Any], object]] = {
    "id": _same,
    "class_id": _same,
    "box_xyxy": tuple,
    "score": _same,
    "provenance": Provenance,
    "z": _same,
    "keypoints": _keypoints,
    "track_id": _same,
    "attributes": _pairs,
    "rings": _pairs,
    "review": ReviewState,
    "flags": tuple,
    "skip": _same,
}
"""How each field but the mask is made of its JSON; a field that is not here cannot be read back."""
