"""The model picker: what each model knows, and the download of one that is not here, from a local server."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import pytest
from PySide6.QtWidgets import QApplication, QWidget

from engine.models.families import architectures
from engine.models.spec import NetworkSpec
from engine.models.ssd import SSDS
from engine.models.store import ListedModel, ModelState, default_store
from gui.bridge import Bridge
from gui.desk import Desk
from gui.dialogs.models import ModelDialog, in_brief
from gui.editor import Editor
from gui.models import Models
from gui.proposals import Proposals
from gui.settings import Settings
from tests.engine.models import conftest
from tests.engine.models.conftest import TINY
from tests.engine.models.published import Published
from tests.engine.models.server import FileServer
from tests.gui.making import Engine

Wait = Callable[..., None]

_tiny_architecture, server = conftest._tiny_architecture, conftest.server
NAME = TINY.architecture


@dataclass
class Picker:
    """Somebody in front of the dialog."""

    dialog: ModelDialog
    models: Models
    wait: Wait

    @property
    def rows(self) -> list[str]:
        return [self.dialog.list.item(row).text() for row in range(self.dialog.list.count())]

    def mark(self, name: str) -> None:
        self.wait(lambda: any(row.startswith(name) for row in self.rows))
        row = next(n for n, text in enumerate(self.rows) if text.startswith(name))
        self.dialog.list.setCurrentRow(row)

    def seen(self, widget: QWidget) -> bool:
        return not widget.isHidden()


@pytest.fixture
def published(tmp_path: Path, server: FileServer, monkeypatch: pytest.MonkeyPatch) -> Published:
    return Published(tmp_path / "publisher", server, monkeypatch, NetworkSpec(NAME, 90))


@pytest.fixture
def picker(application: QApplication, published: Published, tmp_path: Path, wait: Wait) -> Iterator[Picker]:
    settings = Settings(tmp_path / "settings.json")
    editor = Editor()
    desk = Desk(editor)
    proposals = Proposals(editor, desk, cast(Bridge, Engine()), settings)
    models = Models(proposals, desk, settings)
    parent = QWidget()
    dialog = ModelDialog(parent, models)
    yield Picker(dialog, models, wait)
    models.stop()
    desk.close()
    parent.deleteLater()


def test_that_a_detector_without_masks_says_so() -> None:
    for architecture in (*architectures(), *SSDS):
        listed = ListedModel(architecture, ModelState.AVAILABLE, size=10**6)
        makes_masks = architecture in architectures() and architectures()[architecture].has_masks
        assert ("boxes alone" in in_brief(listed)) is not makes_masks


def test_that_the_starter_says_what_it_knows_and_how_well(picker: Picker) -> None:
    picker.mark("starter")
    assert "classes" in picker.rows[0]
    assert "mask AP 0." in picker.rows[0]
    assert "in use" in picker.rows[0]
    assert "Knows" in picker.dialog._facts.text()
    assert picker.dialog.use.isEnabled()
    assert not picker.seen(picker.dialog.fetch)


def test_that_a_model_that_is_not_here_is_fetched_with_progress_checked_and_used(
    picker: Picker, published: Published, server: FileServer
) -> None:
    picker.mark(NAME)
    dialog = picker.dialog
    assert "to download" in dialog.list.currentItem().text()
    assert not dialog.use.isEnabled()
    far: list[int] = []
    picker.models.changed.connect(lambda: far.append(dialog._bar.value() if picker.models.download else -1))
    dialog.fetch.click()
    assert picker.seen(dialog._bar)
    assert picker.seen(dialog.stop)
    assert not picker.seen(dialog.fetch)
    picker.wait(lambda: picker.models.chosen == NAME)
    assert max(far) == len(published.content) >> 10
    assert default_store().resolve(NAME).card.training["file_sha256"] == published.sha256
    picker.wait(dialog.use.isEnabled)
    assert not picker.seen(dialog._bar)
    assert dialog._problem.text() == ""


def test_that_a_stopped_download_says_so_and_goes_on_where_it_was(
    picker: Picker, published: Published, server: FileServer
) -> None:
    picker.mark(NAME)
    half = len(published.content) // 2

    def kept() -> int:
        return sum(part.stat().st_size for part in default_store().root.rglob("*.part"))

    server.does.drops = [half]  # and the next try comes a second later
    picker.dialog.fetch.click()
    picker.wait(lambda: kept() == half)
    picker.dialog.stop.click()
    picker.wait(lambda: picker.models.download is None)
    assert "goes on where it stopped" in picker.dialog._problem.text()
    assert picker.models.chosen != NAME
    assert picker.seen(picker.dialog.fetch)
    picker.dialog.fetch.click()
    picker.wait(lambda: picker.models.chosen == NAME)
    assert server.asked[-1].range == f"bytes={half}-"


def test_that_a_file_that_is_not_the_expected_one_is_refused_with_what_to_do(
    picker: Picker, published: Published, server: FileServer
) -> None:
    picker.mark(NAME)
    server.does.content = bytes(len(published.content))
    picker.dialog.fetch.click()
    picker.wait(lambda: picker.models.download is None)
    said = picker.dialog._problem.text()
    assert "not the file that was expected" in said
    assert "try again" in said
    assert picker.seen(picker.dialog.fetch)
    assert picker.models.chosen != NAME
    assert all(model.name != NAME or model.version is None for model in picker.models.listed)
