"""Hostile and broken files, of every format that could hold them: one sentence, and nothing outside read."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path, PurePosixPath

import numpy as np
import pytest
from PIL import Image

from engine.errors import DataError
from engine.exchange.importing import Summary, prepare
from engine.formats.checks import MAX_PIXELS
from engine.formats.registry import Format, formats, recognise
from engine.formats.source import Source, parse_labels
from tests.engine.exchange.making import pictures
from tests.engine.formats.making import files_of, image, read

BOTH = [one for one in formats().values() if one.can_read and one.can_write]
NO_LABELS_IN_XML = {"label-studio"}
"""Formats whose XML is a layout for the other program, which is not read."""
RUNS = {
    "coco": rb'"counts":\s*("[^"]*"|\[[^\]]*\])',
    "youtube-vis": rb'"counts":\s*("[^"]*"|\[[^\]]*\])',
    "cvat-images": rb' rle="[^"]*"',
    "cvat-video": rb' rle="[^"]*"',
    "mots-txt": rb"\S+$",
    "label-studio": rb'"rle":\s*\[[^\]]*\]',
}
"""Formats that keep masks as runs, with what the runs look like in them."""
NO_SIZE = {"via-json", "via-csv", "yolo-seg", "yolo-detect", "yolo-pose"}
"""Formats that do not say how large a picture is."""
SEVERAL_CLASSES = {
    "coco": (b'"name":"wall of it"', b'"name":"cell"'),
    "coco-panoptic": (b'"name":"wall of it"', b'"name":"cell"'),
    "youtube-vis": (b'"name":"wall of it"', b'"name":"cell"'),
    "cityscapes": (b'"wall of it"', b'"cell"'),
    "class-png": (b'"wall of it"', b'"cell"'),
    "cvat-images": (b"<name>wall of it</name>", b"<name>cell</name>"),
    "cvat-video": (b"<name>wall of it</name>", b"<name>cell</name>"),
    "mots-png": (b"wall of it\n", b"cell\n"),
    "mots-txt": (b"wall of it\n", b"cell\n"),
    "voc": (b"wall of it:", b"cell:"),
    "yolo-seg": (b'"wall of it"', b'"cell"'),
    "yolo-detect": (b'"wall of it"', b'"cell"'),
    "yolo-pose": (b'1: "wall of it"', b'1: "cell"'),
}
"""Formats that list their classes, and how the second of them comes to bear the first one's name."""


def ids(one: Format) -> str:
    return one.name


def with_files(suffix: str) -> list[Format]:
    """The formats that write, and read, files of a suffix."""
    return [one for one in BOTH if any(name.endswith(suffix) for name in files_of(one))]


def laid(folder: Path, files: Mapping[str, bytes]) -> Path:
    """The files in a folder."""
    for name, data in files.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(data)
    return folder


def spoiled(one: Format, folder: Path, suffix: str, how: Callable[[bytes], bytes]) -> list[Path]:
    """The format's files in a folder, those of a suffix spoiled; gives those that changed."""
    before = files_of(one)
    after = {name: how(data) if name.endswith(suffix) else data for name, data in before.items()}
    laid(folder, after)
    changed = [folder / name for name in before if before[name] != after[name]]
    assert changed, f"{one.name} holds no such thing"
    return changed


def refused(one: Format, folder: Path) -> str:
    """What the reader says of the folder."""
    with pytest.raises(DataError) as said:
        read(one, folder, [image("a.png")])
    return str(said.value)


def look(one: Format, folder: Path) -> Summary:
    """What an import would bring of the folder, which holds its pictures too."""
    with prepare(folder, images=folder, format_name=one.name) as prepared:
        return prepared.summary


def names_one_of(sentence: str, paths: list[Path]) -> bool:
    return any(path.name in sentence for path in paths)


@pytest.mark.parametrize("one", [f for f in with_files(".xml") if f.name not in NO_LABELS_IN_XML], ids=ids)
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
    def other(data: bytes) -> bytes:
        return data.replace(b"?>", b"?>" + declared, 1)

    changed = spoiled(one, tmp_path / "out", ".xml", other)
    said = refused(one, tmp_path / "out")
    assert names_one_of(said, changed)
    assert "declares a document type or entities" in said


