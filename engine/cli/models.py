"""`models`: what models there are; download, import, export and remove them.

Tables and results go to standard output, progress to standard error. What a model is and where it
is kept is `engine.models.store`'s business.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from engine.models.card import Json, ModelVersion
    from engine.models.store import ListedModel

_SECONDS_BETWEEN_LINES = 10.0


@click.group()
def models() -> None:
    """List, download, import, export and remove models."""


@models.command("list")
@click.option("--json", "as_json", is_flag=True, help="Print JSON instead of a table.")
def list_models(as_json: bool) -> None:
    """Show the models that are here and those that can be downloaded."""
    from engine.models.store import default_store

    listed = default_store().list()
    if as_json:
        click.echo(json.dumps([_as_json(m) for m in listed], indent=2, ensure_ascii=False))
        return
    _print_table(listed)


@models.command()
@click.argument("name")
@click.option(
    "--from",
    "source",
    metavar="FOLDER|URL",
    help="A folder or mirror that holds torchvision's file, in place of its own server "
    "[default: the variable MASKWRIGHT_MIRROR].",
)
def download(name: str, source: str | None) -> None:
    """Download a model that was trained on COCO, verify it and install it."""
    from engine.models.store import default_store

    with _bytes_shown(f"downloading {name}") as progress:
        version = default_store().download(name, source=source, progress=progress)
    _tell("installed", version)


@models.command("import")
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--name", help="What to call it [default: the file's name].")
@click.option(
    "--classes",
    metavar="A,B,C",
    help="The classes' names, in the order of the network's outputs, no background.",
)
@click.option("--architecture", help="Which network it is, where the file fits several or none.")
@click.option(
    "--norm-eps",
    type=click.FloatRange(0, 1, max_open=True),
    help="The eps of frozen BatchNorm: 0 for a network trained on from torchvision's first COCO weights.",
)
def import_(
    file: Path, name: str | None, classes: str | None, architecture: str | None, norm_eps: float | None
) -> None:
    """Bring a detector's .pth or .safetensors FILE into the store. Nothing in it is executed."""
    from engine.models.store import default_store

    names = None if classes is None else tuple(c.strip() for c in classes.split(","))
    version = default_store().import_file(
        file, name=name, classes=names, architecture=architecture, norm_eps=norm_eps
    )
    _tell("imported", version)


@models.command()
@click.argument("name")
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), required=True, help="The folder for it."
)
@click.option("--compact", is_flag=True, help="At a quarter of the size, as int8; scores change a little.")
def export(name: str, out: Path, compact: bool) -> None:
    """Write the model NAME (weights and card) into a folder, to pass it on."""
    from engine.models.store import default_store
    from engine.models.version import load_detector, save_version

    version = default_store().resolve(name)
    copy = save_version(out, version.card.name, load_detector(version), version.card, compact=compact)
    _tell("exported", copy)


@models.command()
@click.argument("name")
def remove(name: str) -> None:
    """Delete the model NAME from this computer."""
    from engine.models.store import default_store

    default_store().remove(name)
    click.echo(f"removed {name}")


def obtain(name_or_file: str) -> ModelVersion:
    """The model that a person named, for other commands; its first use may download it, with progress."""
    from engine.models.store import default_store

    with _bytes_shown(f"downloading {name_or_file}") as progress:
        return default_store().obtain(name_or_file, progress=progress)


def _tell(done: str, version: ModelVersion) -> None:
    card = version.card
    click.echo(
        f"{done} {card.name}: {card.spec.architecture}, {len(card.classes)} classes, at {version.path}"
    )


def _as_json(model: ListedModel) -> dict[str, Json]:
    card = model.version.card if model.version else None
    line: dict[str, Json] = {"name": model.name, "state": str(model.state), "bytes": model.size}
    if model.version is not None and card is not None:
        line |= {
            "path": str(model.version.path),
            "architecture": card.spec.architecture,
            "classes": list(card.classes),
            "created": card.created,
            "parent": card.parent,
            "metrics": dict(card.metrics),
            "sha256": card.sha256,
        }
    if model.problem:
        line["problem"] = model.problem
    return line


def _print_table(listed: tuple[ListedModel, ...]) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for title in ("name", "state", "size", "created", "classes"):
        table.add_column(
            title, justify="right" if title == "size" else "left", overflow="fold", no_wrap=title != "classes"
        )
    for model in listed:
        card = model.version.card if model.version else None
        created, classes = (card.created[:10], _in_brief(card.classes)) if card else ("", "")
        cells = (model.name, str(model.state), f"{model.size / 1e6:.0f} MB", created, classes)
        table.add_row(*(Text(c) for c in cells))  # Text: a name is not markup
    Console(highlight=False).print(table)
    for model in listed:
        if model.problem:
            click.echo(f"{model.name}: {model.problem}", err=True)


def _in_brief(classes: tuple[str, ...]) -> str:
    return ", ".join(classes) if len(classes) <= 3 else f"{len(classes)}: {', '.join(classes[:2])} …"


@contextmanager
def _bytes_shown(doing: str) -> Iterator[Callable[[int, int | None], None]]:
    """A callback (bytes done, in all) that shows a bar in a terminal and a line now and then elsewhere.

    Nothing is shown before its first call: most models are here already.
    """
    from rich.progress import DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    from engine.cli.console import console, say

    columns = (TextColumn("{task.description}", markup=False), DownloadColumn(), TransferSpeedColumn())
    bar = Progress(*columns, TimeRemainingColumn(), console=console())
    task = bar.add_task(doing, total=None)
    spoke = float("-inf")

    def show(done: int, total: int | None) -> None:
        nonlocal spoke
        if console().is_terminal:
            bar.start()
            bar.update(task, completed=done, total=total)
        elif time.monotonic() - spoke >= _SECONDS_BETWEEN_LINES or done == total:
            spoke = time.monotonic()
            say(f"{doing}: {done / 1e6:.0f} MB" + (f" of {total / 1e6:.0f} MB" if total else ""))

    try:
        yield show
    finally:
        if bar.live.is_started:  # stopping an idle one prints an empty line
            bar.stop()
