"""Hostile and broken files, of every format that could hold them: one sentence, and nothing outside read."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from engine.errors import DataError
from engine.formats.registry import Format, Holds, formats
from tests.engine.formats.making import apart, difficult, image, instances, read, write

BOTH = [one for one in formats().values() if one.can_read and one.can_write]
NO_LABELS_IN_XML = {"label-studio"}
"""Formats whose XML is a layout for the other program, which is not read."""
RLE = {
    "coco": rb'"counts":\s*("[^"]*"|\[[^\]]*\])',
    "youtube-vis": rb'"counts":\s*("[^"]*"|\[[^\]]*\])',
    "cvat-images": rb' rle="[^"]*"',
    "mots-txt": rb"\S+$",
}
"""Formats that keep masks as runs, with what the runs look like in them."""


def ids(one: Format) -> str:
    return one.name


def refused(one: Format, folder: Path) -> str:
    """What the reader says of the folder."""
    with pytest.raises(DataError) as said:
        read(one, folder, [image("a.png")])
    return str(said.value)


def spoiled(one: Format, folder: Path, suffix: str, how: Callable[[bytes], bytes]) -> list[Path]:
    """Write the format's files, spoil those of a suffix, and give those that changed."""
    masks = difficult() if Holds.OVERLAP in one.holds else apart()
    write(one, [image("a.png", instances(masks))], folder)
    changed = []
    for path in sorted(path for path in folder.rglob(f"*{suffix}") if path.is_file()):
        before = path.read_bytes()
        after = how(before)
        if after != before:
            path.write_bytes(after)
            changed.append(path)
    if not changed:
        pytest.skip(f"its files hold no such thing as {suffix or 'that'}")
    return changed


def names_one_of(sentence: str, paths: list[Path]) -> bool:
    return any(path.name in sentence for path in paths)


@pytest.mark.parametrize("one", [f for f in BOTH if f.name not in NO_LABELS_IN_XML], ids=ids)
@pytest.mark.parametrize(
    "declared",
    [
        b'<!DOCTYPE a [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>',
        b'<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>',
        b'<!DOCTYPE a SYSTEM "http://localhost/a.dtd">',
    ],
    ids=["bomb", "external entity", "external type"],
)
def test_that_xml_which_declares_entities_is_refused(one: Format, declared: bytes, tmp_path: Path) -> None:
    changed = spoiled(one, tmp_path / "out", ".xml", lambda data: data.replace(b"?>", b"?>" + declared, 1))
    said = refused(one, tmp_path / "out")
    assert names_one_of(said, changed)
    assert "declares a document type or entities" in said


@pytest.mark.parametrize("one", BOTH, ids=ids)
def test_that_labels_of_another_size_than_the_picture_are_told(one: Format, tmp_path: Path) -> None:
    def other(_: bytes) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(np.ones((5, 7), np.uint8)).save(buffer, "PNG")
        return buffer.getvalue()

    changed = spoiled(one, tmp_path / "out", ".png", other)
    said = refused(one, tmp_path / "out")
    assert names_one_of(said, changed)
    assert "7 x 5" in said


@pytest.mark.parametrize("one", BOTH, ids=ids)
@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a"], ids=["empty", "cut", "a GIF"])
def test_that_a_png_which_is_none_is_told(one: Format, data: bytes, tmp_path: Path) -> None:
    changed = spoiled(one, tmp_path / "out", ".png", lambda _: data)
    assert names_one_of(refused(one, tmp_path / "out"), changed)


@pytest.mark.parametrize("one", [f for f in BOTH if f.name in RLE], ids=ids)
@pytest.mark.parametrize("runs", ["-5, 605", "3, 4", "600, 600, 600", "1.5, 2"])
def test_that_runs_which_are_none_of_the_picture_are_told(one: Format, runs: str, tmp_path: Path) -> None:
    def other(data: bytes) -> bytes:
        spelled = {"cvat-images": f' rle="{runs}"', "mots-txt": runs.replace(" ", "")}
        new = spelled.get(one.name, f'"counts": [{runs}]').encode()
        return re.sub(RLE[one.name], lambda _: new, data, count=1, flags=re.MULTILINE)

    changed = spoiled(one, tmp_path / "out", "", other)
    assert names_one_of(refused(one, tmp_path / "out"), changed)


@pytest.mark.parametrize("one", BOTH, ids=ids)
@pytest.mark.parametrize("name", ["../../a.png", "/etc/a.png", "//host/share/a.png", "C:/a.png"])
def test_that_no_name_leads_out_of_the_folder(one: Format, name: str, tmp_path: Path) -> None:
    def other(data: bytes) -> bytes:
        return data if data.startswith(b"\x89PNG") else data.replace(b"a.png", name.encode())

    spoiled(one, tmp_path / "out", "", other)
    try:
        found, _ = read(one, tmp_path / "out", [image("a.png")])
    except DataError as said:
        assert "only files in the folder are read" in str(said) or name in str(said)  # noqa: PT017
        return
    for got in found.values():
        path = PurePosixPath(got.name)
        assert not path.is_absolute()
        assert ".." not in path.parts
        assert ":" not in got.name
