"""Folders are listed in order, without traps, and files are told apart by content."""

import hashlib
import logging
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import MediaError
from engine.media.files import windows_path
from engine.media.scan import content_hash, is_image_name, natural_key, natural_order, scan_folder


def touch(folder: Path, *names: str) -> None:
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(name.encode())


def listed(folder: Path) -> list[str]:
    return [file.path for file in scan_folder(folder)]


def test_that_numbers_in_names_are_ordered_as_people_count(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "img10.png",
        "img2.png",
        "IMG1.PNG",
        "img2b.jpg",
        "a/frame 9.tif",
        "a/frame 11.tif",
        "a b.png",
    )
    assert listed(tmp_path) == [
        "a/frame 9.tif",
        "a/frame 11.tif",
        "a b.png",
        "IMG1.PNG",
        "img2.png",
        "img2b.jpg",
        "img10.png",
    ]


def test_that_names_equal_but_for_case_or_zeros_keep_one_order() -> None:
    names = ["a1.png", "A1.png", "a01.png", "a001.png"]
    assert sorted(names, key=natural_key) == sorted(
        ["A1.png", "a001.png", "a1.png", "a01.png"], key=natural_key
    )


@given(
    st.lists(st.text("aB019/ -\x01", max_size=5), max_size=8)
    | st.lists(st.from_regex(r"[aA][0-9]{2}", fullmatch=True))
)
def test_that_many_names_are_ordered_as_one_by_one(names: list[str]) -> None:
    order = natural_order(names)
    assert sorted(order) == list(range(len(names)))
    assert [names[place] for place in order] == sorted(names, key=natural_key)


def test_that_a_line_break_in_a_name_is_part_of_it() -> None:
    names = ["a\n1", "a\n0"]
    assert natural_order(names) == [1, 0]


def test_that_only_pictures_are_listed_and_hidden_things_are_not(tmp_path: Path) -> None:
    touch(
        tmp_path, "a.JPG", "b.txt", "c", "._d.jpg", ".hidden/e.png", ".maskwright/f.png", "sub/g.webp", "png"
    )
    (tmp_path / "folder.png").mkdir()
    touch(tmp_path / "folder.png", "inside.bmp")
    assert listed(tmp_path) == ["a.JPG", "folder.png/inside.bmp", "sub/g.webp"]


def test_that_size_and_time_are_those_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"12345")
    os.utime(tmp_path / "a.png", ns=(1, 1_234_567_000_000))
    (file,) = scan_folder(tmp_path)
    assert (file.size, file.mtime_ns) == (5, 1_234_567_000_000)


@pytest.mark.parametrize(
    "name", ["x.jpg", "x.JPEG", "x.tif", "x.TIFF", "ä ö.png", "x.y.gif", "x.bmp", "x.webp"]
)
def test_that_a_picture_is_known_by_its_suffix(name: str) -> None:
    assert is_image_name(name)


@pytest.mark.parametrize("name", ["x.json", "x", "jpg", ".jpg", "._x.jpg", "x.png.part"])
def test_that_other_names_are_no_pictures(name: str) -> None:
    assert not is_image_name(name)


def test_that_links_in_a_circle_end(tmp_path: Path) -> None:
    touch(tmp_path, "sub/a.png")
    (tmp_path / "sub" / "up").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "sub" / "self").symlink_to(tmp_path / "sub", target_is_directory=True)
    (tmp_path / "round.png").symlink_to(tmp_path / "round.png")
    (tmp_path / "dangling.png").symlink_to(tmp_path / "nowhere.png")
    assert listed(tmp_path) == ["sub/a.png"]


def test_that_a_link_to_a_folder_above_is_not_followed(tmp_path: Path) -> None:
    touch(tmp_path, "outside.png", "project/a.png")
    (tmp_path / "project" / "above").symlink_to(tmp_path, target_is_directory=True)
    assert listed(tmp_path / "project") == ["a.png"]


