"""The images as rows of a list, and how a row is drawn. Knows the desk and thumbnails; decodes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from PySide6.QtCore import (
    QModelIndex,
    QObject,
    QPersistentModelIndex,
    QRect,
    QSize,
    QStringListModel,
    Qt,
)
from PySide6.QtGui import QColor, QPainter, QPainterPath
from PySide6.QtWidgets import QStyle, QStyledItemDelegate, QStyleOptionViewItem

from engine.document.records import ImageState, MediaItem, ReviewState
from engine.media.scan import is_video_name
from engine.project.facts import EMPTY
from gui import counts, theme
from gui.counts import counted
from gui.desk import Desk
from gui.panels.media_filter import Columns, Filter, Row, Sort
from gui.panels.parts import elided
from gui.panels.thumbnails import HEIGHT, WIDTH, Thumbnails

Index = QModelIndex | QPersistentModelIndex
ROW_HEIGHT = HEIGHT + theme.SPACE


class MediaModel(QStringListModel):
    """The listed images; `ids` by row.

    A list of strings in Qt's own model: laying out 100,000 rows asks it 200,000 times how many there are,
    and each question to Python would take longer than to draw the list.
    """

    def __init__(self, desk: Desk, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self.desk = desk
        self.ids: list[int] = []
        self.columns = Columns((), EMPTY, 0.0)
        self._rows: dict[int, int] = {}

    def data(self, index: Index, role: int = Qt.ItemDataRole.DisplayRole) -> object:
        if role in (Qt.ItemDataRole.ToolTipRole, Qt.ItemDataRole.AccessibleTextRole) and index.isValid():
            return "\n".join((self.item(index.row()).path, *self._facts(index.row())))
        return super().data(index, role)

    def item(self, row: int) -> MediaItem:
        """The image of a row."""
        return self.desk.item(self.ids[row])

    def state(self, row: int) -> ImageState:
        """How the image of a row stands."""
        return self.desk.state_of(self.ids[row])

    def known(self, row: int) -> Row:
        """What is known of the instances of a row's image."""
        return self.columns.row(self.ids[row])

    def row_of(self, media_id: int) -> int | None:
        """The row of an image; None where it is not listed."""
        return self._rows.get(media_id)

    def list_anew(self, wanted: Filter, sort: Sort) -> None:
        """Filter and sort; the views must be told what stays selected afterwards."""
        columns = self.columns
        ids = columns.listed(wanted, sort, self.desk.list.states)
        self.ids = ids
        if len(ids) == len(columns.paths) and sort is Sort.NAME:
            # As a folder opens: of 100,000 rows nothing is worked out twice.
            self._rows, paths = columns.places, columns.paths
        else:
            self._rows = {media_id: row for row, media_id in enumerate(ids)}
            paths = [columns.paths[columns.places[media_id]] for media_id in ids]
        self.setStringList(paths)

    def touch(self, media_ids: Sequence[int]) -> None:
        """What is known of these images is another."""
        for media_id in media_ids:
            row = self._rows.get(media_id)
            if row is not None:
                index = self.index(row)
                self.dataChanged.emit(index, index)

    def touch_all(self) -> None:
        """What is known of any image may be another."""
        if self.ids:
            self.dataChanged.emit(self.index(0), self.index(len(self.ids) - 1))

    def counted(self, row: int) -> str:
        """How many instances, in words."""
        known = self.known(row)
        if known.count == 0:
            none = {ReviewState.REVIEWED: self.tr("empty"), ReviewState.PROPOSED: self.tr("No proposals")}
            return none.get(self.state(row).review, "")
        if known.proposals == known.count:
            return counted(known.count, self.tr("1 proposal"), self.tr("{} proposals"))
        if known.proposals:
            own = known.count - known.proposals
            return f"{own:,} + {counted(known.proposals, self.tr('1 proposal'), self.tr('{} proposals'))}"
        return counts.instances(known.count)

    def _facts(self, row: int) -> list[str]:
        state, known, item = self.state(row), self.known(row), self.item(row)
        words = [state_words(self, state.review)]
        if self.counted(row):
            words.append(self.counted(row))
        if known.uncertainty is not None:
            words.append(self.tr("Uncertainty {:.0%}").format(known.uncertainty))
        if state.skip:
            words.append(self.tr("Put off for later"))
        if state.flags:
            words.append(self.tr("Flags: {}").format(", ".join(state.flags)))
        if item.missing:
            words.append(self.tr("The file is gone; its instances are kept"))
        return words


def state_words(owner: QObject, review: ReviewState) -> str:
    """A review state in words."""
    match review:
        case ReviewState.UNLABELLED:
            return owner.tr("Unlabelled")
        case ReviewState.PROPOSED:
            return owner.tr("Proposed")
        case ReviewState.REVIEWED:
            return owner.tr("Reviewed")


