"""The main window: puts the parts together and does nothing itself."""

from __future__ import annotations

import base64
from collections.abc import Callable, Sequence
from pathlib import Path

from PySide6.QtCore import QByteArray, QMimeData, QSize, Qt, QTimer, Slot
from PySide6.QtGui import QCloseEvent, QDragEnterEvent, QDropEvent
from PySide6.QtWidgets import (
    QApplication,
    QDockWidget,
    QMainWindow,
    QMenu,
    QScrollArea,
    QSizePolicy,
    QStackedWidget,
    QTabWidget,
    QToolBar,
    QVBoxLayout,
    QWidget,
)

from engine.media.picture import Rgb
from engine.media.scan import is_video_name
from gui.actions import Actions
from gui.bridge import Bridge
from gui.canvas.view import CanvasView
from gui.commands import load_all
from gui.commands.registry import COMMANDS, Context
from gui.context_menu import show_menu
from gui.desk import Desk
from gui.dialogs.unsaved import may_leave
from gui.dialogs.verdict import show_comparison
from gui.disputes import Disputes
from gui.editor import Editor
from gui.exchange import Exchange
from gui.frames import Frames
from gui.jobs import Jobs
from gui.live import Live
from gui.models import Models
from gui.panels.camera import ACTIONS as CAMERA_ACTIONS
from gui.panels.camera import CameraBar
from gui.panels.classes import Classes
from gui.panels.instances import Instances
from gui.panels.jobs import JobsPanel
from gui.panels.media_list import MediaList
from gui.panels.notice import Notices
from gui.panels.parts import action_button
from gui.panels.proposals import ProposalsPanel
from gui.panels.quality import QualitySign
from gui.panels.review_bar import ACTIONS as REVIEW_ACTIONS
from gui.panels.review_bar import ReviewBar
from gui.panels.sight import SightPanel
from gui.panels.status import Status
from gui.panels.surveyor import Surveyor
from gui.panels.timeline import FIRST, MORE, Timeline
from gui.panels.training import ACTIONS as TRAINING_ACTIONS
from gui.panels.training import TrainingPanel
from gui.panels.training_sign import TrainingSign
from gui.panels.welcome import Message, Welcome
from gui.prompts import Prompts
from gui.proposals import Proposals
from gui.quality import Quality
from gui.review import Review
from gui.saving import Kept
from gui.screen import first_place
from gui.settings import Settings
from gui.tuning import Tuning
from gui.versions import Versions

_SIZE = QSize(1360, 860)
_END_SECONDS = 10.0  # for the worker to come to the end of its step when the window closes
_LAYOUT = 4  # one more when docks or bars come or go, so that an old layout is not forced upon them
_ASK_MS = 20
_TITLE_MS = 120  # a save takes less; the title need not flicker

load_all()


