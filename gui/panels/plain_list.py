"""The images by name: stands in until the media list with thumbnails is there."""

from __future__ import annotations

from PySide6.QtCore import QAbstractListModel, QModelIndex, QPersistentModelIndex, Qt, Slot
from PySide6.QtWidgets import QListView

from gui.desk import Desk


class _Names(QAbstractListModel):
    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk

    def rowCount(self, _parent: QModelIndex | QPersistentModelIndex = QModelIndex()) -> int:  # noqa: N802, B008
        return len(self._desk.order)

    def data(self, index: QModelIndex | QPersistentModelIndex, role: int = 0) -> object:
        if role == Qt.ItemDataRole.DisplayRole:
            return self._desk.item(self._desk.order[index.row()]).path
        return None

    def reset(self) -> None:
        self.beginResetModel()
        self.endResetModel()


class PlainList(QListView):
    """A list of names."""

    def __init__(self, desk: Desk) -> None:
        super().__init__()
        self._desk = desk
        self._names = _Names(desk)
        self.setModel(self._names)
        self.setUniformItemSizes(True)
        self.clicked.connect(lambda index: desk.show(desk.order[index.row()]))
        desk.media_changed.connect(self._names.reset)
        desk.project_changed.connect(self._names.reset)
        desk.current_changed.connect(self._follow)

    @Slot()
    def _follow(self) -> None:
        current = self._desk.current
        if current is not None:
            self.setCurrentIndex(self._names.index(self._desk.order.index(current.id), 0))
