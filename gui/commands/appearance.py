"""Light, dark, or as the system has it."""

from __future__ import annotations

from gui import theme
from gui.commands.registry import Command, Context, add

_SCHEMES = (("system", "As the &system has it"), ("light", "&Light"), ("dark", "&Dark"))


def _enter(scheme: str, title: str) -> None:
    def choose(context: Context) -> None:
        context.settings.change(theme=scheme)
        theme.choose(scheme)

    def is_chosen(context: Context) -> bool:
        return context.settings.choices.theme == scheme

    add(Command(f"view.theme_{scheme}", title, choose, menu=("View", "Theme"), checked=is_chosen))


for _scheme, _title in _SCHEMES:
    _enter(_scheme, _title)