class MediaDelegate(QStyledItemDelegate):
    """Draws a row: thumbnail, name, and a line with state, count, folder and badges."""

    def __init__(self, model: MediaModel, thumbnails: Thumbnails, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._model = model
        self._thumbnails = thumbnails

    def sizeHint(self, _option: QStyleOptionViewItem, _index: Index) -> QSize:  # noqa: N802
        return QSize(180, ROW_HEIGHT)

    def paint(self, painter: QPainter, option: QStyleOptionViewItem, index: Index) -> None:
        row, now = index.row(), theme.colors()
        rect: QRect = option.rect
        state: QStyle.StateFlag = option.state
        item = self._model.item(row)
        painter.save()
        if state & QStyle.StateFlag.State_Selected:
            painter.fillRect(rect, QColor(now.selection))
        elif state & QStyle.StateFlag.State_MouseOver:
            painter.fillRect(rect, QColor(now.window))
        current = self._model.desk.current
        if current is not None and current.id == item.id:
            painter.fillRect(QRect(rect.left(), rect.top(), 3, rect.height()), QColor(now.accent))
        box = QRect(rect.left() + theme.SPACE, rect.top() + theme.TIGHT, WIDTH, HEIGHT)
        self._paint_thumbnail(painter, box, item)
        left = box.right() + 1 + theme.SPACE
        text = QRect(left, box.top() + 4, rect.right() - left - theme.SPACE, HEIGHT - 8)
        self._paint_text(painter, text, row, item)
        painter.restore()

    def _paint_thumbnail(self, painter: QPainter, box: QRect, item: MediaItem) -> None:
        now = theme.colors()
        found = self._thumbnails.get(item.id)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing)
        shape = QPainterPath()
        if found is None:
            shape.addRoundedRect(box, 4, 4)
            painter.fillPath(shape, QColor(now.raised))
            name = "missing" if item.missing else "image"
            icon = theme.icon_pixmap(name, now.disabled, 20, painter.device().devicePixelRatio())
            painter.drawPixmap(box.center().x() - 9, box.center().y() - 9, icon)
        else:
            size = found.deviceIndependentSize().toSize()
            place = QRect(box.topLeft(), size)
            place.moveCenter(box.center())
            shape.addRoundedRect(place, 4, 4)
            painter.setClipPath(shape)
            if item.missing:
                painter.setOpacity(0.4)
            painter.drawPixmap(place, found)
            painter.setOpacity(1.0)
            painter.setClipping(False)
        painter.setRenderHint(QPainter.RenderHint.Antialiasing, False)

    def _paint_text(self, painter: QPainter, room: QRect, row: int, item: MediaItem) -> None:
        now, state = theme.colors(), self._model.state(row)
        folder, _, name = item.path.rpartition("/")
        if is_video_name(item.path):
            name = self._model.tr("{}, frame {:,}").format(name, item.frame)
        elif item.frame:
            name = self._model.tr("{}, page {}").format(name, item.frame + 1)
        half = room.height() // 2
        top = QRect(room.left(), room.top(), room.width(), half)
        below = QRect(room.left(), room.top() + half, room.width(), half)
        middle = Qt.AlignmentFlag.AlignVCenter | Qt.AlignmentFlag.AlignLeft
        painter.setPen(QColor(now.disabled if item.missing else now.text))
        painter.drawText(top, middle, elided(painter, name, top.width(), Qt.TextElideMode.ElideMiddle))
        x = below.left()
        for icon, color in _badges(state, missing=item.missing):
            drawn = theme.icon_pixmap(icon, color, 14, painter.device().devicePixelRatio())
            painter.drawPixmap(x, below.center().y() - 6, drawn)
            x += 14 + theme.TIGHT
        font = painter.font()
        font.setPointSizeF(font.pointSizeF() * 0.9)
        painter.setFont(font)
        painter.setPen(QColor(now.muted))
        words = self._model.counted(row) or state_words(self._model, state.review)
        if folder:
            words = f"{words}  ·  {folder}"
        rest = QRect(x, below.top(), below.right() - x + 1, half)
        painter.drawText(rest, middle, elided(painter, words, rest.width(), Qt.TextElideMode.ElideRight))


def _badges(state: ImageState, *, missing: bool) -> list[tuple[str, str]]:
    """Icons and their colours: what is to be seen of an image at a glance."""
    now = theme.colors()
    badges = []
    if missing:
        badges.append(("warning", now.warning))
    match state.review:
        case ReviewState.REVIEWED:
            badges.append(("accept", now.good))
        case ReviewState.PROPOSED:
            badges.append(("predict", now.accent))
        case ReviewState.UNLABELLED:
            pass
    if state.skip:
        badges.append(("skip", now.warning))
    if state.flags:
        badges.append(("flag", now.danger))
    return badges
