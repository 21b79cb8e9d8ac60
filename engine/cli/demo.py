"""`demo`: the whole loop on the bundled pictures, without GPU, display or network.

Labels copies of the samples with the starter model; corrects half of them as a person would, from the
truth they were rendered with, which knows a class that the starter does not; trains on the corrections
for a minute and a half; and shows, on the other half, what that changed.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import webbrowser
from collections.abc import Sequence
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from engine.document.records import Instance
    from engine.formats.labelled import LabelledSet
    from engine.project import Project
    from engine.train.evaluate import Evaluation

MODEL = "starter"
LEARNED = "demo"
MINUTES = 1.5
THRESHOLD = 0.5
SAMPLES = Path(__file__).resolve().parents[2] / "resources" / "samples"

_MARK = ".made-by-maskwright-demo"
_TILE = (360, 270)  # width, height of one picture on the sheet
_GAP = 8


@click.command()
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("out", "demo"),
    show_default=True,
    help="The folder to work in.",
)
@click.option("--minutes", type=click.FloatRange(min=0, min_open=True), default=MINUTES, show_default=True)
@click.option(
    "--keep/--fresh", default=False, help="Go on with an earlier demo, or (the default) begin anew."
)
@click.option(
    "--open/--no-open", "show", default=None, help="Open report and window at the end.  [if possible]"
)
def demo(out: Path, minutes: float, *, keep: bool, show: bool | None) -> int:
    """Label sample pictures, correct half of them, learn from that, and show what it changed."""
    from engine.cli import evaluating, labelling, training
    from engine.cli.console import say
    from engine.cli.models import obtain
    from engine.formats.coco import read_coco
    from engine.messages import LabelFolder, ModelChoice
    from engine.train.order import TrainOrder
    from engine.train.report.folder import PAGE

    check_starter()
    pictures = prepare(out, keep=keep)
    taught, unseen = halves(read_coco(SAMPLES / "truth.json"))
    say(f"1 of 4: the starter model proposes objects on {len(taught.images) + len(unseen.images)} pictures")
    report = labelling.Report()
    labelling.run(LabelFolder(pictures, ModelChoice(MODEL)), report)
    if report.exit_code():
        labelling.conclude(report)
        return report.exit_code()
    corrected = correct(pictures, taught)
    new = [name for name in taught.class_names if name not in obtain(MODEL).card.classes]
    say(f"2 of 4: {corrected} pictures are corrected; the model does not know all of it: {', '.join(new)}")
    say(f"3 of 4: a copy of the model learns from these corrections for {minutes:g} minutes")
    order = TrainOrder(pictures, base=MODEL, name=LEARNED, minutes=minutes, held_out=0.0)
    if code := training.run(order):
        return code
    say(f"4 of 4: both models are measured on the {len(unseen.images)} pictures that nobody corrected")
    before, after = (evaluating.measure(unseen, obtain(name), "auto") for name in (MODEL, LEARNED))
    labelling.run(LabelFolder(pictures, ModelChoice(LEARNED)), labelling.Report())
    evaluating.tell(unseen, after, before, threshold=THRESHOLD, report=out / "report", as_json=False)
    _tell_learned(new, after.evaluation)
    write_sheet(unseen, (before.evaluation, after.evaluation), out / "before_after.png")
    _tell(out)
    if has_display() if show is None else show:
        _open(out / "report" / PAGE, pictures)
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


def halves(truth: LabelledSet) -> tuple[LabelledSet, LabelledSet]:
    """Every other picture to be taught, and those between to be measured on."""
    return truth.with_images(truth.images[::2]), truth.with_images(truth.images[1::2])


def correct(folder: Path, truth: LabelledSet) -> int:
    """Put the truth in the place of the proposals of its pictures, as a person who reviews them would.

    A picture that was reviewed before is left alone. Returns how many are reviewed now.
    """
    from dataclasses import replace

    from engine.document.records import Provenance, ReviewState, new_id
    from engine.project import Project

    by_name = {image.path.name: image.instances for image in truth.images}
    with Project.open(folder) as project:
        ids = {one.id: project.ensure_class(one.name).id for one in truth.classes}
        for item in project.media():
            if item.path in by_name and project.review_state(item.id) is not ReviewState.REVIEWED:
                drawn = [
                    replace(one, id=new_id(), class_id=ids[one.class_id], provenance=Provenance.DRAWN, z=z)
                    for z, one in enumerate(by_name[item.path])
                ]
                _correct_one(project, item.id, drawn)
    return len(by_name)


def _correct_one(project: Project, media_id: int, drawn: Sequence[Instance]) -> None:
    """One edit: the proposals go, what was drawn comes, the image is reviewed."""
    document = project.load(media_id)
    saved: list[Future[None]] = []
    document.subscribe(lambda edit: saved.append(project.save(media_id, edit.diff, name=edit.name)))
    with document.edit("Correct"):
        for instance in document.instances:
            document.remove(instance.id)
        for one in drawn:
            document.add(one)
        document.accept_image(())
    for future in saved:
        future.result()


def _tell_learned(names: Sequence[str], after: Evaluation) -> None:
    """A line for each class that the model did not know before."""
    for name in names:
        ap = after.scores.per_class.get(name, {}).get("mask_ap", 0.0)
        click.echo(f"'{name}', which it had never seen before: mask AP {ap:.2f}")


def write_sheet(truth: LabelledSet, found: Sequence[Evaluation], file: Path) -> None:
    """A PNG with a row a picture: the picture, then what each evaluation found on it.

    Raises DataError where it cannot be written.
    """
    import cv2
    import numpy as np

    from engine.errors import DataError
    from engine.media.image import read_rgb
    from engine.overlay import draw

    classes = {one.id: one for one in truth.classes}
    width, height = _TILE
    columns = 1 + len(found)
    shape = (len(truth.images) * (height + _GAP) + _GAP, columns * (width + _GAP) + _GAP, 3)
    sheet = np.full(shape, 32, dtype=np.uint8)
    for row, image in enumerate(truth.images):
        plain = read_rgb(image.path, image.frame, image.contrast)
        shown = [draw(plain, _sure(one.found[row]), classes) for one in found]
        for column, picture in enumerate((plain, *shown)):
            top, left = _GAP + row * (height + _GAP), _GAP + column * (width + _GAP)
            tile = cv2.resize(picture, _TILE, interpolation=cv2.INTER_AREA)
            sheet[top : top + height, left : left + width] = tile
    _, data = cv2.imencode(".png", cv2.cvtColor(sheet, cv2.COLOR_RGB2BGR))
    try:
        file.write_bytes(data.tobytes())
    except OSError as e:
        raise DataError(f"{file} cannot be written: {e.strerror or e}.") from e


def _sure(found: Sequence[Instance]) -> list[Instance]:
    return [one for one in found if (one.score or 0.0) >= THRESHOLD]


def has_display() -> bool:
    """Whether a window can be opened here."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _open(page: Path, pictures: Path) -> None:
    """Open the report in the browser and the project in the window; both outlive this process."""
    webbrowser.open(page.resolve().as_uri())
    main = Path(__file__).resolve().parents[2] / "main.py"
    program = [sys.executable] if getattr(sys, "frozen", False) else [sys.executable, str(main)]
    subprocess.Popen([*program, str(pictures.resolve())], start_new_session=True)


def _tell(out: Path) -> None:
    """Where things are, a line each, and what to do next."""
    click.echo(f"before and after   {out / 'before_after.png'}")
    click.echo(f"the project        {out / 'pictures'}")
    click.echo(f"Look at it: python main.py {out / 'pictures'}")
    click.echo("Next, your own pictures: python main.py FOLDER")
