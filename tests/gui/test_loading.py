"""What is made ready before it is asked for, and when it is not believed."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PySide6.QtWidgets import QApplication

from engine.document.diff import Diff
from engine.document.records import MediaItem
from engine.media.image import read_rgb
from engine.media.picture import Rgb
from engine.project import Project
from gui import loading
from gui.editor import Sight
from gui.loading import Loader
from gui.pictures import Coming, Pictures
from tests.gui.making import drawn, folder_of, proposal


@pytest.fixture
def project(application: QApplication, tmp_path: Path) -> Iterator[Project]:
    with Project.open(folder_of(tmp_path / "pictures")) as made:
        made.refresh()
        yield made


@pytest.fixture
def loader() -> Iterator[Loader]:
    made = Loader(Sight)
    yield made
    made.close()


@pytest.fixture
def item(project: Project) -> MediaItem:
    return project.media()[0]


def draw(project: Project, item: MediaItem, x: int = 4) -> int:
    one = drawn(project.ensure_class("bolt").id, x)
    project.save(item.id, Diff(added={one.id: one}), name="Draw").result()
    return one.id


def test_that_what_was_made_ready_is_what_comes(
    project: Project, loader: Loader, item: MediaItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = draw(project, item)
    loader.prepare(project, item)
    monkeypatch.setattr(project, "load", lambda _id: pytest.fail("it was ready"))
    monkeypatch.setattr(Pictures, "_decode", lambda *_args: pytest.fail("it was decoded"))
    shown = loader.load(project, item).shown
    assert [one.id for one in shown.document.instances] == [id_]
    assert shown.labels is not None
    assert shown.labels.label_of(id_) == shown.labels.labels[4, 4] != 0


@pytest.mark.parametrize("way", ["edit", "undo", "redo", "proposals", "batch undone", "class deleted"])
def test_that_what_changed_since_is_read_anew(
    project: Project, loader: Loader, item: MediaItem, way: str
) -> None:
    draw(project, item)
    draw(project, item, 20)
    class_id = project.classes()[0].id
    if way == "redo":
        project.undo(item.id)
    if way == "batch undone":
        project.put_proposals(item.id, [proposal(class_id)], key="k", batch_id="b")
    loader.prepare(project, item)
    match way:
        case "edit":
            draw(project, item, 12)
        case "undo":
            project.undo(item.id)
        case "redo":
            project.redo(item.id)
        case "proposals":
            project.put_proposals(item.id, [proposal(class_id)], key="k", batch_id="b")
        case "batch undone":
            project.undo_batch("b")
        case "class deleted":
            project.delete_classes([class_id])
    assert loader.load(project, item).shown.document.records == project.load(item.id).records


def test_that_the_masks_of_a_picture_never_seen_do_not_wait_for_its_pixels(
    project: Project, loader: Loader, item: MediaItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = draw(project, item)
    assert item.width == 0
    are_placed = threading.Event()
    read, make = Pictures.read, Loader._make_ready

    def read_last(pictures: Pictures, *key: Any) -> Rgb:
        assert are_placed.wait(1), "the masks wait for the pixels"
        return read(pictures, *key)

    def made(*about: Any) -> Any:
        ready = make(*about)
        are_placed.set()
        return ready

    monkeypatch.setattr(
        Pictures, "begin", lambda pictures, *key, **_level: partial(read_last, pictures, *key)
    )
    monkeypatch.setattr(Loader, "_make_ready", made)
    shown = loader.load(project, item).shown
    assert shown.labels is not None
    assert shown.labels.label_of(id_)
    assert shown.labels.labels.shape == shown.pixels.shape[:2]


def test_that_a_document_is_given_away_once(project: Project, loader: Loader, item: MediaItem) -> None:
    draw(project, item)
    loader.prepare(project, item)
    assert loader.load(project, item).shown.document is not loader.load(project, item).shown.document


def test_that_hidden_instances_have_no_labels(project: Project, loader: Loader, item: MediaItem) -> None:
    id_ = draw(project, item)
    loader.hides = lambda _instances, _classes: frozenset([id_])
    other = proposal(project.classes()[0].id, 20)
    project.put_proposals(item.id, [other], key="k", batch_id="b")
    loader.hides = lambda _instances, _classes: frozenset([other.id])
    shown = loader.load(project, item).shown
    assert shown.suppressed == {other.id}
    assert shown.labels is not None
    assert np.unique(shown.labels.labels).tolist() == [0, shown.labels.label_of(id_)]


def test_that_a_large_picture_is_not_made_ready(
    project: Project, loader: Loader, item: MediaItem, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loading, "_TOO_MUCH_AHEAD", 10)
    loader.prepare(project, item)
    assert not loader._ready


def large_jpeg(project: Project) -> MediaItem:
    smooth = cv2.resize(np.random.default_rng(0).integers(0, 256, (8, 12, 3), np.uint8), (480, 320))
    cv2.imwrite(str(project.folder / "large.jpg"), smooth)
    project.refresh()
    return next(item for item in project.media() if item.path == "large.jpg")


def test_that_a_jpeg_that_is_seen_small_comes_small_first(project: Project, loader: Loader) -> None:
    item = large_jpeg(project)
    shown = loader.load(project, item, level=2).shown
    assert isinstance(shown.picture, Coming)
    assert shown.picture.small.shape == (80, 120, 3)
    assert shown.size == (320, 480)
    exact = read_rgb(project.path_of(item))
    assert np.array_equal(shown.pixels, exact), "the whole of it is there for whoever asks"
    assert not isinstance(loader.load(project, item, level=2).shown.picture, Coming), "it is decoded now"


def test_that_a_jpeg_that_is_seen_large_comes_as_a_whole(project: Project, loader: Loader) -> None:
    item = large_jpeg(project)
    assert not isinstance(loader.load(project, item, level=0).shown.picture, Coming)