@pytest.mark.parametrize("one", [f for f in with_files(".xml") if f.name not in NO_LABELS_IN_XML], ids=ids)
def test_that_xml_nested_too_deep_is_refused(one: Format, tmp_path: Path) -> None:
    def other(data: bytes) -> bytes:
        at = data.rindex(b"</annotation")
        return data[:at] + b"<a>" * 100_000 + b"</a>" * 100_000 + data[at:]

    changed = spoiled(one, tmp_path / "out", ".xml", other)
    said = refused(one, tmp_path / "out")
    assert names_one_of(said, changed)
    assert "too deep" in said


@pytest.mark.parametrize("one", with_files(".png"), ids=ids)
def test_that_labels_of_another_size_than_the_picture_are_told(one: Format, tmp_path: Path) -> None:
    def other(_: bytes) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(np.ones((5, 7), np.uint8)).save(buffer, "PNG")
        return buffer.getvalue()

    changed = spoiled(one, tmp_path / "out", ".png", other)
    said = refused(one, tmp_path / "out")
    assert names_one_of(said, changed)
    assert "7 x 5" in said


@pytest.mark.parametrize("one", with_files(".png"), ids=ids)
@pytest.mark.parametrize("data", [b"", b"\x89PNG\r\n\x1a\n", b"GIF89a"], ids=["empty", "cut", "a GIF"])
def test_that_a_png_which_is_none_is_told(one: Format, data: bytes, tmp_path: Path) -> None:
    changed = spoiled(one, tmp_path / "out", ".png", lambda _: data)
    assert names_one_of(refused(one, tmp_path / "out"), changed)


