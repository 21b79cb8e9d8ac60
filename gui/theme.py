"""How the window looks: colours for light and dark, spacing, and icons tinted with them.

The colours follow the system's scheme while the program runs; whoever paints asks `colors()` at that
moment and keeps none. Knows no window and no panel.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from pathlib import Path

from PySide6.QtCore import QByteArray, QObject, QPoint, QRect, QRectF, QSize, Qt, Signal
from PySide6.QtGui import (
    QColor,
    QGuiApplication,
    QIcon,
    QIconEngine,
    QPainter,
    QPalette,
    QPixmap,
)
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication, QStyleFactory

ICONS = Path(__file__).resolve().parents[1] / "resources" / "icons"
_MARKS = ICONS.parent / "theme"  # marks of the style sheet, which cannot tint: one for each scheme

#: Distances in device-independent pixels; nothing lies at another distance.
TIGHT, SPACE, WIDE = 4, 8, 16
ICON_SIZE = 20
_STANDARD_SIZES = (16, ICON_SIZE, 24, 32)


@dataclass(frozen=True, slots=True)
class Colors:
    """The colours of one scheme as "#rrggbb". Text on `window`, `surface` and `raised` has 4.5:1 or more.

    window: behind panels. surface: lists and fields. raised: buttons and the row under the pointer.
    canvas: behind the picture. accent: what is selected or primary, the only colour beside the last three.
    """

    is_dark: bool
    window: str
    surface: str
    raised: str
    canvas: str
    line: str
    text: str
    muted: str
    disabled: str
    accent: str
    on_accent: str
    selection: str
    danger: str
    warning: str
    good: str


LIGHT = Colors(
    is_dark=False,
    window="#f3f4f6",
    surface="#ffffff",
    raised="#e9ebef",
    canvas="#d5d8dd",
    line="#d3d7de",
    text="#1c2026",
    muted="#59616d",
    disabled="#9aa1ac",
    accent="#0b6e8f",
    on_accent="#ffffff",
    selection="#d3e8f0",
    danger="#b3261e",
    warning="#8a5a00",
    good="#1f7a3d",
)
DARK = Colors(
    is_dark=True,
    window="#202327",
    surface="#191c1f",
    raised="#2d3137",
    canvas="#121416",
    line="#393e45",
    text="#e4e7eb",
    muted="#a1a9b5",
    disabled="#666e79",
    accent="#4fb4d6",
    on_accent="#0b1a20",
    selection="#1c3b47",
    danger="#f2867e",
    warning="#e0b050",
    good="#74c98d",
)


class Theme(QObject):
    """The one look of the program. `changed` comes after palette and style sheet are in."""

    changed = Signal()

    def __init__(self) -> None:
        super().__init__()
        self.colors = LIGHT

    def put_on(self, colors: Colors) -> None:
        """Give the application these colours."""
        app = QApplication.instance()
        assert isinstance(app, QApplication)
        self.colors = colors
        app.setPalette(_palette(colors))
        app.setStyleSheet(_sheet(colors))
        self.changed.emit()


@functools.cache
def theme() -> Theme:
    """The one theme; for its `changed`."""
    return Theme()


def colors() -> Colors:
    """The colours as they are now."""
    return theme().colors


def apply(app: QApplication) -> None:
    """Dress the application, now and whenever the system's scheme changes."""
    style = QStyleFactory.create("Fusion")
    assert style is not None
    app.setStyle(style)
    hints = app.styleHints()
    hints.colorSchemeChanged.connect(_follow)
    _follow(hints.colorScheme())


def choose(scheme: str) -> None:
    """Take "light" or "dark" in the place of the system's scheme; "system" follows it again."""
    schemes = {"light": Qt.ColorScheme.Light, "dark": Qt.ColorScheme.Dark}
    wanted = schemes.get(scheme, Qt.ColorScheme.Unknown)
    hints = QGuiApplication.styleHints()
    hints.setColorScheme(wanted)
    # Some platforms (offscreen, old desktops) know no scheme and do not answer.
    _follow(hints.colorScheme() if wanted is Qt.ColorScheme.Unknown else wanted)


def _follow(scheme: Qt.ColorScheme) -> None:
    wanted = DARK if scheme is Qt.ColorScheme.Dark else LIGHT
    theme().put_on(wanted)


# Icons


