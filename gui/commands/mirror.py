"""Label files beside the pictures that follow every edit, for people who keep labels in git."""

from __future__ import annotations

from PySide6.QtWidgets import QWidget

from engine.exchange.mirror import MirrorKind
from gui.commands.registry import Command, Context, add, command, translated
from gui.dialogs.exchange import ask_conflicts

_MENU = ("File", "Labels beside the pictures")
_KINDS = (
    (MirrorKind.OFF, "&None"),
    (MirrorKind.LABELME, "&labelme: a file beside each picture"),
    (MirrorKind.COCO, "&COCO: one file for all"),
)


def _may_choose(context: Context) -> bool:
    return (
        context.exchange is not None
        and context.desk.project is not None
        and not context.desk.read_only_reason
    )


def _enter(kind: MirrorKind, title: str) -> None:
    def choose(context: Context) -> None:
        if context.exchange is not None:
            context.exchange.mirror.choose(kind)

    def is_chosen(context: Context) -> bool:
        return context.exchange is not None and context.exchange.mirror.kind is kind

    add(
        Command(
            f"file.mirror_{kind.value or 'off'}",
            title,
            choose,
            menu=_MENU,
            section="kind",
            when=_may_choose,
            checked=is_chosen,
            hint=translated("Kept up to date with every edit, for labels in git") if kind else "",
        )
    )


for _kind, _title in _KINDS:
    _enter(_kind, _title)


def _ask_settle(parent: QWidget, context: Context) -> tuple[str] | None:
    if context.exchange is None:
        return None
    answer = ask_conflicts(parent, context.exchange.mirror.conflicts)
    return None if answer is None else (answer,)


@command(
    "file.mirror_settle",
    "Label files changed by others…",
    menu=_MENU,
    section="settle",
    when=lambda context: (
        _may_choose(context) and context.exchange is not None and bool(context.exchange.mirror.conflicts)
    ),
    ask=_ask_settle,
    icon="warning",
    hint="Files beside the pictures that were not written here",
)
def settle(context: Context, answer: str) -> None:
    """What becomes of them: "overwrite", "import" or "leave"."""
    exchange = context.exchange
    if exchange is None:
        return
    exchange.mirror.settle(overwrite=answer == "overwrite")
    if answer == "import" and context.desk.folder is not None:
        exchange.read(context.desk.folder)
