"""Model versions from the window: the list, names, notes, copies, deletion, use, and two side by side."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtCore import Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from engine.messages import Canceled, Compare, Compared, Decision, Failed, Finished, Progress, Verdict
from engine.models.store import ModelStore
from engine.train.order import TrainOrder
from engine.tuning.stopped import note
from gui.bridge import Bridge
from gui.commands.registry import Context
from gui.dialogs.versions import VersionsDialog
from gui.verdicts import of_comparison
from gui.version_words import columns, deleting, facts, gain
from gui.versions import Versions
from tests.engine.tuning.test_versions import a_version
from tests.gui import test_tuning
from tests.gui.test_tuning import STARTED, Bench, verdict

Wait = Callable[..., None]
bench = test_tuning.bench


@dataclass
class Shelf:
    """Versions a, b and c, a day apart; c came from b, and a is of another project."""

    versions: Versions
    bench: Bench
    store: ModelStore
    wait: Wait
    told: list[str]

    def read(self) -> None:
        self.versions.read()
        self.wait(lambda: self.versions.listed)

    def settled(self) -> list[str]:
        """The names, once all that was asked for is done."""
        done: list[bool] = []
        self.bench.desk.background.run(lambda: None, lambda _none: done.append(True))
        self.wait(lambda: done)
        return [one.name for one in self.versions.listed]


@pytest.fixture
def shelf(bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, wait: Wait) -> Shelf:
    root = tmp_path / "models"
    monkeypatch.setenv("MASKWRIGHT_MODELS", str(root))
    a_version(root, "a", day=1)
    a_version(root, "b", day=2, parent="a", ap=0.4)
    a_version(root, "c", day=3, parent="b", ap=0.5)
    versions = Versions(bench.desk, cast(Bridge, bench.engine), bench.models, bench.tuning)
    told: list[str] = []
    versions.said.connect(told.append)
    versions.failed.connect(told.append)
    return Shelf(versions, bench, ModelStore(root), wait, told)


def test_that_the_list_tells_where_each_came_from_and_how_good_it_is(shelf: Shelf) -> None:
    shelf.read()
    assert [
        one.name for one in shelf.versions.listed if one.path and one.path.parent == shelf.store.root
    ] == [
        "c",
        "b",
        "a",
    ]
    c = shelf.versions.named("c")
    assert c is not None
    name, _, parent, images, ap, gained = columns(c)
    assert (name, parent, images, ap, gained) == ("c", "b", "3", "0.500", "+0.400 (+0.010 … +0.200)")
    assert "0.500 on 7 held-out images" in facts(c)


def test_that_deleting_says_what_it_touches(shelf: Shelf) -> None:
    shelf.read()
    b = shelf.versions.named("b")
    assert b is not None
    told = deleting(b, shelf.versions.listed, "b")
    assert "The model that was made from it stays." in told
    assert "going back would return to" in told
    assert "going back" not in deleting(b, (), "a")


def test_that_the_one_in_use_is_not_deleted_and_another_is(shelf: Shelf) -> None:
    shelf.read()
    shelf.versions.activate("c")
    shelf.wait(lambda: shelf.versions.in_use == "c")
    shelf.versions.delete("c")
    assert shelf.told == ["c is in use: make another model active first."]
    shelf.versions.delete("b")
    shelf.wait(lambda: shelf.versions.named("b") is None)
    assert shelf.told[-1] == "b is deleted."
    assert not (shelf.store.root / "b.safetensors").exists()
    assert (shelf.store.root / "c.safetensors").exists()


def test_that_a_version_put_to_use_has_one_to_go_back_to(shelf: Shelf) -> None:
    shelf.versions.activate("b")
    shelf.wait(lambda: shelf.versions.in_use == "b")
    shelf.bench.models.go_back()
    shelf.wait(lambda: shelf.versions.in_use == "starter")


def test_that_a_new_name_is_followed_by_the_project_and_the_verdict(shelf: Shelf) -> None:
    shelf.bench.tuning.verdict = verdict(Decision.ACTIVATED)
    shelf.versions.activate("b")
    shelf.wait(lambda: shelf.versions.in_use == "b")
    shelf.versions.rename("b", "best")
    shelf.wait(lambda: shelf.versions.in_use == "best")
    project = shelf.bench.desk.project
    assert project is not None
    assert project.active_model().name == "best"
    shelf.wait(lambda: shelf.versions.named("c") is not None)
    c = shelf.versions.named("c")
    assert c is not None
    assert c.parent == "best"
    shelf.bench.tuning.rename_version("pictures-1", "mine")
    assert shelf.bench.tuning.verdict.new_name == "mine"


def test_that_nothing_that_a_training_may_need_is_renamed_or_deleted(shelf: Shelf) -> None:
    shelf.read()
    shelf.bench.learn()
    shelf.bench.hear(STARTED)
    shelf.versions.delete("a")
    shelf.versions.rename("a", "z")
    assert len(shelf.told) == 2
    assert all("A training is under way" in one for one in shelf.told)
    shelf.bench.end(Canceled)
    order = TrainOrder(shelf.bench.folder, base="a", name="later", gate=True, against="b")
    note(shelf.store.root, order, 5)
    (shelf.store.root / "training" / "later.restart").write_bytes(b"")
    for name in ("a", "b"):
        shelf.versions.delete(name)
        shelf.wait(lambda name=name: f"later needs '{name}'" in shelf.told[-1])
    assert {"a", "b"} <= {one.name for one in shelf.store.list()}


def test_that_two_are_measured_one_comparison_at_a_time(shelf: Shelf) -> None:
    found: list[Verdict] = []
    shelf.versions.compared.connect(found.append)
    shelf.versions.compare("b", "c")
    shelf.versions.compare("a", "c")
    engine = shelf.bench.engine
    ((order, (request, _)),) = engine.asked.items()
    assert request == Compare(shelf.bench.folder, "b", "c")
    engine.progressed.emit(Progress(order, 3, 8, 0, 1.0, 5.0))
    now = shelf.versions.comparison
    assert now is not None
    assert (now.done, now.total, now.seconds_left) == (3, 8, 5.0)
    engine.compared.emit(Compared(order + 1, verdict(Decision.KEPT)))
    assert found == [], "that was another's"
    engine.compared.emit(Compared(order, verdict(Decision.KEPT)))
    engine.ended.emit(Finished(order))
    assert found == [verdict(Decision.KEPT)]
    assert shelf.versions.comparison is None
    told = of_comparison(found[0])
    assert told.title == "pictures-1 is better than starter"
    assert "in use" not in told.words


def test_that_a_comparison_fails_with_a_sentence_and_ends_with_its_project(shelf: Shelf) -> None:
    shelf.versions.compare("b", "c")
    (order,) = shelf.bench.engine.asked
    shelf.bench.engine.ended.emit(Failed(order, "No image is held out yet."))
    assert shelf.told == ["No image is held out yet."]
    shelf.bench.engine.asked.clear()
    shelf.versions.compare("b", "c")
    (order,) = shelf.bench.engine.asked
    shelf.bench.desk.leave()
    assert order in shelf.bench.engine.canceled
    assert shelf.versions.comparison is None


@pytest.fixture
def dialog(shelf: Shelf, application: QApplication) -> Iterator[VersionsDialog]:
    bench = shelf.bench
    context = Context(
        bench.desk.editor,
        bench.desk,
        cast(Bridge, bench.engine),
        bench.proposals,
        bench.jobs,
        bench.models,
        bench.tuning,
        bench.models._settings,
        QWidget(),
        versions=shelf.versions,
    )
    parent = QWidget()
    made = VersionsDialog(parent, context)
    made.show()
    shelf.wait(made.list.topLevelItemCount)
    yield made
    made.close()
    parent.deleteLater()


def test_that_the_dialog_renames_notes_and_deletes_what_is_marked(
    dialog: VersionsDialog, shelf: Shelf
) -> None:
    assert dialog.marked == ["starter"], "the one in use"
    assert not dialog.details.delete.isEnabled()
    assert dialog.details.name.isReadOnly()
    dialog.mark("c")
    details = dialog.details
    details.notes.setText("after the second tray")
    details.notes.editingFinished.emit()
    shelf.wait(lambda: (one := shelf.versions.named("c")) and one.notes == "after the second tray")
    details.name.setFocus()
    details.name.setText("day two")
    QTest.keyClick(details.name, Qt.Key.Key_Return)
    shelf.wait(lambda: shelf.told)
    assert details.name.text() == "c", "a name that cannot be goes back to the old one"
    details.name.setText("day-two")
    QTest.keyClick(details.name, Qt.Key.Key_Return)
    shelf.wait(lambda: shelf.versions.named("day-two"))
    dialog.mark("b")
    details.delete.click()
    assert "b (" in dialog.asked.text()
    dialog.keep.click()
    assert not dialog.question.isVisible()
    details.delete.click()
    dialog.confirm.click()
    shelf.wait(lambda: shelf.versions.named("b") is None)
    assert dialog.told.text() == "b is deleted."


def test_that_two_marked_versions_tell_what_differs_and_are_measured_older_first(
    dialog: VersionsDialog, shelf: Shelf
) -> None:
    dialog.mark("b", "c")
    shelf.wait(lambda: "0.4" in dialog.details.facts.text())
    assert "steps" in dialog.details.facts.text()
    dialog.details.compare.click()
    ((request, _),) = shelf.bench.engine.asked.values()
    assert request == Compare(shelf.bench.folder, "b", "c")
    assert dialog.job.isVisible()
    assert not dialog.details.compare.isEnabled()
    dialog.stop.click()
    assert dialog.job.isHidden()
    assert dialog.told.text() == "The comparison was stopped."


def test_that_a_dot_of_the_plot_marks_its_version(dialog: VersionsDialog, shelf: Shelf) -> None:
    names = [one.name for one in dialog.plot.points]
    assert names == [], "those are of a project called cells"
    shelf.versions.curve = tuple(one for one in shelf.versions.listed[::-1] if one.ap is not None)
    dialog.refresh()
    second = dialog.plot.points[1]
    assert (second.name, second.ap, second.low, second.high) == ("c", 0.5, 0.11, 0.5)
    QTest.mouseClick(dialog.plot, Qt.MouseButton.LeftButton, pos=dialog.plot.place_of(second).toPoint())
    assert dialog.marked == ["c"]


def test_that_an_export_is_told_of(shelf: Shelf, tmp_path: Path) -> None:
    shelf.versions.export("b", tmp_path / "out")
    shelf.wait(lambda: shelf.told)
    assert shelf.told == [f"b is copied to {tmp_path / 'out' / 'b.safetensors'}."]


@pytest.mark.parametrize(
    ("low", "difference", "high", "title"),
    [
        (0.01, 0.05, 0.09, "b is better than a"),
        (-0.09, -0.05, -0.01, "b is worse than a"),
        (-0.01, 0.02, 0.05, "b seems better than a"),
        (-0.05, -0.02, 0.01, "b seems worse than a"),
        (-0.02, 0.0, 0.02, "b is as good as a"),
    ],
)
def test_that_a_comparison_says_no_more_than_the_interval(
    low: float, difference: float, high: float, title: str
) -> None:
    found = replace(
        verdict(Decision.KEPT), old_name="a", new_name="b", low=low, difference=difference, high=high
    )
    told = of_comparison(found)
    assert told.title == title
    assert told.is_good is (low > 0)
    assert told.heads == ("a", "b")


def test_that_what_was_not_measured_is_said_so_and_nothing_has_no_sign(shelf: Shelf) -> None:
    told = of_comparison(replace(verdict(Decision.KEPT), old=None, new=None))
    assert told.title == "starter and pictures-1 could not be measured"
    shelf.read()
    c = shelf.versions.named("c")
    assert c is not None
    assert c.verdict is not None
    flat = replace(c, verdict=replace(c.verdict, difference=-0.0201, low=-0.0601, high=-0.0001))
    assert gain(flat) == "−0.020 (−0.060 … 0.000)"
    assert gain(replace(c, verdict=None)) == ""