class MainWindow(QMainWindow):
    """Everything on one screen. `close` saves, ends the worker and the threads."""

    def __init__(self, settings: Settings) -> None:
        super().__init__()
        self.setObjectName("main")
        self.setGeometry(first_place(_SIZE, self.screen().availableGeometry()))
        self.setAcceptDrops(True)
        self.setDockNestingEnabled(True)
        self.setAttribute(Qt.WidgetAttribute.WA_DeleteOnClose)
        self.settings = settings
        self.editor = Editor()
        self.desk = Desk(self.editor)
        self.bridge = Bridge(self.desk.lend)
        self.proposals = Proposals(self.editor, self.desk, self.bridge, settings)
        self.prompts = Prompts(self.editor, self.desk, self.bridge, self.proposals)
        self.jobs = Jobs(self.desk, self.bridge, self.proposals)
        self.frames = Frames(self.desk)
        self.live = Live(self.desk, self.bridge, self.proposals)
        self.models = Models(self.proposals, self.desk, settings)
        self.tuning = Tuning(self.desk, self.bridge, self.jobs, self.models)
        self.canvas = CanvasView(self.editor)
        self.exchange = Exchange(self.desk)
        self.versions = Versions(self.desk, self.bridge, self.models, self.tuning)
        self.review = Review(self.desk, self.bridge, self.proposals, self.jobs)
        self.quality = Quality(self.desk)
        self.disputes = Disputes(self.editor, self.desk, self.bridge, self.proposals, self.review)
        self.context = Context(
            self.editor,
            self.desk,
            self.bridge,
            self.proposals,
            self.jobs,
            self.models,
            self.tuning,
            settings,
            self.canvas,
            frames=self.frames,
            live=self.live,
            exchange=self.exchange,
            versions=self.versions,
            review=self.review,
            disputes=self.disputes,
        )
        self.actions_ = Actions(self, self.canvas, self.context)
        self._title_soon = QTimer(self, interval=_TITLE_MS, singleShot=True)
        self._title_soon.timeout.connect(self._entitle)
        self._class_soon = QTimer(self, interval=_ASK_MS, singleShot=True)
        self._class_soon.timeout.connect(self._ask_class)
        self._build_middle()
        self._build_bars()
        self._build_docks()
        self._connect()
        self._restore()
        self._entitle()
        self.welcome.setFocus()  # else the search has the keyboard, and letters are no commands

    # Building

    def _build_middle(self) -> None:
        actions = self.actions_
        self.surveyor = Surveyor(self.desk)
        self.notices = Notices(
            self.desk,
            actions["file.save_again"],
            actions["image.accept_content"],
            self.exchange,
            actions["file.import_beside"],
        )
        self.welcome = Welcome(
            self.settings, [actions["file.open_folder"], actions["file.open_files"], actions["file.sample"]]
        )
        self.message = Message()
        self.stack = QStackedWidget()
        for page in (self.welcome, self.message, self.canvas):
            self.stack.addWidget(page)
        self.jobs_panel = JobsPanel(
            self.jobs, (actions["batch.cancel"], actions["batch.go_on"], actions["batch.undo"])
        )
        middle = QWidget()
        layout = QVBoxLayout(middle)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.setSpacing(0)
        layout.addWidget(self.notices)
        layout.addWidget(ReviewBar(self.review, self.disputes, [actions[id_] for id_ in REVIEW_ACTIONS]))
        layout.addWidget(self.stack, 1)
        self.timeline = Timeline(
            self.frames,
            self.desk,
            self.surveyor,
            [actions[id_] for id_ in FIRST],
            [actions[id_] for id_ in MORE],
        )
        layout.addWidget(self.timeline)
        layout.addWidget(CameraBar(self.live, [actions[id_] for id_ in CAMERA_ACTIONS]))
        layout.addWidget(self.jobs_panel)
        self.setCentralWidget(middle)

    def _build_bars(self) -> None:
        self.recent = QMenu(self.tr("Open &recent"))
        self.recent.aboutToShow.connect(self._fill_recent)
        self.actions_.fill(self.menuBar(), self.recent)
        tools = QToolBar(self.tr("Tools"))
        tools.setObjectName("tools")
        tools.setIconSize(QSize(22, 22))
        tools.setMovable(False)
        for id_ in COMMANDS:
            if id_.startswith("tool."):
                tools.addAction(self.actions_[id_])
        self.addToolBar(Qt.ToolBarArea.LeftToolBarArea, tools)
        bar = QToolBar(self.tr("Main"))
        bar.setObjectName("bar")
        bar.setIconSize(QSize(20, 20))
        bar.setMovable(False)
        groups = (
            ("file.open_folder",),
            ("edit.undo", "edit.redo"),
            ("image.previous", "image.next", "image.next_to_look_at", "review.next_worth"),
            ("predict.run", "predict.accept", "predict.reject", "predict.accept_all"),
            ("view.fit", "view.actual_size", "view.hide_all"),
            ("batch.label", "tune.learn"),
        )
        for number, group in enumerate(groups):
            if number:
                bar.addSeparator()
            for id_ in group:
                if id_ in self.actions_:
                    bar.addAction(self.actions_[id_])
        space = QWidget()
        space.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
        bar.addWidget(space)
        bar.addWidget(action_button(self.actions_["image.accept"], says=True))
        self.addToolBar(Qt.ToolBarArea.TopToolBarArea, bar)
        self.setStatusBar(Status(self.editor, self.desk))

    def _build_docks(self) -> None:
        left, right = Qt.DockWidgetArea.LeftDockWidgetArea, Qt.DockWidgetArea.RightDockWidgetArea
        self.media_list = MediaList(self.desk, self.surveyor, self.review)
        self.proposals_panel = ProposalsPanel(
            self.editor, self.proposals, self.models, self.actions_["predict.model"]
        )
        self.instances = Instances(self.editor)
        self.classes = Classes(self.editor, self.desk, self.surveyor)
        images = self._dock("images", self.tr("Images"), self.media_list, left)
        model = self._dock("model", self.tr("Model"), self.proposals_panel, right)
        display = QScrollArea()
        display.setFrameShape(QScrollArea.Shape.NoFrame)
        display.setWidgetResizable(True)
        display.setWidget(SightPanel(self.editor))
        sight = self._dock("sight", self.tr("Display"), display, right)
        instances = self._dock("instances", self.tr("Instances"), self.instances, right)
        classes = self._dock("classes", self.tr("Classes"), self.classes, right)
        below = Qt.DockWidgetArea.BottomDockWidgetArea
        self.training_panel = TrainingPanel(
            self.tuning, self.desk, self.quality, [self.actions_[id_] for id_ in TRAINING_ACTIONS]
        )
        self.training = self._dock("training", self.tr("Training"), self.training_panel, below)
        self.training.hide()
        self.training_sign = TrainingSign(self.tuning, self.training)
        signs = (self.training_sign, QualitySign(self.quality, self.training))
        for place, sign in enumerate(signs, start=1):
            self.statusBar().insertPermanentWidget(place, sign)
        self.setTabPosition(Qt.DockWidgetArea.RightDockWidgetArea, QTabWidget.TabPosition.North)
        self.tabifyDockWidget(model, sight)
        for dock in (model, sight):
            dock.setTitleBarWidget(QWidget(dock))  # the tab says it already
        model.raise_()
        self.resizeDocks([images, model], [260, 280], Qt.Orientation.Horizontal)
        self.resizeDocks([model, instances, classes], [260, 300, 260], Qt.Orientation.Vertical)
        panels = self.actions_.menu("View").addMenu(self.tr("&Panels"))
        for dock in (images, model, sight, instances, classes, self.training):
            panels.addAction(dock.toggleViewAction())
        for panel in (self.media_list, self.instances, self.classes):
            panel.asked.connect(self._on_asked)

    def _dock(self, name: str, title: str, widget: QWidget, area: Qt.DockWidgetArea) -> QDockWidget:
        dock = QDockWidget(title)
        dock.setObjectName(name)
        dock.setWidget(widget)
        self.addDockWidget(area, dock)
        return dock

    def _connect(self) -> None:
        desk = self.desk
        desk.opening.connect(self._on_opening)
        desk.project_changed.connect(self._on_project)
        desk.image_failed.connect(self._on_image_failed)
        desk.current_changed.connect(self._on_current)
        desk.failed.connect(self.tell)
        desk.noticed.connect(self.tell)
        desk.saving.changed.connect(self._title_soon.start)
        self.editor.image_changed.connect(self._on_image)
        self.editor.refused.connect(self.tell)
        self.editor.class_wanted.connect(self._class_soon.start)
        self.proposals.failed.connect(self.tell)
        self.models.failed.connect(self.tell)
        self.jobs.said.connect(self.tell)
        self.tuning.said.connect(self.tell)
        self.review.said.connect(self.tell)
        self.disputes.failed.connect(self.tell)
        self.tuning.began.connect(self.training.show)
        self.tuning.interrupted.connect(self.training.show)
        self.versions.compared.connect(lambda verdict: show_comparison(self, self.context, verdict))
        self.tuning.judged.connect(lambda: self._on_asked("tune.verdict"))
        self.welcome.chosen.connect(lambda path: self.open([path]))
        self.frames.moving.connect(self._on_moving)
        self.exchange.said.connect(self.tell)
        self.exchange.prepared_changed.connect(lambda: self._on_asked("file.import_take"))
        self.exchange.mirror.asked.connect(lambda: self._on_asked("file.mirror_settle"))
        self.frames.failed.connect(self.tell)
        self.frames.said.connect(self.tell)
        self.frames.moving.connect(self.live.step_aside)
        self.live.moving.connect(self._on_moving)
        self.live.failed.connect(self.tell)
        self.live.said.connect(self.tell)
        self.live.changed.connect(self._on_camera)
        self.canvas.moving_pressed.connect(self._on_moving_pressed)
        self.canvas.space_tapped.connect(lambda: self._on_asked("image.accept"))
        for place in (self.canvas, self.instances):
            place.menu_wanted.connect(lambda at: show_menu(self, self.actions_, self.context, at))

    def _restore(self) -> None:
        choices = self.settings.choices
        if choices.geometry:
            self.restoreGeometry(QByteArray(base64.b64decode(choices.geometry.encode())))
        if choices.layout:
            self.restoreState(QByteArray(base64.b64decode(choices.layout.encode())), _LAYOUT)

    # What a person does to the window itself

    def start_engine(self, then: Callable[[], None] = lambda: None) -> None:
        """Import torch and start the worker on a thread; `then` is called when that is over."""

        def failed(sentence: str) -> None:
            self.tell(sentence)
            then()

        self.desk.background.run(self.bridge.start, lambda _none: then(), failed)

    def begin(self, paths: Sequence[Path]) -> None:
        """Open these, or greet the person."""
        if paths:
            self.open(paths)

    def open(self, paths: Sequence[Path]) -> None:
        """Open a folder or files unless the person keeps what would be lost."""
        if may_leave(self, self.desk):
            self.desk.open(paths, lose_unsaved=True)

    @Slot(str)
    def tell(self, sentence: str) -> None:
        """Show a sentence for a while."""
        self.notices.tell(sentence)

    def dragEnterEvent(self, event: QDragEnterEvent) -> None:  # noqa: N802 - Qt's name
        """Folders and pictures may be dropped."""
        if _paths(event.mimeData()):
            event.acceptProposedAction()

    def dropEvent(self, event: QDropEvent) -> None:  # noqa: N802 - Qt's name
        """Open what is dropped."""
        paths = _paths(event.mimeData())
        if paths:
            event.acceptProposedAction()
            # Not within the drop, which a question would hold up in the other program.
            QTimer.singleShot(0, self, lambda: self.open(paths))

    def closeEvent(self, event: QCloseEvent) -> None:  # noqa: N802 - Qt's name
        """Save and end everything, or stay where a person keeps what would be lost."""
        if not may_leave(self, self.desk):
            event.ignore()
            return
        self.settings.change(
            geometry=base64.b64encode(self.saveGeometry().data()).decode(),
            layout=base64.b64encode(self.saveState(_LAYOUT).data()).decode(),
        )
        self.hide()  # what is left takes a moment that nobody needs to see
        self.models.stop()
        self.frames.stop()
        self.live.stop()
        self.exchange.close()
        self.desk.close()
        self.canvas.stop()
        self.media_list.stop()
        self.bridge.close(_END_SECONDS)
        event.accept()

    # What changed

    @Slot(str)
    def _on_asked(self, id_: str) -> None:
        """A panel's button or a key of the canvas stands for a command."""
        COMMANDS[id_].start(self, self.context)

    @Slot()
    def _ask_class(self) -> None:
        """Ask for the first class, once the button that began to draw is up: its release is the canvas's."""
        if QApplication.mouseButtons() != Qt.MouseButton.NoButton:
            self._class_soon.start()
        else:
            self._on_asked("classes.add")

    @Slot(object)
    def _on_opening(self, folder: Path) -> None:
        self.message.tell(self.tr("Opening {}…").format(folder.name or folder))
        self.stack.setCurrentWidget(self.message)

    @Slot()
    def _on_project(self) -> None:
        if self.desk.project is not None:
            self.settings.note_folder(self.desk.project.folder)
        self._turn_page()
        self._entitle()

    @Slot()
    def _on_current(self) -> None:
        if self.desk.project is not None and self.desk.current is None:
            self._turn_page()
        self._entitle()

    @Slot()
    def _on_image(self) -> None:
        if self.editor.shown is not None:
            self._turn_page()
        self._entitle()

    def _turn_page(self) -> None:
        """Show in the middle what there is: the picture, why there is none, or how to begin."""
        desk = self.desk
        if self.editor.shown is not None:
            self.stack.setCurrentWidget(self.canvas)
        elif desk.project is None:
            self.stack.setCurrentWidget(self.welcome)
        else:
            if desk.current is None:
                told = self.tr("There are no pictures in {}.\nAdd some, then press F5.").format(desk.folder)
            else:
                told = desk.problem or self.tr("Loading…")
            self.message.tell(told)
            self.stack.setCurrentWidget(self.message)

    @Slot(object)
    def _on_moving(self, pixels: Rgb) -> None:
        self.canvas.show_moving(pixels)
        self.stack.setCurrentWidget(self.canvas)

    @Slot()
    def _on_camera(self) -> None:
        self._title_soon.start()
        if self.live.source is None and self.desk.project is None and not self.desk.is_opening:
            self.stack.setCurrentWidget(self.welcome)

    @Slot()
    def _on_moving_pressed(self) -> None:
        if self.frames.is_playing:
            self.frames.pause()
        elif self.live.is_seen:
            self.live.toggle()

    @Slot(object, str)
    def _on_image_failed(self, _item: object, sentence: str) -> None:
        self.message.tell(sentence)
        self.stack.setCurrentWidget(self.message)

    @Slot()
    def _entitle(self) -> None:
        desk, camera = self.desk, self.live.source
        parts = [desk.current.path] if desk.current else []
        if camera is not None and self.live.is_seen:
            parts = [self.tr("{}, live").format(camera.name)]
        if desk.project is None:
            self.setWindowTitle(" — ".join(parts))
            return
        if desk.current and parts == [desk.current.path] and is_video_name(desk.current.path):
            parts[0] = self.tr("{}, frame {:,}").format(desk.current.path, desk.current.frame)
        parts.append(desk.project.folder.name)
        parts.append(self._saved_in_words())
        self.setWindowTitle(" — ".join(parts))

    def _saved_in_words(self) -> str:
        if self.desk.read_only_reason:
            return self.tr("read-only")
        match self.desk.saving.state.kept:
            case Kept.SAVED:
                return self.tr("saved")
            case Kept.SAVING:
                return self.tr("saving…")
            case Kept.FAILED:
                return self.tr("NOT SAVED")

    @Slot()
    def _fill_recent(self) -> None:
        self.recent.clear()
        for folder in self.settings.choices.recent:
            action = self.recent.addAction(folder.replace("&", "&&"))
            action.triggered.connect(lambda _on=False, path=Path(folder): self.open([path]))
        if not self.settings.choices.recent:
            self.recent.addAction(self.tr("None yet")).setEnabled(False)


def _paths(data: QMimeData) -> list[Path]:
    return [Path(url.toLocalFile()) for url in data.urls() if url.isLocalFile()]
