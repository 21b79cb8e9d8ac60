"""A command for each tool, in the order of the toolbar."""

from __future__ import annotations

from collections.abc import Callable

from gui.commands.registry import Command, Context, add
from gui.tools.tool import TOOLS, Tool


def _enter(tool: type[Tool]) -> None:
    def take(context: Context) -> None:
        context.editor.set_tool(tool.id)

    is_taken: Callable[[Context], bool] = lambda context: context.editor.tool.id == tool.id  # noqa: E731
    add(
        Command(
            f"tool.{tool.id}",
            tool.title,
            take,
            menu=("Tools",),
            section="tools",
            shortcuts=(tool.shortcut,) if tool.shortcut else (),
            icon=tool.icon,
            checked=is_taken,
            hint=tool.hint,
        )
    )


for _tool in TOOLS.values():
    _enter(_tool)
