"""`train`: learn from labelled images, save the model, and measure it on images it has not seen."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from engine.models.card import Json


@click.command()
@click.argument("data", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--images",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where a COCO file's pictures are.",
)
@click.option(
    "--val",
    type=click.Path(path_type=Path, exists=True),
    help="Measure on this at the end; it decides nothing.",
)
@click.option(
    "--val-images",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Where the pictures of --val are.",
)
@click.option(
    "--val-fraction",
    type=click.FloatRange(0, 1, min_open=True, max_open=True),
    help="Measure on this share of DATA instead, chosen by --seed.",
)
@click.option(
    "--base",
    default=None,
    help="A model's name, a weights file (also an ImageNet classifier's), or an architecture; by default the "
    "model in use, else maskrcnn_resnet50_fpn where it was downloaded, else the starter.",
)
@click.option("--name", default=None, help="The name of the new model; by default that of the data.")
@click.option("--iterations", type=click.IntRange(min=1), help="Steps to train.")
@click.option(
    "--minutes",
    type=click.FloatRange(0, min_open=True),
    help="Minutes to train; the schedule fits itself to them.",
)
@click.option("--device", type=click.Choice(["auto", "cpu", "cuda"]), default="auto", show_default=True)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--side",
    type=click.IntRange(min=64),
    help="Short side of a training picture; by default the data decides.",
)
@click.option(
    "--recipe",
    "changes",
    multiple=True,
    metavar="NAME=VALUE",
    help="Another value for a number of the recipe (engine/train/recipe.py); may be given several times.",
)
@click.option(
    "--accept",
    type=click.Choice(["better", "always", "never"]),
    default="better",
    show_default=True,
    help="When a project works with the new model from now on.",
)
@click.option("--against", metavar="MODEL", help="The model in use, by default the project's active one.")
@click.option("--classes", metavar="A,B", help="Learn only these classes of a project.")
@click.option("--notes", default="", help="A note for the new model of a project.")
@click.option("--resume", is_flag=True, help="Go on where a stopped training of the same name left off.")
@click.option("--json", "as_json", is_flag=True, help="Print the figures of the run as JSON.")
def train(  # long: every option is named once here and handed on
    data: Path,
    *,
    images: Path | None,
    val: Path | None,
    val_images: Path | None,
    val_fraction: float | None,
    base: str | None,
    name: str | None,
    iterations: int | None,
    minutes: float | None,
    device: str,
    seed: int,
    side: int | None,
    changes: tuple[str, ...],
    accept: str,
    against: str | None,
    classes: str | None,
    notes: str,
    resume: bool,
    as_json: bool,
) -> int:
    """Train a model on DATA, a project folder (its reviewed images) or a COCO JSON file.

    Of a project about a fifth of the images is held out, always the same ones. On them the new model
    and the one in use are measured, and the project works with the new one if it is better. With --val or
    --val-fraction a project's reviewed images are labels like those of a COCO file: there is no gate.

    The best weights are saved as NAME, the last ones as NAME-last. Ctrl+C stops after the step at
    hand; the same command with --resume goes on there.
    """
    if val is not None and val_fraction is not None:
        raise click.UsageError("Give --val or --val-fraction, not both.")
    if iterations is not None and minutes is not None:
        raise click.UsageError("Give --iterations or --minutes, not both.")
    if data.is_dir() and val is None and val_fraction is None:
        from engine.cli import team_training, tuning
        from engine.messages import Accept, FineTune

        request = FineTune(
            data,
            base=base,
            against=against,
            iterations=iterations,
            minutes=minutes,
            side=side,
            classes=None if classes is None else tuple(name.strip() for name in classes.split(",")),
            seed=seed,
            accept=Accept(accept),
            device=device,
            name=name,
            notes=notes,
            resume=resume,
            window=False,
            recipe=dict(_change(text) for text in changes),
        )
        if team_training.is_team():
            return team_training.fine_tune(request)
        return tuning.run(request, as_json=as_json)
    from engine.cli import team_training, training
    from engine.train.order import TrainOrder

    order = TrainOrder(
        data=data,
        images=images,
        val=val,
        val_images=val_images,
        val_fraction=val_fraction,
        base=base,
        name=name,
        iterations=iterations,
        minutes=minutes,
        device=device,
        seed=seed,
        side=side,
        resume=resume,
        recipe=dict(_change(text) for text in changes),
    )
    if team_training.is_team():
        return team_training.train(order)
    return training.run(order, as_json=as_json)


def _change(text: str) -> tuple[str, Json]:
    """NAME=VALUE: the value as JSON, or as text where it is none."""
    name, equals, value = text.partition("=")
    if not name or not equals:
        raise click.UsageError(f"--recipe takes NAME=VALUE, such as batch=4, not '{text}'.")
    try:
        return name.strip(), json.loads(value)
    except ValueError:
        return name.strip(), value.strip()


@click.command("train-process", hidden=True, context_settings={"ignore_unknown_options": True})
@click.argument("arguments", nargs=-1)
def train_process(arguments: tuple[str, ...]) -> int:
    """Carry out an order as `python -m engine.train` does; the bundle has no `python -m`."""
    from engine.train.program import main

    return main(arguments)
