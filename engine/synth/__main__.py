"""Renders a labelled set from the command line: `python -m engine.synth --out DIR --count N ...`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import cast

import click
import cv2

from engine.errors import MaskwrightError
from engine.synth.grounds import Split
from engine.synth.write import Size, write_set


def _sizes(_context: click.Context, _option: click.Parameter, value: str) -> tuple[Size, ...]:
    """Picture sizes from text such as 320x240,512x384."""
    sizes: list[Size] = []
    for text in value.split(","):
        width, _, height = text.partition("x")
        if not (width.isdigit() and height.isdigit() and int(width) >= 64 and int(height) >= 64):
            raise click.BadParameter(f"'{text}' is not a size of at least 64x64, such as 640x480.")
        sizes.append((int(width), int(height)))
    return tuple(sizes)


@click.command()
@click.option("--out", type=click.Path(path_type=Path), required=True, help="The folder to write into.")
@click.option("--count", type=click.IntRange(1), required=True, help="How many pictures.")
@click.option(
    "--seed", type=click.IntRange(0), default=0, show_default=True, help="The first picture's seed."
)
@click.option("--split", type=click.Choice(["train", "test", "wide"]), default="train", show_default=True)
@click.option(
    "--sizes", callback=_sizes, default="640x480", show_default=True, help="WxH,...: taken in turn."
)
@click.option("--extra-class", is_flag=True, help="Put springs among the parts.")
@click.option("--png", is_flag=True, help="Write PNG rather than JPEG.")
@click.option("--workers", type=click.IntRange(1), default=1, show_default=True, help="Processes.")
def main(
    out: Path,
    count: int,
    seed: int,
    split: str,
    sizes: tuple[Size, ...],
    extra_class: bool,
    png: bool,
    workers: int,
) -> None:
    """Renders pictures of trays of parts, with the truth as COCO JSON beside them."""
    cv2.setNumThreads(1)

    def tell(done: int) -> None:
        click.echo(f"\r{done}/{count}", nl=done == count, err=True)

    write_set(
        out,
        count=count,
        seed=seed,
        split=cast("Split", split),
        sizes=sizes,
        extra_class=extra_class,
        suffix=".png" if png else ".jpg",
        workers=workers,
        on_picture=tell,
    )
    click.echo(out / "truth.json")


if __name__ == "__main__":
    try:
        main()
    except MaskwrightError as error:
        click.echo(f"error: {error}", err=True)
        sys.exit(1)
