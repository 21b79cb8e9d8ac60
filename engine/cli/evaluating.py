"""The work behind `eval`: the model, the run with its progress, the table at the end."""

from __future__ import annotations

import click

from engine.cli.console import Progress, say
from engine.cli.models import obtain
from engine.device import choose_device, number_format, use_threads
from engine.formats.labelled import LabelledSet
from engine.models.card import ModelVersion
from engine.models.version import load_network
from engine.predict.predictor import Predictor
from engine.predict.settings import PredictSettings
from engine.train.evaluate import Evaluation, evaluate
from engine.train.scores import MAX_DETECTIONS, Scores

_COLUMNS = ("ap", "ap50", "ap75", "ap_small", "ap_medium", "ap_large", "recall")


def measure(truth: LabelledSet, model: str, device: str) -> tuple[ModelVersion, Evaluation]:
    """Load a model and measure it, with progress on the error stream. Raises MaskwrightError."""
    version = obtain(model)
    choice = choose_device(device)
    use_threads(window=False)
    say(f"device: {choice.reason}")
    settings = PredictSettings(max_detections=MAX_DETECTIONS)
    predictor = Predictor(
        load_network(version),
        version.card,
        settings,
        device=choice.name,
        number_format=number_format(choice.name),
    )
    with Progress("measuring", len(truth.images)) as progress:
        return version, evaluate(predictor, truth, on_image=progress.advance)


def show(scores: Scores, images: int) -> None:
    """Print the figures as a table on standard output; a dash where there is nothing to measure."""
    click.echo(f"{images} images, up to {MAX_DETECTIONS} detections each; AP and recall from 0 to 1")
    click.echo("".join(name.replace("_", " ").rjust(11) for name in ("", *_COLUMNS)))
    for kind in ("mask", "box"):
        if f"{kind}_ap" in scores.metrics:
            cells = (_cell(scores.metrics.get(f"{kind}_{name}")) for name in _COLUMNS)
            click.echo(kind.rjust(11) + "".join(cells))
    if len(scores.per_class) > 1:
        for name, values in scores.per_class.items():
            told = ", ".join(f"{key.replace('_', ' ')} {value:.3f}" for key, value in values.items())
            click.echo(f"{name}: {told}")


def _cell(value: float | None) -> str:
    return ("-" if value is None else f"{value:.3f}").rjust(11)
