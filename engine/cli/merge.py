"""`merge`: another project into that of a folder, after a summary of what would come."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, exists=True, file_okay=False), metavar="PROJECT")
@click.argument("other", type=click.Path(path_type=Path, exists=True), metavar="OTHER")
@click.option(
    "--copy-pictures/--no-copy-pictures",
    default=True,
    show_default=True,
    help="Whether pictures that PROJECT lacks are copied into it, to a folder named like OTHER's.",
)
@click.option("--dry-run", is_flag=True, help="Say what would come, and change nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def merge(folder: Path, other: Path, *, copy_pictures: bool, dry_run: bool, as_json: bool) -> int:
    """Take the labels of the project OTHER into the project of the folder PROJECT.

    OTHER is the folder of a project, or a copy of one in a file. Pictures are known again by their content.
    What PROJECT has stays: a reviewed image is left alone, and proposals give way to what a person made of
    them. Everything is taken in, or nothing; a second merge adds nothing.
    """
    from engine.cli import exchanging

    summary, done = exchanging.take_project_in(folder, other, copy_pictures=copy_pictures, dry_run=dry_run)
    if as_json:
        click.echo(json.dumps(exchanging.figures(summary, done), indent=1, ensure_ascii=False))
    return 0
