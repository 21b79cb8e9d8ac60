"""`export`: a project's labels as files of another format."""

from __future__ import annotations

import json
from pathlib import Path

import click


@click.command(name="export")
@click.argument("project", type=click.Path(path_type=Path), metavar="PROJECT")
@click.option("--format", "format_name", required=True, help="The format's name; `formats` lists them.")
@click.option("--out", required=True, type=click.Path(path_type=Path), help="A folder for the files.")
@click.option("--exact", is_flag=True, help="Refuse rather than change a pixel of a mask.")
@click.option("--polygons", is_flag=True, help="Polygons instead of RLE or masks, where the format has both.")
@click.option(
    "--only", type=click.Choice(["labelled", "reviewed", "all"]), default="labelled", show_default=True
)
@click.option("--classes", help="These classes only: names with commas between.")
@click.option("--proposals", is_flag=True, help="Also what a model proposed and nobody has looked at.")
@click.option(
    "--threshold", type=click.FloatRange(0, 1), default=0.5, show_default=True, help="Of proposals."
)
@click.option("--split", "shares", help="Parts by share, such as train=80,val=10,test=10; by class, seeded.")
@click.option("--seed", type=int, default=0, show_default=True, help="Of the split.")
@click.option("--group", default="", help='What stays together: "folder", or a regular expression on names.')
@click.option("--copy-pictures", is_flag=True, help="Copy the pictures beside the labels.")
@click.option("--overwrite", is_flag=True, help="Files of the same name in --out may be replaced.")
@click.option("--json", "as_json", is_flag=True, help="Print what was written as JSON.")
def export_labels(
    project: Path,
    *,
    format_name: str,
    out: Path,
    exact: bool,
    polygons: bool,
    only: str,
    classes: str | None,
    proposals: bool,
    threshold: float,
    shares: str | None,
    seed: int,
    group: str,
    copy_pictures: bool,
    overwrite: bool,
    as_json: bool,
) -> int:
    """Write the labels of a project in another tool's format.

    Masks are written exactly where the format can hold them; where it cannot, one sentence says what was
    changed and how often.
    """
    from engine.cli import exchanging
    from engine.exchange.exporting import ExportOptions, Which
    from engine.exchange.splitting import parse_shares

    options = ExportOptions(
        format_name,
        out,
        exact=exact,
        polygons=polygons,
        proposals=proposals,
        threshold=threshold,
        which=Which(only),
        classes=None if classes is None else tuple(c.strip() for c in classes.split(",") if c.strip()),
        shares=None if shares is None else parse_shares(shares),
        seed=seed,
        group=group,
        copy_pictures=copy_pictures,
        overwrite=overwrite,
    )
    report = exchanging.write_out(project, options)
    if as_json:
        click.echo(json.dumps(exchanging.export_figures(report), indent=1, ensure_ascii=False))
    return 0


@click.command(name="formats")
def list_formats() -> int:
    """List the formats, and what each can hold."""
    from engine.formats.registry import formats

    for name, one in formats().items():
        does = " and ".join(["read"] * one.can_read + ["written"] * one.can_write)
        held = ", ".join(str(flag.name).lower() for flag in one.holds)
        click.echo(f"{name:<20} {one.title}; {does}; holds {held}")
    return 0
