"""Measure a model on labelled images: run it on each, score what it finds and match it with the truth.

Knows pictures, predictors and scores; prints nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from torchvision.models.detection import FasterRCNN

from engine.device import NumberFormat
from engine.document.records import Instance, Provenance
from engine.errors import DataError, MediaError
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.media.image import read_rgb
from engine.models.card import ModelCard
from engine.predict.predictor import Predictor
from engine.predict.settings import PredictSettings
from engine.prediction import Prediction
from engine.refilter import masks
from engine.train.confusion import Matches, match
from engine.train.scores import MAX_DETECTIONS, Scores, score


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Scores, what was taken for what, and the detections they are of.

    found: those of each image in the set's order, instances of the set's classes.
    """

    scores: Scores
    matches: Matches
    found: tuple[tuple[Instance, ...], ...]


def evaluate(
    predictor: Predictor, truth: LabelledSet, *, on_image: Callable[[], None] = lambda: None
) -> Evaluation:
    """Run a model on every image of the set and score it; `on_image` is called after each.

    Classes are matched by name; what the model calls by other names is left out. Raises DataError
    where no class agrees, MediaError for a picture that cannot be read, ModelError where the model
    fails on one.
    """
    ids = {one.name: one.id for one in truth.classes}
    if not ids.keys() & set(predictor.card.classes):
        raise DataError(
            f"The model knows {_listed(predictor.card.classes)} and the data {_listed(ids)}, none alike: "
            "choose another model, or name the classes alike."
        )
    found = []
    for image in truth.images:
        found.append(found_on(predictor, image, ids))
        on_image()
    return assess(truth, found)


def found_on(predictor: Predictor, image: LabelledImage, ids: dict[str, int]) -> tuple[Instance, ...]:
    """Run a model on one image; see `evaluate` and `detections`."""
    (prediction,) = predictor.predict([read_rgb(image.path, image.frame, image.contrast)])
    return detections(prediction, image, ids)


def readable(truth: LabelledSet) -> LabelledSet:
    """The images that are still what was labelled; a picture may go while hours are spent on a training."""

    def is_there(image: LabelledImage) -> bool:
        try:
            height, width = read_rgb(image.path, image.frame, image.contrast).shape[:2]
        except MediaError:
            return False
        return (width, height) == (image.width, image.height)

    return truth.with_images(tuple(filter(is_there, truth.images)))


def assess(truth: LabelledSet, found: Sequence[Sequence[Instance]]) -> Evaluation:
    """Score and match detections that are there already, given for each image of `truth` in order."""
    return Evaluation(score(truth, found), match(truth, found), tuple(tuple(own) for own in found))


def evaluate_network(
    network: FasterRCNN,
    card: ModelCard,
    truth: LabelledSet,
    device: str,
    *,
    on_image: Callable[[], None] = lambda: None,
    fine_masks: bool | None = None,
) -> Evaluation:
    """As `evaluate`, for a network in memory; it is not to be used afterwards."""
    settings = PredictSettings(max_detections=MAX_DETECTIONS, fine_masks=fine_masks)
    last = NumberFormat(False, True, 1.0, "as it is trained")
    predictor = Predictor(network, card, settings, device=device, number_format=last)
    return evaluate(predictor, truth, on_image=on_image)


def detections(prediction: Prediction, image: LabelledImage, ids: dict[str, int]) -> tuple[Instance, ...]:
    """A prediction as instances of the classes in `ids` (name -> id).

    Raises DataError where the picture is not of the size that its labels were made for.
    """
    if (prediction.width, prediction.height) != (image.width, image.height):
        raise DataError(
            f"{image.path} is {prediction.width} x {prediction.height} pixels, but its labels are for "
            f"{image.width} x {image.height}: it is another picture, or was resized or turned. Label it anew."
        )
    instances = []
    for n, mask in enumerate(masks(prediction)):
        name = prediction.classes[int(prediction.labels[n]) - 1]
        if name not in ids:
            continue
        x0, y0, x1, y1 = (float(edge) for edge in prediction.boxes_xyxy[n])
        instances.append(
            Instance(
                n + 1,
                ids[name],
                mask,
                (x0, y0, x1, y1),
                score=float(prediction.scores[n]),
                provenance=Provenance.PREDICTED,
            )
        )
    return tuple(instances)


def _listed(names: Iterable[str]) -> str:
    text = ", ".join(f"'{name}'" for name in names)
    return text or "no class"
