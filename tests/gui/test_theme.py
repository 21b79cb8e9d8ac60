"""The theme can be read in light and dark, and its icons are one set."""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import product

import pytest
from defusedxml import ElementTree
from PySide6.QtCore import QSize, Qt
from PySide6.QtGui import QColor, QIcon
from PySide6.QtTest import QTest
from PySide6.QtWidgets import (
    QApplication,
    QComboBox,
    QLineEdit,
    QListView,
    QMenu,
    QPushButton,
    QSlider,
    QToolButton,
    QTreeView,
    QVBoxLayout,
    QWidget,
)

from gui import theme
from gui.theme import DARK, LIGHT, Colors

SVGS = sorted(theme.ICONS.glob("*.svg"))


@pytest.fixture
def dressed(application: QApplication) -> Iterator[QApplication]:
    yield application
    theme.theme().put_on(LIGHT)


def luminance(color: str) -> float:
    """Relative luminance (WCAG 2.2)."""
    parts = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("colors", [LIGHT, DARK], ids=["light", "dark"])
def test_that_text_can_be_read_on_every_ground(colors: Colors) -> None:
    grounds = (colors.window, colors.surface, colors.raised, colors.selection)
    for text, ground in product((colors.text, colors.muted), grounds):
        assert contrast(text, ground) >= 4.5, (text, ground)
    for text, ground in product((colors.danger, colors.warning, colors.good), grounds[:2]):
        assert contrast(text, ground) >= 4.5, (text, ground)
    assert contrast(colors.on_accent, colors.accent) >= 4.5
    assert contrast(colors.accent, colors.window) >= 3


def test_that_every_icon_is_of_the_one_set(dressed: QApplication) -> None:
    edge = [(x, y) for x in range(24) for y in (0, 23)] + [(x, y) for x in (0, 23) for y in range(24)]
    for path in SVGS:
        root = ElementTree.parse(path).getroot()
        assert root is not None
        assert root.get("viewBox") == "0 0 24 24", path
        assert (root.get("stroke"), root.get("stroke-width")) == ("currentColor", "1.75"), path
        text = path.read_text(encoding="utf-8")
        assert set(re.findall(r'(?:fill|stroke)="([^"0-9]+)"', text)) <= {"none", "currentColor"}, path
        drawn = theme.icon(path.stem).pixmap(QSize(24, 24)).toImage()
        seen = sum(drawn.pixelColor(x, y).alpha() > 128 for x in range(24) for y in range(24))
        assert 10 < seen < 400, path
        assert not any(drawn.pixelColor(x, y).alpha() > 60 for x, y in edge), f"{path} is cut off"


@pytest.mark.parametrize("ratio", [1.0, 1.5, 2.0])
def test_that_icons_are_sharp_on_screens_of_any_pixel_ratio(dressed: QApplication, ratio: float) -> None:
    drawn = theme.icon("plus").pixmap(QSize(20, 20), ratio)
    assert drawn.devicePixelRatio() == ratio
    assert drawn.size() == QSize(20, 20) * ratio


def test_that_icons_follow_theme_and_state(dressed: QApplication) -> None:
    one = theme.icon("plus")

    def middle(mode: QIcon.Mode = QIcon.Mode.Normal, state: QIcon.State = QIcon.State.Off) -> str:
        return one.pixmap(QSize(24, 24), mode, state).toImage().pixelColor(12, 12).name()

    for colors in (LIGHT, DARK):
        theme.theme().put_on(colors)
        assert middle() == colors.text
        assert middle(QIcon.Mode.Disabled) == colors.disabled
        assert middle(state=QIcon.State.On) == colors.accent


def test_that_a_person_may_choose_and_panels_are_told(dressed: QApplication) -> None:
    told: list[Colors] = []
    theme.theme().changed.connect(lambda: told.append(theme.colors()))
    theme.choose("dark")
    assert told[-1] is DARK
    assert dressed.palette().window().color() == QColor(DARK.window)
    theme.choose("light")
    assert told[-1] is LIGHT
    theme.choose("system")
    assert theme.colors() is (DARK if dressed.styleHints().colorScheme() is Qt.ColorScheme.Dark else LIGHT)


def test_that_every_icon_a_command_names_is_there() -> None:
    from gui.commands import load_all
    from gui.commands.registry import COMMANDS

    load_all()
    names = {one.icon for one in COMMANDS.values() if one.icon}
    assert names <= {path.stem for path in SVGS}


@pytest.mark.parametrize(
    "kind", [QListView, QTreeView, QSlider, QLineEdit, QPushButton, QComboBox, QToolButton]
)
def test_that_what_has_the_keyboard_is_seen_to_have_it(
    dressed: QApplication, kind: type[QWidget], request: pytest.FixtureRequest
) -> None:
    theme.theme().put_on(LIGHT)
    window = QWidget()
    request.addfinalizer(window.deleteLater)
    layout = QVBoxLayout(window)
    asked, other = kind(), QPushButton()
    for one in (asked, other):
        layout.addWidget(one)
    window.show()
    window.activateWindow()
    other.setFocus()
    dressed.processEvents()
    before = asked.grab().toImage()
    asked.setFocus(Qt.FocusReason.TabFocusReason)
    dressed.processEvents()
    accent = QColor(LIGHT.accent)
    after = asked.grab().toImage()
    seen = sum(
        after.pixelColor(x, y) == accent != before.pixelColor(x, y)
        for x in range(after.width())
        for y in range(after.height())
    )
    assert seen > after.width(), "a line around it"
    window.close()


def test_that_the_window_follows_the_systems_scheme_while_it_runs(dressed: QApplication) -> None:
    theme.apply(dressed)
    changed = dressed.styleHints().colorSchemeChanged
    changed.emit(Qt.ColorScheme.Dark)
    assert dressed.palette().window().color() == QColor(DARK.window)
    changed.emit(Qt.ColorScheme.Light)
    assert dressed.palette().window().color() == QColor(LIGHT.window)
    changed.disconnect(theme._follow)


def test_that_a_button_with_a_menu_gets_a_line_around_it_and_no_second_one_within(
    dressed: QApplication, request: pytest.FixtureRequest
) -> None:
    theme.apply(dressed)
    window = QWidget()
    request.addfinalizer(window.deleteLater)
    layout = QVBoxLayout(window)
    other, asked = QPushButton(), QPushButton("all")
    asked.setMenu(QMenu(asked))
    for one in (other, asked):
        layout.addWidget(one)
    window.show()
    window.activateWindow()
    other.setFocus()
    inside = asked.rect().adjusted(4, 4, -4, -4)
    dressed.processEvents()
    before = asked.grab(inside).toImage()
    QTest.keyClick(other, Qt.Key.Key_Tab)
    dressed.processEvents()
    assert asked.hasFocus()
    assert asked.grab(inside).toImage() == before
    dressed.styleHints().colorSchemeChanged.disconnect(theme._follow)
    window.close()
