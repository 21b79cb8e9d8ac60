"""Imports and exports from the window: shown first, taken in at once, undone; labels beside are offered."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import cast

import pytest
from PySide6.QtCore import QTimer
from PySide6.QtGui import QAction
from PySide6.QtWidgets import QApplication, QCheckBox, QFileDialog, QLabel, QPushButton, QWidget

from engine.document.diff import Diff
from engine.document.records import ReviewState
from engine.exchange import mirroring
from engine.exchange.exporting import ExportOptions, Which
from engine.exchange.importing import Summary, prepare
from engine.exchange.mirror import MirrorKind
from engine.project import Project
from gui.commands import exchange as exchange_commands
from gui.commands.registry import COMMANDS, Context
from gui.desk import Desk
from gui.dialogs.exchange import ExportDialog, SummaryDialog, ask_merge
from gui.editor import Editor
from gui.exchange import Exchange
from gui.panels.notice import Notices
from tests.gui.making import HEIGHT, WIDTH, drawn, folder_of

Wait = Callable[..., None]


@dataclass
class Bench:
    desk: Desk
    exchange: Exchange
    folder: Path
    wait: Wait
    said: list[str] = field(default_factory=list)

    @property
    def instances(self) -> int:
        assert self.desk.project is not None
        return self.desk.project.survey().use.instances


def labels(folder: Path) -> Path:
    """A COCO file with an instance on each of the two pictures."""
    height, width = HEIGHT, WIDTH
    ring = [[2, 2, 6, 2, 6, 6, 2, 6]]
    names = ("a.png", "b.png")
    data = {
        "images": [{"id": n, "file_name": x, "width": width, "height": height} for n, x in enumerate(names)],
        "annotations": [
            {"id": n + 1, "image_id": n, "category_id": 1, "bbox": [2, 2, 4, 4], "segmentation": ring}
            for n in range(2)
        ],
        "categories": [{"id": 1, "name": "nut"}],
    }
    file = folder / "labels.json"
    file.write_text(json.dumps(data), encoding="utf-8")
    return file


@pytest.fixture
def bench(application: QApplication, tmp_path: Path, wait: Wait) -> Iterator[Bench]:
    folder = folder_of(tmp_path / "pictures", ("a.png", "b.png"))
    labels(folder)
    editor = Editor()
    desk = Desk(editor)
    exchange = Exchange(desk)
    made = Bench(desk, exchange, folder, wait)
    exchange.said.connect(made.said.append)
    desk.open([folder])
    wait(lambda: editor.shown and exchange.offer)
    yield made
    exchange.close()
    desk.close()


def test_that_labels_beside_the_pictures_are_offered_and_nothing_is_taken(bench: Bench) -> None:
    assert bench.exchange.offer == "COCO"
    notices = Notices(bench.desk, QAction("save"), QAction("accept"), bench.exchange, QAction("Import"))
    bench.exchange.changed.emit()
    assert notices.offer == "Labels of COCO lie beside these pictures."
    assert bench.instances == 0
    bench.exchange.let_be()
    assert notices.offer == ""
    notices.deleteLater()


def test_that_an_import_is_shown_taken_in_and_undone(bench: Bench) -> None:
    shown = bench.desk.editor.shown
    bench.exchange.read(bench.folder / "labels.json")
    bench.wait(lambda: bench.exchange.prepared)
    assert bench.exchange.prepared is not None
    assert bench.exchange.prepared.summary.instances == 2
    assert bench.instances == 0
    bench.exchange.take(reviewed=True)
    bench.wait(lambda: not bench.exchange.is_busy)
    assert bench.instances == 2
    assert "Imported: 2 instances on 2 images." in bench.said[-1]
    assert shown is not None
    bench.wait(lambda: shown.document.instances)
    assert bench.desk.editor.classes[0].name == "nut"
    bench.wait(lambda: bench.desk.state_of(shown.item.id).review is ReviewState.REVIEWED)
    bench.exchange.undo()
    bench.wait(lambda: not bench.exchange.is_busy)
    assert bench.instances == 0
    bench.wait(lambda: not shown.document.instances)


def test_that_what_was_read_and_not_wanted_leaves_no_trace(bench: Bench) -> None:
    bench.exchange.read(bench.folder / "labels.json")
    bench.wait(lambda: bench.exchange.prepared)
    bench.exchange.drop()
    bench.exchange.take(reviewed=True)
    assert not bench.exchange.is_busy
    assert bench.instances == 0


def test_that_a_file_that_cannot_be_read_is_told(bench: Bench) -> None:
    (bench.folder / "odd.json").write_text("{", encoding="utf-8")
    bench.exchange.read(bench.folder / "odd.json")
    bench.wait(lambda: not bench.exchange.is_busy)
    assert "odd.json is of no format that is known" in bench.said[-1]


def test_that_labels_go_out_in_the_background(bench: Bench, tmp_path: Path) -> None:
    bench.exchange.read(bench.folder / "labels.json")
    bench.wait(lambda: bench.exchange.prepared)
    bench.exchange.take(reviewed=True)
    bench.wait(lambda: not bench.exchange.is_busy)
    bench.exchange.write(ExportOptions("labelme", tmp_path / "out"))
    bench.wait(lambda: not bench.exchange.is_busy)
    assert "2 instances of 2 images" in bench.said[-1]
    assert (tmp_path / "out" / "a.json").is_file()


def test_that_another_project_is_shown_taken_in_with_its_pictures_and_undone(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = folder_of(tmp_path / "theirs", ("a.png", "b.png", "more.png"))
    with Project.open(other) as project:
        project.refresh()
        nut = project.ensure_class("nut").id
        for item in project.media():
            project.save(item.id, Diff({1: replace(drawn(nut), id=1)}), name="Brush").result()
    asked: list[Summary] = []

    def answer(_parent: QWidget, summary: Summary) -> bool:
        asked.append(summary)
        return True

    monkeypatch.setattr(exchange_commands, "ask_merge", answer)
    monkeypatch.setattr(QFileDialog, "getExistingDirectory", lambda *_: str(other))
    context = cast(Context, SimpleNamespace(desk=bench.desk, exchange=bench.exchange))
    parent = QWidget()
    COMMANDS["file.merge"].start(parent, context)
    bench.wait(lambda: bench.exchange.prepared)
    COMMANDS["file.import_take"].start(parent, context)
    bench.wait(lambda: not bench.exchange.is_busy)
    assert (asked[0].images, asked[0].copies) == (3, 1)
    assert bench.instances == 3
    bench.wait(lambda: any(item.path == "theirs/more.png" for item in bench.desk.media))
    COMMANDS["file.import_undo"].start(parent, context)
    bench.wait(lambda: not bench.exchange.is_busy)
    assert bench.instances == 0
    parent.deleteLater()


def test_that_a_summary_says_what_would_come_and_leaves_the_word_to_the_person(
    application: QApplication,
) -> None:
    parent = QWidget()
    summary = Summary("maskwright", "Maskwright project", Path("theirs"), Path("ours"), images=2, copies=1)

    def answer(tick: bool, button: str) -> None:
        (dialog,) = parent.findChildren(SummaryDialog)
        assert any("can be copied" in one.text() for one in dialog.findChildren(QLabel))
        assert dialog.choice.isChecked()
        dialog.choice.setChecked(tick)
        buttons = dialog.findChildren(QPushButton)
        next(one for one in buttons if one.text().replace("&", "") == button).click()

    for tick, button, answered in ((True, "Merge", True), (False, "Merge", False), (True, "Cancel", None)):
        QTimer.singleShot(0, parent, partial(answer, tick, button))
        assert ask_merge(parent, summary) is answered
    parent.deleteLater()


def test_that_what_is_broken_is_listed_before_it_is_left_out(application: QApplication) -> None:
    parent = QWidget()
    summary = Summary("coco", "COCO", Path("a.json"), Path("p"), images=1, instances=2, classes={"cell": 2})
    whole = SummaryDialog(parent, summary, "Import", "Take", QCheckBox())
    assert whole.broken.isHidden()
    summary.problems, summary.problem_count = ["a.json: annotation 3: odd."], 1
    partly = SummaryDialog(parent, summary, "Import", "Take", QCheckBox())
    assert partly.broken.toPlainText() == "a.json: annotation 3: odd."
    assert partly.take.isEnabled()
    summary.images = 0
    assert not SummaryDialog(parent, summary, "Import", "Take", QCheckBox()).take.isEnabled()
    parent.deleteLater()


def test_that_the_dialog_asks_for_what_a_format_can_do(application: QApplication) -> None:
    parent = QWidget()
    dialog = ExportDialog(parent)
    dialog.format.setCurrentIndex(dialog.format.findData("coco"))
    assert dialog.polygons.isEnabled()
    dialog.split.setText("train=")
    assert not dialog.start.isEnabled()
    dialog.split.setText("train=9,val=1")
    assert dialog.start.isEnabled()
    assert dialog.options.shares is not None
    assert dialog.options.which is Which.LABELLED
    assert dialog.seed.isEnabled()
    dialog.split.clear()
    assert not dialog.seed.isEnabled()
    dialog.format.setCurrentIndex(dialog.format.findData("davis"))
    assert not dialog.polygons.isEnabled()
    assert "no place for overlaps, keypoints, attributes" in dialog.holds.text()
    dialog.format.setCurrentIndex(dialog.format.findData("yolo-detect"))
    assert not dialog.exact.isEnabled()
    parent.deleteLater()


def test_that_the_mirror_follows_an_import_and_asks_about_files_of_others(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mirroring, "PAUSE_S", 0.02)
    mirror, asked = bench.exchange.mirror, list[bool]()
    mirror.asked.connect(lambda: asked.append(True))
    (bench.folder / "b.json").write_text("{}")
    mirror.choose(MirrorKind.LABELME)
    bench.wait(lambda: mirror.kind is MirrorKind.LABELME)
    bench.exchange.read(bench.folder / "labels.json")
    bench.wait(lambda: bench.exchange.prepared)
    bench.exchange.take(reviewed=True)
    bench.wait(lambda: asked)
    bench.wait((bench.folder / "a.json").is_file)
    assert mirror.conflicts == ("b.json",)
    assert any("left alone (b.json)" in said for said in bench.said)
    assert (bench.folder / "b.json").read_text() == "{}"
    mirror.settle(overwrite=True)
    bench.wait(lambda: "shapes" in (bench.folder / "b.json").read_text())
    bench.wait(lambda: not mirror.conflicts)


def test_that_edits_of_the_last_moment_are_in_the_mirror(bench: Bench) -> None:
    assert bench.desk.project is not None
    bench.exchange.mirror.choose(MirrorKind.COCO)
    bench.wait(lambda: bench.exchange.mirror.kind is MirrorKind.COCO)
    with prepare(bench.folder / "labels.json", project=bench.desk.project) as prepared:
        prepared.commit(bench.desk.project, reviewed=True)
    bench.exchange.close()
    assert len(json.loads((bench.folder / "annotations.json").read_text())["annotations"]) == 2