def test_that_a_png_larger_than_its_image_is_never_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A few hundred bytes that claim 100 million pixels."""
    buffer = io.BytesIO()
    Image.new("1", (10_000, 10_000)).save(buffer, "PNG")
    data = buffer.getvalue()
    assert len(data) < 20_000
    monkeypatch.setattr(Image.Image, "load", lambda _: pytest.fail("it was decoded"))
    with pytest.raises(DataError, match="is larger than its image"):
        parse_labels(data, "a.json: its mask", at_most=(62, 42))
    with pytest.raises(DataError, match="10000 x 10000"):
        parse_labels(data, "a.png", (30, 20))
    monkeypatch.setattr("engine.formats.source.MAX_PNG_PIXELS", 1000)
    assert MAX_PIXELS > 1000
    with pytest.raises(DataError, match="too many"):
        parse_labels(data, "a.png")


@pytest.mark.parametrize("one", [f for f in BOTH if f.name in RUNS], ids=ids)
@pytest.mark.parametrize("runs", ["-5, 605", "3, 4", "600, 600, 600", "1.5, 2"])
def test_that_runs_which_are_none_of_the_picture_are_told(one: Format, runs: str, tmp_path: Path) -> None:
    spelled = {
        "cvat-images": f' rle="{runs}"',
        "cvat-video": f' rle="{runs}"',
        "mots-txt": runs.replace(" ", ""),
        "label-studio": f'"rle": [{runs}]',
    }
    new = spelled.get(one.name, f'"counts": [{runs}]').encode()

    def other(data: bytes) -> bytes:
        return re.sub(RUNS[one.name], lambda _: new, data, count=1, flags=re.MULTILINE)

    changed = spoiled(one, tmp_path / "out", "", other)
    assert names_one_of(refused(one, tmp_path / "out"), changed)


def _named(data: bytes, name: str) -> bytes:
    return data if data.startswith(b"\x89PNG") else data.replace(b"a.png", name.encode())


@pytest.mark.parametrize(
    "one", [f for f in BOTH if any(b"a.png" in d for d in files_of(f).values())], ids=ids
)
@pytest.mark.parametrize("name", ["../../a.png", "/etc/a.png", "//host/share/a.png", "C:/a.png"])
def test_that_no_name_leads_out_of_the_folder(one: Format, name: str, tmp_path: Path) -> None:
    spoiled(one, tmp_path / "out", "", lambda data: _named(data, name))
    try:
        found, reading = read(one, tmp_path / "out", [image("a.png")])
    except DataError as said:
        assert "only files in the folder are read" in str(said) or name in str(said)  # noqa: PT017
        return
    assert set(found) <= {"a.png"}  # matched by its name alone, or beside its label file
    if one.name == "label-studio":
        assert any("matched by name alone" in what for what in reading.left_out)


@pytest.mark.parametrize("name", ["../../a.png", "sub/../../a.png"])
def test_that_a_label_studio_task_may_not_climb_out(name: str, tmp_path: Path) -> None:
    one = formats()["label-studio"]
    spoiled(one, tmp_path / "out", "tasks.json", lambda data: _named(data, name))
    assert "only files in the folder are read" in refused(one, tmp_path / "out")


@pytest.mark.parametrize("one", BOTH, ids=ids)
def test_that_no_link_out_of_the_folder_is_followed(one: Format, tmp_path: Path) -> None:
    """The very files, but each behind a link to another folder: none of them is read."""
    outside, folder = laid(tmp_path / "outside", files_of(one)), tmp_path / "out"
    for name in files_of(one):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).symlink_to(outside / name)
    try:
        found, _ = read(one, folder, [image("a.png")])
    except DataError as said:
        assert "by a link" in str(said) or "holds no" in str(said)  # noqa: PT017
        return
    assert not any(got.instances for got in found.values())


@pytest.mark.parametrize("one", with_files(".json"), ids=ids)
@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"a":' * 100_000, "\xff{", ""],
                         ids=["cut", "deep lists", "deep objects", "no text", "empty"])  # fmt: skip
def test_that_json_which_is_none_is_told(one: Format, text: str, tmp_path: Path) -> None:
    changed = spoiled(one, tmp_path / "out", ".json", lambda _: text.encode("latin-1"))
    said = refused(one, tmp_path / "out")
    assert names_one_of(said, changed) or "name the file itself" in said


@pytest.mark.parametrize("one", with_files(".json"), ids=ids)
def test_that_json_100_000_deep_inside_is_told(one: Format, tmp_path: Path) -> None:
    """At its end, so that the file is still known by its beginning."""

    def other(data: bytes) -> bytes:
        end = data.rindex(b"]") if data.lstrip().startswith(b"[") else data.rindex(b"}")
        deep = b"[" * 100_000 + b"]" * 100_000
        return data[:end] + (b"," + deep if data[end : end + 1] == b"]" else b',"x":' + deep) + data[end:]

    changed = spoiled(one, tmp_path / "out", ".json", other)
    said = refused(one, tmp_path / "out")
    assert names_one_of(said, changed)
    assert "too deep" in said


@pytest.mark.parametrize("one", with_files(".json"), ids=ids)
def test_that_a_key_that_comes_twice_is_told(one: Format, tmp_path: Path) -> None:
    def other(data: bytes) -> bytes:
        end = data.rindex(b"}")
        key = b'"twice": 1, "twice": 2'
        empty = data[:end].rstrip().endswith(b"{")
        return data[:end] + (b"" if empty else b",") + key + data[end:]

    changed = spoiled(one, tmp_path / "out", ".json", other)
    said = refused(one, tmp_path / "out")
    assert names_one_of(said, changed)
    assert "twice" in said


@pytest.mark.parametrize("one", [f for f in BOTH if f.name in SEVERAL_CLASSES], ids=ids)
def test_that_a_class_that_is_named_twice_is_told(one: Format, tmp_path: Path) -> None:
    old, new = SEVERAL_CLASSES[one.name]
    changed = spoiled(one, tmp_path / "out", "", lambda data: data.replace(old, new, 1))
    said = refused(one, tmp_path / "out")
    assert names_one_of(said, changed)
    assert "twice" in said or "repeats" in said


@pytest.mark.parametrize("one", BOTH, ids=ids)
def test_that_labels_whose_picture_is_gone_are_counted_and_left_out(one: Format, tmp_path: Path) -> None:
    laid(tmp_path / "out", files_of(one))
    pictures(tmp_path / "out", ["other/z.png", "more/y.png"])
    summary = look(one, tmp_path / "out")
    assert (summary.images, summary.instances) == (0, 0)
    assert summary.missing_count + summary.problem_count > 0


@pytest.mark.parametrize("one", [f for f in BOTH if f.name not in NO_SIZE], ids=ids)
def test_that_labels_of_a_picture_of_another_size_are_told_and_left_out(one: Format, tmp_path: Path) -> None:
    laid(tmp_path / "out", files_of(one))
    pictures(tmp_path / "out" / "images", ["a.png"], size=(31, 22))
    with prepare(tmp_path / "out", images=tmp_path / "out" / "images", format_name=one.name) as prepared:
        summary = prepared.summary
    assert summary.instances == 0
    assert "31 x 22" in "\n".join(summary.other_size + summary.problems)


ORPHANS = {
    "coco": (b'"image_id":1', b'"image_id":99', "image 99"),
    "coco-panoptic": (b'"image_id":1', b'"image_id":99', "image 99"),
    "youtube-vis": (b'"video_id":1', b'"video_id":99', "video 99"),
}
"""Formats whose annotations name their image by a number, and how that comes to be none."""


@pytest.mark.parametrize("one", [f for f in BOTH if f.name in ORPHANS], ids=ids)
def test_that_an_annotation_without_an_image_is_told(one: Format, tmp_path: Path) -> None:
    old, new, place = ORPHANS[one.name]
    changed = spoiled(one, tmp_path / "out", ".json", lambda data: data.replace(old, new, 1))
    said = refused(one, tmp_path / "out")
    assert names_one_of(said, changed)
    assert place in said


@pytest.mark.parametrize("name", ["labelme", "x-anylabeling", "isat"])
def test_that_a_label_file_cut_to_a_brace_is_told_beside_those_that_are_whole(
    name: str, tmp_path: Path
) -> None:
    one, folder = formats()[name], tmp_path / "out"
    laid(pictures(folder), files_of(one))
    (folder / "b.json").write_text("{")
    (folder / "settings.json").write_text('{"theme": "dark"}')
    summary = look(one, folder)
    assert summary.images == 1
    assert summary.problem_count == 1
    assert "b.json is not valid JSON" in summary.problems[0]
    assert summary.left_out == {"JSON files that hold no labels of this format": 1}


def test_that_an_archive_is_to_be_unpacked(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "task.zip", "w") as archive:
        archive.writestr("annotations.xml", "<annotations/>")
    with pytest.raises(DataError, match="is an archive: unpack it"):
        recognise(Source(tmp_path / "task.zip"))


def test_that_an_address_is_matched_by_its_last_parts(tmp_path: Path) -> None:
    """Label Studio's own addresses without a word; those of another machine with one."""
    one, folder = formats()["label-studio"], pictures(tmp_path / "out", ["x/a.png", "y/a.png"])
    tasks = [
        {"data": {"image": said}, "annotations": [{"result": []}]}
        for said in ("/data/local-files/?d=x/a.png", "s3://bucket/y/a.png")
    ]
    (folder / "tasks.json").write_text(json.dumps(tasks))
    summary = look(one, folder)
    assert (summary.images, summary.missing_count) == (2, 0)
    assert list(summary.left_out.values()) == [1]


def test_that_names_are_plain_below_the_folder() -> None:
    from engine.formats.source import safe_name

    assert safe_name("a\\b/./c.png", "here") == "a/b/c.png"
    for name in ("\\\\host\\share\\a.png", "..\\a.png", "C:a.png", "a/../../b.png", "", "/"):
        with pytest.raises(DataError, match=r"^here"):
            safe_name(name, "here")
    assert not PurePosixPath(safe_name("a/b", "here")).is_absolute()