def icon(name: str) -> QIcon:
    """The icon `resources/icons/<name>.svg` in the colours of the moment. Raises FileNotFoundError."""
    return QIcon(_TintedIcon(_svg(name)))


@functools.cache
def _svg(name: str) -> str:
    return (ICONS / f"{name}.svg").read_text(encoding="utf-8")


class _TintedIcon(QIconEngine):
    """Draws an SVG whose lines are `currentColor` in the colour that fits the icon's mode."""

    def __init__(self, svg: str) -> None:
        super().__init__()
        self._svg = svg
        self._drawn: dict[tuple[str, int, int], QPixmap] = {}

    def clone(self) -> QIconEngine:
        return _TintedIcon(self._svg)

    def paint(self, painter: QPainter, rect: QRect, mode: QIcon.Mode, state: QIcon.State) -> None:
        ratio = painter.device().devicePixelRatio()
        painter.drawPixmap(rect, self._pixmap(rect.size() * ratio, mode, state))

    def pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        return QPixmap(self._pixmap(size, mode, state))

    def scaledPixmap(  # noqa: N802
        self, size: QSize, mode: QIcon.Mode, state: QIcon.State, scale: float
    ) -> QPixmap:
        drawn = QPixmap(self._pixmap(size * scale, mode, state))
        drawn.setDevicePixelRatio(scale)
        return drawn

    def availableSizes(  # noqa: N802
        self,
        mode: QIcon.Mode = QIcon.Mode.Normal,  # noqa: ARG002
        state: QIcon.State = QIcon.State.Off,  # noqa: ARG002
    ) -> list[QSize]:
        return [QSize(side, side) for side in _STANDARD_SIZES]

    def _pixmap(self, size: QSize, mode: QIcon.Mode, state: QIcon.State) -> QPixmap:
        color = _icon_color(mode, state)
        key = (color, size.width(), size.height())
        if key not in self._drawn:
            self._drawn[key] = _draw(self._svg, color, size)
        return self._drawn[key]


def _icon_color(mode: QIcon.Mode, state: QIcon.State) -> str:
    now = colors()
    if mode is QIcon.Mode.Disabled:
        return now.disabled
    return now.accent if state is QIcon.State.On else now.text


def icon_pixmap(name: str, color: str, side: int, ratio: float = 1.0) -> QPixmap:
    """An icon in a colour of its own, for delegates. side: device-independent pixels."""
    return _cached_pixmap(name, color, side, ratio)


@functools.lru_cache(maxsize=256)
def _cached_pixmap(name: str, color: str, side: int, ratio: float) -> QPixmap:
    pixels = round(side * ratio)
    drawn = _draw(_svg(name), color, QSize(pixels, pixels))
    drawn.setDevicePixelRatio(ratio)
    return drawn