def test_that_a_linked_folder_is_listed_once_and_under_its_own_name(tmp_path: Path) -> None:
    touch(tmp_path, "project/z/a.png", "elsewhere/b.png")
    project = tmp_path / "project"
    (project / "alias").symlink_to(project / "z", target_is_directory=True)
    (project / "far").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    (project / "far again").symlink_to(tmp_path / "elsewhere", target_is_directory=True)
    paths = listed(project)
    assert "z/a.png" in paths
    assert len(paths) == 2


def test_that_a_pipe_with_the_name_of_a_picture_is_left_out(tmp_path: Path) -> None:
    if not hasattr(os, "mkfifo"):
        pytest.skip("this system has no named pipes")
    os.mkfifo(tmp_path / "a.png")
    assert listed(tmp_path) == []


def test_that_a_name_that_is_not_unicode_is_left_out_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    if os.name == "nt":
        pytest.skip("names are Unicode on Windows")
    try:
        (tmp_path / os.fsdecode(b"bad\xff.png")).write_bytes(b"")
    except OSError:
        pytest.skip("this file system takes Unicode names only")
    touch(tmp_path, "good.png")
    with caplog.at_level(logging.WARNING):
        assert listed(tmp_path) == ["good.png"]
    assert "not valid Unicode" in caplog.text


def test_that_a_subfolder_that_cannot_be_read_is_left_out_and_logged(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.png", "locked/b.png")
    real = os.scandir

    def refusing(place: str) -> Iterator[os.DirEntry[str]]:
        if "locked" in place:
            raise PermissionError(13, "Permission denied")
        return real(place)

    monkeypatch.setattr(os, "scandir", refusing)
    with caplog.at_level(logging.WARNING):
        assert listed(tmp_path) == ["a.png"]
    assert "locked" in caplog.text
    assert "permission denied" in caplog.text


def test_that_a_folder_that_is_missing_or_a_file_is_one_sentence(tmp_path: Path) -> None:
    touch(tmp_path, "a.png")
    with pytest.raises(MediaError, match="gone: the folder cannot be listed: there is no such file"):
        scan_folder(tmp_path / "gone")
    with pytest.raises(MediaError, match=r"a\.png: the folder cannot be listed"):
        scan_folder(tmp_path / "a.png")


def test_that_the_content_hash_is_the_sha_256_of_all_bytes(tmp_path: Path) -> None:
    data = bytes(range(256)) * 9000  # more than one block
    (tmp_path / "a.png").write_bytes(data)
    (tmp_path / "empty.png").write_bytes(b"")
    assert content_hash(tmp_path / "a.png") == hashlib.sha256(data).hexdigest()
    assert content_hash(tmp_path / "empty.png") == hashlib.sha256(b"").hexdigest()
    with pytest.raises(MediaError, match=r"gone\.png: there is no such file"):
        content_hash(tmp_path / "gone.png")


def test_that_long_windows_paths_get_the_prefix_that_allows_them() -> None:
    assert windows_path("C:\\pictures\\a.png") == "\\\\?\\C:\\pictures\\a.png"
    assert windows_path("\\\\server\\share\\a.png") == "\\\\?\\UNC\\server\\share\\a.png"
    assert windows_path("\\\\?\\C:\\a.png") == "\\\\?\\C:\\a.png"


@pytest.mark.bench
def test_that_listing_costs_little_more_than_asking_the_system(tmp_path: Path) -> None:
    for part in range(10):
        (tmp_path / f"part {part}").mkdir()
        for number in range(2_000):
            (tmp_path / f"part {part}" / f"IMG_{number}.jpg").touch()
    start = time.process_time()
    bare = sorted((e.name, e.stat().st_size) for part in os.scandir(tmp_path) for e in os.scandir(part))
    system = time.process_time() - start
    start = time.process_time()
    found = scan_folder(tmp_path)
    ours = time.process_time() - start
    print(f"20,000 files: scan_folder {ours:.2f} s of processor, scandir, stat and sort alone {system:.2f} s")
    assert len(found) == len(bare) == 20_000
    assert ours < 4 * system
