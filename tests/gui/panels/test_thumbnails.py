"""Thumbnails: of what is seen, upright, and nothing that scrolled away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from PIL import Image
from PySide6.QtGui import QImage

from gui.panels import thumbnails
from gui.panels.thumbnails import Thumbnails, Wanted
from tests.gui.making import picture

Wait = Callable[..., None]


@pytest.fixture
def made(application: object) -> Iterator[Thumbnails]:
    one = Thumbnails()
    yield one
    one.close()


def test_that_what_scrolled_away_before_its_turn_is_dropped(
    made: Thumbnails, tmp_path: Path, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    go, decoded = threading.Event(), []

    def slowly(wanted: Wanted, _ratio: float) -> QImage | None:
        go.wait(10)
        decoded.append(wanted.path.name)
        return QImage(8, 8, QImage.Format.Format_RGB32)

    monkeypatch.setattr(thumbnails, "_decode", slowly)
    made.want(Wanted(n, tmp_path / str(n), 0) for n in range(50))
    wait(lambda: made.waiting <= 48)  # two threads hold one each
    made.want(Wanted(n, tmp_path / str(n), 0) for n in range(100, 103))
    go.set()
    wait(lambda: all(made.get(n) for n in range(100, 103)))
    assert set(decoded) == {"0", "1", "100", "101", "102"}


def test_that_a_photo_on_its_side_is_shown_upright(made: Thumbnails, tmp_path: Path, wait: Wait) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned by 90 degrees
    Image.new("RGB", (800, 400), "red").save(tmp_path / "a.jpg", exif=exif)
    made.want([Wanted(1, tmp_path / "a.jpg", 0)])
    wait(lambda: made.get(1))
    found = made.get(1)
    assert found is not None
    assert (found.width(), found.height()) == (24, 48)


@pytest.mark.parametrize("name", ["a.tif", "ä b.png", "b.bmp"])
def test_that_other_kinds_of_pictures_have_thumbnails(
    made: Thumbnails, tmp_path: Path, wait: Wait, name: str
) -> None:
    Image.new("RGB", (300, 100), "blue").save(tmp_path / name)
    made.want([Wanted(1, tmp_path / name, 0)])
    wait(lambda: made.get(1))
    found = made.get(1)
    assert found is not None
    assert (found.width(), found.height()) == (64, 21)


def test_that_a_broken_picture_has_none_and_stops_nothing(
    made: Thumbnails, tmp_path: Path, wait: Wait
) -> None:
    (tmp_path / "bad.jpg").write_bytes(b"\xff\xd8\xff\xe0 broken")
    good = picture(tmp_path / "good.png")
    made.want([Wanted(1, tmp_path / "bad.jpg", 0), Wanted(2, tmp_path / "gone.png", 0), Wanted(3, good, 0)])
    wait(lambda: made.get(3))
    assert made.get(1) is None


def test_that_only_so_many_are_kept(
    made: Thumbnails, tmp_path: Path, wait: Wait, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(thumbnails, "KEPT", 3)
    path = picture(tmp_path / "a.png")
    for n in range(5):
        made.want([Wanted(n, path, 0)])
        wait(lambda n=n: made.get(n))
    assert [made.get(n) is not None for n in range(5)] == [False, False, True, True, True]