def _draw(svg: str, color: str, size: QSize) -> QPixmap:
    pixmap = QPixmap(size)
    pixmap.fill(Qt.GlobalColor.transparent)
    renderer = QSvgRenderer(QByteArray(svg.replace("currentColor", color).encode()))
    painter = QPainter(pixmap)
    side = min(size.width(), size.height())
    corner = QPoint((size.width() - side) // 2, (size.height() - side) // 2)
    renderer.render(painter, QRectF(corner.x(), corner.y(), side, side))
    painter.end()
    return pixmap


def swatch(color: str, side: int = 12, ratio: float = 1.0) -> QPixmap:
    """A class's colour as a rounded square with a thin edge that shows on any ground."""
    pixmap = QPixmap(round(side * ratio), round(side * ratio))
    pixmap.setDevicePixelRatio(ratio)
    pixmap.fill(Qt.GlobalColor.transparent)
    painter = QPainter(pixmap)
    paint_swatch(painter, QRectF(0, 0, side, side), color)
    painter.end()
    return pixmap


def swatch_icon(color: str) -> QIcon:
    """`swatch` for a row of a list: Qt would tint it where the row is marked."""
    made = QIcon()
    for mode in (QIcon.Mode.Normal, QIcon.Mode.Selected):
        made.addPixmap(swatch(color), mode)
    return made


def paint_swatch(painter: QPainter, rect: QRectF, color: str) -> None:
    """Paint what `swatch` gives."""
    painter.save()
    painter.setRenderHint(QPainter.RenderHint.Antialiasing)
    edge = QColor(color)
    edge = edge.lighter(135) if colors().is_dark else edge.darker(135)
    painter.setPen(edge)
    painter.setBrush(QColor(color))
    painter.drawRoundedRect(rect.adjusted(0.5, 0.5, -0.5, -0.5), 3, 3)
    painter.restore()


# Palette and style sheet


def _palette(now: Colors) -> QPalette:
    palette = QPalette()
    role, group = QPalette.ColorRole, QPalette.ColorGroup
    for of, color in (
        (role.Window, now.window),
        (role.WindowText, now.text),
        (role.Base, now.surface),
        (role.AlternateBase, now.window),
        (role.Text, now.text),
        (role.Button, now.raised),
        (role.ButtonText, now.text),
        (role.ToolTipBase, now.raised),
        (role.ToolTipText, now.text),
        (role.PlaceholderText, now.muted),
        (role.BrightText, now.danger),
        (role.Highlight, now.selection),
        (role.HighlightedText, now.text),
        (role.Accent, now.accent),
        (role.Link, now.accent),
        (role.LinkVisited, now.accent),
        (role.Light, now.surface),
        (role.Midlight, now.raised),
        (role.Mid, now.line),
        (role.Dark, now.line),
        (role.Shadow, now.canvas),
    ):
        palette.setColor(of, QColor(color))
    for of in (role.WindowText, role.Text, role.ButtonText, role.HighlightedText):
        palette.setColor(group.Disabled, of, QColor(now.disabled))
    return palette


def _sheet(now: Colors) -> str:  # long: it is one style sheet
    """What Fusion's palette cannot say: flat buttons, thin lines, quiet scroll bars."""

    def mark(name: str) -> str:
        return (_MARKS / f"{name}-{'dark' if now.is_dark else 'light'}.svg").as_posix()

    return f"""
    QToolTip {{ color: {now.text}; background: {now.raised}; border: 1px solid {now.line}; padding: 4px; }}
    QToolButton {{ border: 0; border-radius: 5px; padding: 4px; background: transparent; }}
    QToolButton:hover {{ background: {now.raised}; }}
    QToolButton:pressed, QToolButton:checked {{ background: {now.selection}; }}
    QToolButton:focus {{ border: 1px solid {now.accent}; padding: 3px; }}
    QToolButton::menu-indicator {{ image: none; }}
    QDialogButtonBox {{ dialogbuttonbox-buttons-have-icons: 0; }}
    QPushButton {{ border: 1px solid {now.line}; border-radius: 5px; padding: 5px 12px;
        background: {now.raised}; }}
    QPushButton:hover, QPushButton:focus {{ border-color: {now.accent}; outline: 0; }}
    QPushButton:pressed {{ background: {now.selection}; }}
    QPushButton:disabled {{ color: {now.disabled}; }}
    QPushButton[primary="true"] {{ background: {now.accent}; border-color: {now.accent};
        color: {now.on_accent}; }}
    QPushButton[primary="true"]:disabled {{ background: {now.raised}; border-color: {now.line};
        color: {now.disabled}; }}
    QLineEdit, QAbstractSpinBox, QComboBox {{ border: 1px solid {now.line}; border-radius: 5px;
        padding: 4px 6px; background: {now.surface}; color: {now.text};
        selection-background-color: {now.selection}; selection-color: {now.text}; }}
    QLineEdit:focus, QAbstractSpinBox:focus, QComboBox:focus {{ border-color: {now.accent}; }}
    QLineEdit:disabled, QAbstractSpinBox:disabled, QComboBox:disabled {{ color: {now.disabled}; }}
    QAbstractSpinBox QLineEdit, QComboBox QLineEdit {{ border: 0; padding: 0 4px; background: transparent; }}
    QAbstractSpinBox::up-button, QAbstractSpinBox::down-button {{ border: 0; width: 16px;
        background: transparent; }}
    QAbstractSpinBox::up-arrow {{ image: url({mark("up")}); width: 10px; height: 10px; }}
    QAbstractSpinBox::down-arrow {{ image: url({mark("down")}); width: 10px; height: 10px; }}
    QComboBox::drop-down {{ border: 0; width: 20px; }}
    QComboBox::down-arrow {{ image: url({mark("down")}); width: 12px; height: 12px; }}
    QComboBox QAbstractItemView {{ border: 1px solid {now.line}; background: {now.surface}; }}
    QCheckBox::indicator, QRadioButton::indicator, QAbstractItemView::indicator, QMenu::indicator {{
        width: 14px; height: 14px; border: 1px solid {now.muted}; border-radius: 4px;
        background: {now.surface}; }}
    QRadioButton::indicator {{ border-radius: 8px; }}
    QMenu::indicator {{ margin-left: 6px; }}
    QCheckBox::indicator:hover, QRadioButton::indicator:hover, QCheckBox:focus::indicator,
    QRadioButton:focus::indicator {{ border-color: {now.accent}; }}
    QCheckBox::indicator:checked, QAbstractItemView::indicator:checked, QMenu::indicator:checked {{
        background: {now.accent}; border-color: {now.accent}; image: url({mark("check")}); }}
    QRadioButton::indicator:checked {{ background: {now.accent}; border-color: {now.accent};
        image: url({mark("dot")}); }}
    QCheckBox::indicator:disabled, QRadioButton::indicator:disabled {{ border-color: {now.line}; }}
    QListView, QTreeView, QTableView {{ border: 1px solid {now.surface}; background: {now.surface};
        outline: 0; }}
    QListView:focus, QTreeView:focus, QTableView:focus {{ border-color: {now.accent}; }}
    QSlider {{ border: 1px solid transparent; border-radius: 5px; }}
    QSlider:focus {{ border-color: {now.accent}; }}
    QListWidget::item, QTreeWidget::item {{ padding: 3px 0; }}
    QMenu {{ background: {now.surface}; border: 1px solid {now.line}; padding: 4px; }}
    QMenu::item {{ padding: 5px 24px 5px 12px; border-radius: 4px; }}
    QMenu::item:selected {{ background: {now.selection}; color: {now.text}; }}
    QMenu::item:disabled {{ color: {now.disabled}; }}
    QMenu::separator {{ height: 1px; background: {now.line}; margin: 4px 8px; }}
    QMenu::icon {{ padding-left: 8px; }}
    QDockWidget {{ titlebar-close-icon: url({mark("close")}); titlebar-normal-icon: url({mark("float")}); }}
    QDockWidget::title {{ padding: 6px 8px; background: {now.window}; }}
    QDockWidget::close-button, QDockWidget::float-button {{ border: 0; border-radius: 4px;
        background: transparent; }}
    QDockWidget::close-button:hover, QDockWidget::float-button:hover {{ background: {now.raised}; }}
    QMainWindow::separator {{ width: 5px; height: 5px; background: {now.window}; }}
    QMainWindow::separator:hover {{ background: {now.selection}; }}
    QToolBar {{ background: {now.window}; border: 0; spacing: 2px; padding: 4px; }}
    QToolBar::separator:horizontal {{ width: 1px; background: {now.line}; margin: 6px 5px; }}
    QToolBar::separator:vertical {{ height: 1px; background: {now.line}; margin: 5px 6px; }}
    QTabBar::tab {{ padding: 6px 12px; border: 0; border-bottom: 2px solid transparent;
        background: transparent; color: {now.muted}; }}
    QTabBar::tab:selected {{ color: {now.text}; border-bottom-color: {now.accent}; }}
    QTabBar::tab:hover {{ color: {now.text}; }}
    QTabBar:focus {{ outline: 0; }}
    QTabBar::tab:focus {{ background: {now.selection}; }}
    QScrollBar:vertical {{ width: 10px; background: transparent; margin: 0; }}
    QScrollBar:horizontal {{ height: 10px; background: transparent; margin: 0; }}
    QScrollBar::handle {{ background: {now.line}; border-radius: 4px; margin: 1px; }}
    QScrollBar::handle:vertical {{ min-height: 28px; }}
    QScrollBar::handle:horizontal {{ min-width: 28px; }}
    QScrollBar::handle:hover {{ background: {now.disabled}; }}
    QScrollBar::add-line, QScrollBar::sub-line {{ width: 0; height: 0; }}
    QScrollBar::add-page, QScrollBar::sub-page {{ background: transparent; }}
    QLabel[role="muted"] {{ color: {now.muted}; }}
    QLabel[role="heading"] {{ font-weight: 600; }}
    QLabel[role="error"] {{ color: {now.danger}; }}
    """
