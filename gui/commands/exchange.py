"""Labels of other tools and other projects: import, merge, export, take an import back."""

from __future__ import annotations

from pathlib import Path

from PySide6.QtWidgets import QFileDialog, QWidget

from engine.exchange.exporting import ExportOptions
from engine.exchange.merging import Merge
from gui.commands.registry import Ask, Context, command, translated
from gui.dialogs.exchange import ask_export, ask_merge, ask_summary

_MENU = ("File",)


def _is_free(context: Context) -> bool:
    return context.exchange is not None and not context.exchange.is_busy and context.desk.project is not None


def _may_import(context: Context) -> bool:
    return _is_free(context) and not context.desk.read_only_reason


def _asks(title: str, kinds: str = "") -> Ask:
    """A question for a file of these kinds, or with none for a folder."""

    def ask(parent: QWidget, context: Context) -> tuple[Path] | None:
        start = str(context.desk.folder or "")
        if kinds:
            chosen, _ = QFileDialog.getOpenFileName(parent, translated(title), start, translated(kinds))
        else:
            chosen = QFileDialog.getExistingDirectory(parent, translated(title), start)
        return (Path(chosen),) if chosen else None

    return ask


@command(
    "file.import_folder",
    "Import a folder of labels…",
    menu=_MENU,
    section="exchange",
    when=_may_import,
    ask=_asks("Import a folder of labels"),
    icon="import",
)
@command(
    "file.import", "&Import labels…", menu=_MENU, section="exchange", when=_may_import,
    ask=_asks("Import labels", "Labels (*.json *.xml *.csv *.txt *.yaml)"), icon="import",
    hint="Take in another tool's labels; what would come is shown before it comes",
)  # fmt: skip
def import_labels(context: Context, path: Path) -> None:
    """Read a file or a folder of labels; the summary follows."""
    if context.exchange is not None:
        context.exchange.read(path)


@command(
    "file.import_beside",
    "Import the labels beside the pictures",
    menu=_MENU,
    section="exchange",
    when=lambda context: _may_import(context) and bool(context.exchange and context.exchange.offer),
    icon="import",
    hint="Labels of another tool were found in this folder",
)
def import_beside(context: Context) -> None:
    """Read what lies beside the pictures; the summary follows."""
    if context.exchange is not None and context.desk.folder is not None:
        context.exchange.read(context.desk.folder)


@command(
    "file.merge_copy",
    "Merge a copy of a project…",
    menu=_MENU,
    section="exchange",
    when=_may_import,
    ask=_asks("The copy of a project to take in", "Copies of projects (*.db)"),
    icon="merge",
    hint="Take in a copy that was made with Back up the project: to bring lost labels back, say",
)
@command(
    "file.merge", "&Merge another project…", menu=_MENU, section="exchange", when=_may_import,
    ask=_asks("The folder of the project to take in"), icon="merge",
    hint="Take in the labels of another project, of these pictures or of others; what you have done stays",
)  # fmt: skip
def merge(context: Context, path: Path) -> None:
    """Read another project, or a copy of one; the summary follows."""
    if context.exchange is not None:
        context.exchange.merge(path)


def _ask_take(parent: QWidget, context: Context) -> tuple[bool] | None:
    exchange = context.exchange
    if exchange is None or exchange.prepared is None:
        return None
    if isinstance(exchange.prepared, Merge):
        answer = ask_merge(parent, exchange.prepared.summary)
        exchange.prepared.copies_pictures = bool(answer)
        reviewed = None if answer is None else False  # each image says so itself
    else:
        reviewed = ask_summary(parent, exchange.prepared.summary)
    if reviewed is None:
        exchange.drop()
        return None
    return (reviewed,)


@command(
    "file.import_take",
    "Take in the labels that were read…",
    menu=_MENU,
    section="exchange",
    icon="import",
    when=lambda context: _may_import(context) and context.exchange is not None
    and context.exchange.prepared is not None,
    ask=_ask_take,
)  # fmt: skip
def take(context: Context, reviewed: bool) -> None:
    """All of it in one step, or nothing."""
    if context.exchange is not None:
        context.exchange.take(reviewed=reviewed)


@command(
    "file.import_undo",
    "Undo the last import",
    menu=_MENU,
    section="exchange",
    when=lambda context: _may_import(context) and bool(context.exchange and context.exchange.last_batch),
    icon="undo",
    hint="What you have changed since stays",
)
def undo(context: Context) -> None:
    """Take the last import back."""
    if context.exchange is not None:
        context.exchange.undo()


@command(
    "file.export",
    "&Export labels…",
    menu=_MENU,
    section="exchange",
    when=_is_free,
    ask=lambda parent, _context: None if (options := ask_export(parent)) is None else (options,),
    icon="export",
    hint="Write the labels in another tool's format; what it cannot hold is told",
)
def export(context: Context, options: ExportOptions) -> None:
    """Write the labels, in the background."""
    if context.exchange is not None:
        context.exchange.write(options)


@command(
    "file.exchange_stop",
    "Stop the import or export",
    menu=_MENU,
    section="exchange",
    when=lambda context: context.exchange is not None and context.exchange.is_busy,
    icon="stop",
)
def stop(context: Context) -> None:
    """Nothing of it is kept."""
    if context.exchange is not None:
        context.exchange.stop()
