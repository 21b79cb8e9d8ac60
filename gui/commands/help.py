"""Finding one's way: the palette, the shortcuts, the log, what this is."""

from __future__ import annotations

from PySide6.QtCore import QUrl
from PySide6.QtGui import QDesktopServices
from PySide6.QtWidgets import QMessageBox, QWidget

from engine import __version__, applog
from gui.commands.registry import Context, command, nothing, translated
from gui.dialogs.palette import show_palette
from gui.dialogs.shortcuts import show_shortcuts

_MENU = ("Help",)


command(
    "help.palette",
    "&All commands…",
    menu=_MENU,
    section="find",
    shortcuts=("Ctrl+Shift+P",),
    ask=show_palette,
    icon="commands",
    hint="Find a command by its name",
)(nothing)

command(
    "help.shortcuts",
    "&Shortcuts…",
    menu=_MENU,
    section="find",
    shortcuts=("F1",),
    ask=show_shortcuts,
    icon="keyboard",
    hint="See and change the keys",
)(nothing)


@command("help.log", "Open the &log", menu=_MENU, section="about", icon="log")
def open_log(context: Context) -> None:
    """Show the log file in whatever the system opens text with."""
    path = applog.log_file()
    if not path.is_file():
        context.desk.noticed.emit(translated("Nothing was logged yet; the log will be {}.").format(path))
    elif not QDesktopServices.openUrl(QUrl.fromLocalFile(str(path))):
        context.desk.noticed.emit(translated("No program opens the log; it is {}.").format(path))


def _about(parent: QWidget, _context: Context) -> None:
    QMessageBox.about(
        parent,
        translated("About Maskwright"),
        translated(
            "<b>Maskwright {}</b><p>Instance segmentation at the desk: propose, correct, learn.</p>"
            "<p>Your pictures are only ever read, and nothing leaves this computer.</p>"
        ).format(__version__),
    )


command("help.about", "About &Maskwright", menu=_MENU, section="about", ask=_about, icon="info")(nothing)
