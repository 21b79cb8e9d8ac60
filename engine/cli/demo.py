"""`demo`: the main job from end to end on the bundled sample pictures, without GPU, display or network.

Labels copies of the samples with the starter model, scores what it found against the truth that the
pictures were rendered with, and puts before and after side by side.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from engine.formats.labelled import LabelledSet

MODEL = "starter"
THRESHOLD = 0.5
SAMPLES = Path(__file__).resolve().parents[2] / "resources" / "samples"

_MARK = ".made-by-maskwright-demo"
_TILE = (360, 270)  # width, height of one picture on the sheet
_GAP = 8
_PAIRS_IN_A_ROW = 2


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("out", "demo"),
    show_default=True,
    help="The folder to work in.",
)
@click.option(
    "--keep/--fresh", default=False, help="Go on with an earlier demo, or (the default) begin anew."
)
def demo(out: Path, keep: bool) -> int:
    """Label the bundled sample pictures, score the masks and show before and after."""
    from engine.cli import labelling
    from engine.formats.coco import read_coco
    from engine.messages import LabelFolder, ModelChoice

    check_starter()
    pictures = prepare(out, keep=keep)
    report = labelling.Report()
    labelling.run(LabelFolder(pictures, ModelChoice(MODEL)), report)
    labelling.conclude(report)
    if report.canceled or report.failures:
        return report.exit_code()
    # Scored on all that the model proposes, shown from the usual threshold up.
    labelling.write_results(report, 0.0, None, out / "proposals.json", None)
    labelling.write_results(report, THRESHOLD, None, out / "labels.json", out / "overlays")
    proposals = read_coco(out / "proposals.json")
    shown = read_coco(out / "labels.json")
    write_sheet(shown, out / "before_after.png")
    _tell(out, verdict(proposals, read_coco(SAMPLES / "truth.json")))
    return 0


def check_starter() -> None:
    """Raises ModelError, in one sentence, where the starter model is not here."""
    from engine.errors import ModelError
    from engine.models.store import default_store

    if MODEL not in {model.name for model in default_store().list()}:
        raise ModelError(
            f"The demo labels with the bundled model '{MODEL}', which this checkout lacks: "
            f"get {Path('resources', 'models', MODEL)}.safetensors and .json from the repository."
        )


def prepare(out: Path, *, keep: bool) -> Path:
    """The folder of sample pictures to label, under `out`; made anew unless it is to be kept.

    Only a folder that an earlier demo made is emptied. Raises DataError for a folder with other
    things in it, and where it cannot be written.
    """
    from engine.errors import DataError

    try:
        if out.exists() and any(out.iterdir()):
            if not (out / _MARK).is_file():
                raise DataError(
                    f"{out} holds files that the demo did not make: choose another folder with --out."
                )
            if not keep:
                shutil.rmtree(out)
        pictures = out / "pictures"
        pictures.mkdir(parents=True, exist_ok=True)
        (out / _MARK).touch()
        for picture in sorted(SAMPLES.glob("*.jpg")):
            if not (pictures / picture.name).exists():
                shutil.copyfile(picture, pictures / picture.name)
    except OSError as e:
        raise DataError(f"{e.filename or out} cannot be written: {e.strerror or e}.") from e
    return pictures


def verdict(proposals: LabelledSet, truth: LabelledSet) -> str:
    """How good the proposals are, as a line: AP of the masks, pictures and classes matched by name."""
    from dataclasses import replace

    from engine.train.scores import score

    names = {one.id: one.name for one in proposals.classes}
    numbers = {one.name: one.id for one in truth.classes}
    by_picture = {image.path.name: image.instances for image in proposals.images}
    found = [
        [
            # What a person made or accepted since the last demo has no score: it counts as sure.
            replace(one, class_id=numbers[names[one.class_id]], score=1.0 if one.score is None else one.score)
            for one in by_picture.get(image.path.name, ())
            if names[one.class_id] in numbers
        ]
        for image in truth.images
    ]
    metrics = score(truth, found).metrics
    return (
        f"mask AP {metrics['mask_ap']:.2f}, AP50 {metrics['mask_ap50']:.2f} over {truth.instance_count} "
        f"objects in {len(truth.images)} pictures"
    )


def write_sheet(labelled: LabelledSet, file: Path) -> None:
    """Every picture beside itself with its masks, as one PNG. Raises DataError where it cannot be written."""
    import cv2
    import numpy as np

    from engine.errors import DataError
    from engine.media.image import read_rgb
    from engine.overlay import draw

    classes = {one.id: one for one in labelled.classes}
    width, height = _TILE
    pair = 2 * width + _GAP
    rows = -(-len(labelled.images) // _PAIRS_IN_A_ROW)
    shape = (rows * (height + _GAP) + _GAP, _PAIRS_IN_A_ROW * (pair + 2 * _GAP), 3)
    sheet = np.full(shape, 32, dtype=np.uint8)
    for number, image in enumerate(labelled.images):
        before = read_rgb(image.path)
        row, column = divmod(number, _PAIRS_IN_A_ROW)
        top, left = _GAP + row * (height + _GAP), _GAP + column * (pair + 2 * _GAP)
        for picture in (before, draw(before, image.instances, classes)):
            tile = cv2.resize(picture, _TILE, interpolation=cv2.INTER_AREA)
            sheet[top : top + height, left : left + width] = tile
            left += width + _GAP
    _, data = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    try:
        file.write_bytes(data.tobytes())
    except OSError as e:
        raise DataError(f"{file} cannot be written: {e.strerror or e}.") from e


def _tell(out: Path, line: str) -> None:
    """Where things are, a line each, and what to do next."""
    click.echo(line)
    click.echo(f"before and after   {out / 'before_after.png'}")
    click.echo(f"pictures + masks   {out / 'overlays'}")
    click.echo(f"labels (COCO)      {out / 'labels.json'}")
    click.echo(f"the project        {out / 'pictures'}")
    click.echo("Next, your own pictures: python main.py label FOLDER --out labels.json --overlays overlays")
