"""The running quality in the window: of what the person makes of proposals, image by image."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QDockWidget, QMainWindow, QVBoxLayout, QWidget

from engine.document.records import Instance
from gui.panels.quality import QualitySign, QualityView
from gui.quality import Quality, explained, in_brief, of_which
from tests.gui import test_tuning
from tests.gui.making import proposal, square
from tests.gui.test_tuning import Bench

Wait = Callable[..., None]
bench = test_tuning.bench


@pytest.fixture
def quality(bench: Bench) -> Quality:
    """Of a project with proposals on each of its three images."""
    project = bench.desk.project
    assert project is not None
    bolt = project.ensure_class("bolt")
    bench.desk.editor.set_classes((bolt,))
    for item in bench.desk.media:
        found = [proposal(bolt.id, 4, 0.9, 10), proposal(bolt.id, 30, 0.9, 10)]
        project.put_proposals(item.id, found, key="content:0 sha-of-a settings", batch_id="batch")
    return Quality(bench.desk)


def look_at(bench: Bench, name: str) -> list[Instance]:
    """Show an image as the model left it."""
    desk = bench.desk
    desk.loader.forget()
    desk.show(next(item.id for item in desk.media if item.path == name))
    editor = desk.editor
    bench.wait(lambda: editor.shown is not None and editor.shown.item.path == name and editor.visible)
    return sorted(editor.visible, key=lambda one: one.bounds_xyxy)


def accept(bench: Bench) -> None:
    editor = bench.desk.editor
    assert editor.shown is not None
    visible = {one.id for one in editor.visible}
    with editor.edit("Accept image"):
        editor.shown.document.accept_image(visible)


def test_that_the_quality_follows_what_is_accepted_and_corrected(bench: Bench, quality: Quality) -> None:
    assert in_brief(quality.now) == ""
    look_at(bench, "b.png")
    accept(bench)
    bench.wait(lambda: in_brief(quality.now) == "100 % right, 0.0 edits an image")
    assert of_which(quality.now) == "Your last image"
    one, other = look_at(bench, "c.png")
    editor = bench.desk.editor
    assert editor.shown is not None
    with editor.edit("Brush"):  # half of one was wrong, and the other was nothing
        half = replace(one, mask=square(4, 4, 5))
        editor.shown.document.replace(half)
    with editor.edit("Delete"):
        editor.shown.document.remove(other.id)
    accept(bench)
    bench.wait(lambda: quality.now and len(quality.now.images) == 2)
    assert in_brief(quality.now) == "56 % right, 1.0 edits an image"
    assert of_which(quality.now) == "Your last 2 images"
    assert "2 accepted, 1 corrected, 1 removed, 0 missed." in explained(quality.now)
    bench.desk.leave()
    assert quality.now is None


@pytest.fixture
def shown(
    application: QApplication, quality: Quality
) -> Iterator[tuple[QualitySign, QualityView, QDockWidget]]:
    window, dock, view = QMainWindow(), QDockWidget(), QualityView(quality)
    inside = QWidget()
    QVBoxLayout(inside).addWidget(view)
    dock.setWidget(inside)
    window.addDockWidget(Qt.DockWidgetArea.BottomDockWidgetArea, dock)
    dock.hide()
    sign = QualitySign(quality, dock)
    window.statusBar().addPermanentWidget(sign)
    window.show()
    application.processEvents()
    yield sign, view, dock
    window.close()
    window.deleteLater()


def test_that_it_is_seen_without_any_training_and_says_what_it_means(
    bench: Bench, shown: tuple[QualitySign, QualityView, QDockWidget]
) -> None:
    sign, view, dock = shown
    assert sign.isHidden()
    assert view.isHidden()
    look_at(bench, "b.png")
    accept(bench)
    bench.wait(sign.isVisible)
    assert "accepted counts whole" in sign.toolTip()
    QTest.mouseClick(sign, Qt.MouseButton.LeftButton)
    assert dock.isVisible()
    assert sign.isHidden()
    assert view.told.text() == "100 % right, 0.0 edits an image"
    assert view.bars.shares == [1.0]
