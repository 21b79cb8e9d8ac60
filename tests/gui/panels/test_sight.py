"""Sliders of sight act at once, follow the editor, and go back."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest
from PySide6.QtWidgets import QApplication

from gui.editor import Editor, Sight
from gui.panels.sight import SightPanel


@pytest.fixture
def editor(application: QApplication) -> Editor:
    return Editor()


@pytest.fixture
def panel(editor: Editor) -> Iterator[SightPanel]:
    made = SightPanel(editor)
    made.show()
    yield made
    made.close()


def test_that_each_dial_sets_its_share_of_sight(panel: SightPanel, editor: Editor) -> None:
    for dial, name, value in (
        (panel.opacity, "opacity", 0.8),
        (panel.brightness, "brightness", -0.5),
        (panel.contrast, "contrast", 0.25),
        (panel.gamma, "gamma", 2.5),
    ):
        dial.number.setValue(value)
        assert getattr(editor.sight, name) == pytest.approx(value)
    panel.opacity.slider.setValue(0)
    assert editor.sight.opacity == 0.0
    panel.gamma.slider.setValue(200)
    assert editor.sight.gamma == pytest.approx(5.0)
    panel.outline.setChecked(True)
    assert editor.sight.outline_only


def test_that_the_middle_of_gamma_changes_nothing(panel: SightPanel, editor: Editor) -> None:
    panel.gamma.slider.setValue(150)
    assert editor.sight.gamma > 2
    panel.gamma.slider.setValue(100)
    assert editor.sight.gamma == 1.0


def test_that_the_panel_follows_the_editor_without_an_echo(panel: SightPanel, editor: Editor) -> None:
    seen: list[Sight] = []
    editor.sight_changed.connect(lambda: seen.append(editor.sight))
    wanted = replace(editor.sight, opacity=0.333, gamma=0.7, names=True)
    editor.see(wanted)
    assert seen == [wanted]
    assert panel.opacity.number.value() == pytest.approx(0.33)
    assert panel.names.isChecked()


def test_that_reset_leaves_what_is_hidden_and_the_score_alone(panel: SightPanel, editor: Editor) -> None:
    editor.see(replace(editor.sight, opacity=0.9, contrast=0.5, score=0.8, hidden_classes=frozenset({3})))
    panel.reset.click()
    assert editor.sight == replace(Sight(), score=0.8, hidden_classes=frozenset({3}))
