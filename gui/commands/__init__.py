"""The commands: one file a menu, all entered in `gui.commands.registry`."""

from __future__ import annotations

import importlib
import pkgutil


def load_all() -> None:
    """Import every module of commands, in the order of their names; again does nothing."""
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda found: found.name):
        importlib.import_module(f"{__name__}.{module.name}")
