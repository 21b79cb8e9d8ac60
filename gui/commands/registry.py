"""Commands: what a person can do, as data. Menus, shortcuts, the palette and the help page are built of it.

`ask` is the dialog and may be left out; `run` does the work and needs no window, so that every command can
be tested without one. A module of commands registers them with `@command` when it is imported.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol, TypeAlias

from PySide6.QtCore import QCoreApplication

from engine.document.records import Instance

if TYPE_CHECKING:
    from PySide6.QtWidgets import QWidget

    from gui.bridge import Bridge
    from gui.desk import Desk
    from gui.disputes import Disputes
    from gui.editor import Editor
    from gui.exchange import Exchange
    from gui.frames import Frames
    from gui.jobs import Jobs
    from gui.live import Live
    from gui.models import Models
    from gui.proposals import Proposals
    from gui.review import Review
    from gui.settings import Settings
    from gui.tuning import Tuning
    from gui.versions import Versions


MENUS = ("File", "Edit", "View", "Image", "Tools", "Instance", "Classes", "Model", "Help")
"""The order of the menu bar; menus that are not named stand before Help."""


SECTIONS = ("open", "project", "exchange")
"""Of File: what a person looks for first."""

_LAST_SECTION = "quit"


@dataclass(slots=True)
class Clipboard:
    """What was copied last, from whichever image."""

    instances: tuple[Instance, ...] = ()


class Viewport(Protocol):
    """The canvas as commands need it."""

    def width(self) -> int:
        """In device-independent pixels."""

    def height(self) -> int:
        """In device-independent pixels."""

    def devicePixelRatioF(self) -> float:  # noqa: N802 - Qt's name
        """The screen's pixels in such a one."""


@dataclass(frozen=True, slots=True, eq=False)
class Context:
    """All that commands work on. None of it is a window."""

    editor: Editor
    desk: Desk
    bridge: Bridge
    proposals: Proposals
    jobs: Jobs
    models: Models
    tuning: Tuning
    settings: Settings
    viewport: Viewport
    clipboard: Clipboard = field(default_factory=Clipboard)
    frames: Frames | None = None
    live: Live | None = None
    exchange: Exchange | None = None
    versions: Versions | None = None
    review: Review | None = None
    disputes: Disputes | None = None


Run: TypeAlias = Callable[..., None]
Ask: TypeAlias = "Callable[[QWidget, Context], tuple[object, ...] | None]"
Test: TypeAlias = Callable[[Context], bool]


def always(_context: Context) -> bool:
    """For commands that can be run at any time."""
    return True


def nothing(_context: Context) -> None:
    """For commands whose `ask` is all, such as one that opens a window beside the work."""


@dataclass(frozen=True, slots=True)
class Command:
    """One thing a person can do.

    menu: path of the menu that holds it, ("View", "Zoom") for a submenu; empty for none. section: a line
    separates commands of different sections. shortcuts: as Qt writes them, the first shown. when: whether
    it can be run now. run(context, *what ask answered). ask: a dialog; None where the person backed out.
    checked: for what is on or off. repeats: whether holding the key repeats it. on_canvas: the keys mean it
    only while the canvas has the keyboard; elsewhere they are the system's.
    """

    id: str
    title: str
    run: Run
    menu: tuple[str, ...] = ()
    section: str = ""
    shortcuts: tuple[str, ...] = ()
    when: Test = always
    ask: Ask | None = None
    icon: str = ""
    checked: Test | None = None
    hint: str = ""
    repeats: bool = False
    on_canvas: bool = False

    @property
    def plain_title(self) -> str:
        """The title in the person's language without the mark of the menu's letter."""
        return translated(self.title).replace("&", "").removesuffix("…")

    def start(self, parent: QWidget, context: Context) -> None:
        """Ask what there is to ask, then run; nothing where it cannot be run now."""
        if not self.when(context):
            return
        answer = self.ask(parent, context) if self.ask is not None else ()
        if answer is not None:
            self.run(context, *answer)


COMMANDS: dict[str, Command] = {}


def command(
    id_: str,
    title: str,
    *,
    menu: tuple[str, ...] = (),
    section: str = "",
    shortcuts: tuple[str, ...] = (),
    when: Test = always,
    ask: Ask | None = None,
    icon: str = "",
    checked: Test | None = None,
    hint: str = "",
    repeats: bool = False,
    on_canvas: bool = False,
) -> Callable[[Run], Run]:
    """Decorator of a `run` function: enter it as a command. Raises ValueError for a taken id or shortcut."""

    def enter(run: Run) -> Run:
        add(
            Command(
                id_, title, run, menu, section, shortcuts, when, ask, icon, checked, hint, repeats, on_canvas
            )
        )
        return run

    return enter


def add(one: Command) -> None:
    """Enter a command. Raises ValueError where its id or a shortcut of it is taken."""
    if one.id in COMMANDS:
        raise ValueError(f"there is a command {one.id!r} already")
    taken = {shortcut: other.id for other in COMMANDS.values() for shortcut in other.shortcuts}
    for shortcut in one.shortcuts:
        if shortcut in taken:
            raise ValueError(f"{shortcut} of {one.id!r} belongs to {taken[shortcut]!r}")
    COMMANDS[one.id] = one


def in_menu_order(commands: Iterable[Command]) -> list[Command]:
    """As the menus show them: menu by menu, sections together; submenus behind, but for what ends a menu.

    Sections come as in SECTIONS, others behind those in the order of their first.
    """
    first: dict[tuple[tuple[str, ...], str], int] = {}
    found = list(commands)
    for number, one in enumerate(found):
        first.setdefault((one.menu, one.section), number)

    def place(one: Command) -> tuple[int, int, int, int]:
        menu = one.menu[0] if one.menu else ""
        known = MENUS.index(menu) if menu in MENUS else len(MENUS) - 2
        section = SECTIONS.index(one.section) if one.section in SECTIONS else len(SECTIONS)
        behind = 2 if one.section == _LAST_SECTION else int(len(one.menu) > 1)
        return known, behind, section, first[(one.menu, one.section)]

    return sorted(found, key=place)


def translated(text: str) -> str:
    """A command's title or menu in the person's language."""
    return QCoreApplication.translate("Command", text)
