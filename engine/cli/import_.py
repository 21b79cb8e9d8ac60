"""`import`: label files of other tools into a project, after a summary of what would come."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(name="import")
@click.argument("source", type=click.Path(path_type=Path), metavar="FILE|FOLDER")
@click.option(
    "--images", type=click.Path(path_type=Path, file_okay=False), help="The folder of pictures, if not found."
)
@click.option("--format", "format_name", help="The format's name, if it is not recognised.")
@click.option("--dry-run", is_flag=True, help="Say what would come, and change nothing.")
@click.option("--skip-broken", is_flag=True, help="Leave out what is broken, and take in the rest.")
@click.option(
    "--reviewed/--not-reviewed",
    default=None,
    help="Whether people made the labels, so that images count as reviewed; else: where no scores are.",
)
@click.option("--json", "as_json", is_flag=True, help="Print the summary as JSON.")
def import_labels(
    source: Path,
    *,
    images: Path | None,
    format_name: str | None,
    dry_run: bool,
    skip_broken: bool,
    reviewed: bool | None,
    as_json: bool,
) -> int:
    """Take in the labels of a file or folder in another tool's format.

    Formats are recognised by their content. Everything is read and checked first, and taken in as a whole
    or not at all; a second import of the same files adds nothing.
    """
    from engine.cli import exchanging

    summary, done = exchanging.take_in(
        source,
        images=images,
        format_name=format_name,
        dry_run=dry_run,
        skip_broken=skip_broken,
        reviewed=reviewed,
    )
    if as_json:
        click.echo(json.dumps(exchanging.figures(summary, done), indent=1, ensure_ascii=False))
    return 0
