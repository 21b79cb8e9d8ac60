"""The pages of docs that are made from the program itself: its shortcuts and its command line.

`python -m tests.doc_pages` writes them. A test says when they are out of date.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Iterable, Iterator
from itertools import groupby
from pathlib import Path

import click

import main as program
from gui.commands import load_all
from gui.commands.registry import COMMANDS, Command, in_menu_order
from gui.dialogs.shortcuts import CANVAS_KEYS

DOCS = Path(__file__).resolve().parents[1] / "docs"
AGAIN = "python -m tests.doc_pages"
MADE = f"<!-- Made by `{AGAIN}`. Do not edit. -->\n"


def shortcuts() -> str:
    """Every command of the window, menu by menu, with its keys."""
    load_all()
    parts = [
        "# Shortcuts\n",
        MADE,
        "Every command of the window with the keys that it comes with. F1 shows this list in the window\n"
        "and changes the keys. Ctrl+Shift+P finds a command by its name. Letters mean a command only while\n"
        "no text is being written. On macOS, Ctrl is the Command key.\n",
        "## On the picture\n",
        table(("Does", "Keys"), CANVAS_KEYS),
    ]
    for menu, commands in groupby(in_menu_order(COMMANDS.values()), key=lambda one: one.menu):
        parts += [f"## {' > '.join(menu)}\n", table(("Command", "Keys", ""), map(_row, commands))]
    return "\n".join(parts)


def _row(one: Command) -> tuple[str, str, str]:
    return one.plain_title, ", ".join(f"`{keys}`" for keys in one.shortcuts), one.hint


def command_line() -> str:
    """Every command of the command line with its arguments and options."""
    parts = [
        "# Command line\n",
        MADE,
        "`python main.py` opens the window; `python main.py FOLDER` opens it on a folder. Everything else\n"
        "is a command, and tells its options with `--help`. In a bundle, write `maskwright` for\n"
        "`python main.py`.\n",
        "Exit codes: 0 all was done, 1 a failure told in one sentence, 2 wrong arguments, 70 a fault in the\n"
        "program (the log has the details), 130 stopped with Ctrl+C. With `--json` the result goes to\n"
        "standard output and everything else to standard error.\n",
    ]
    group = click.Context(program.cli, info_name="main.py")
    for name in program.COMMANDS:
        command = program.cli.get_command(group, name)
        assert command is not None
        parts += _command(command, click.Context(command, info_name=name, parent=group))
    return "\n".join(parts)


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    depth = context.command_path.count(" ")
    yield f"{'#' * (depth + 1)} {context.command_path.removeprefix('main.py ')}\n"
    yield f"```\npython {context.command_path} {' '.join(command.collect_usage_pieces(context))}\n```\n"
    yield inspect.cleandoc(command.help or "") + "\n"
    records = [one.get_help_record(context) for one in command.params]
    told = [(f"`{record[0]}`", record[1]) for record in records if record and record[1]]
    if told:
        yield table(("Option", ""), told)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _command(inner, click.Context(inner, info_name=name, parent=context))


def table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """A table as Markdown has it."""
    lines = [_line(heads), "|" + "---|" * len(heads), *(_line(row) for row in rows)]
    return "\n".join(lines) + "\n"


def _line(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(" ".join(cell.split()).replace("|", "\\|") for cell in cells) + " |"


PAGES: dict[str, Callable[[], str]] = {"shortcuts.md": shortcuts, "command-line.md": command_line}


def main() -> int:
    """The exit code."""
    for name, make in PAGES.items():
        (DOCS / name).write_text(make(), encoding="utf-8", newline="\n")
        print(f"docs/{name}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
