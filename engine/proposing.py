"""Turns a model's answer for one image into proposals, and names what they were made from. No torch.

The batch job and the window both use it, so that an image looks the same whoever labelled it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from engine.document.contrast import AUTOMATIC, Contrast
from engine.document.records import Instance, Provenance, new_id
from engine.predict.settings import PredictSettings
from engine.prediction import Prediction
from engine.refilter import masks


def prediction_key(
    content_hash: str,
    frame: int,
    weights_sha256: str,
    settings: PredictSettings,
    classes: Iterable[str] | None,
    contrast: Contrast = AUTOMATIC,
) -> str:
    """Equal keys mean equal proposals: content of the image, weights, and every setting that matters.

    classes: the names that are stored, None for all. contrast: the one in force.
    """
    stored = "*" if classes is None else ",".join(sorted(classes))
    content = content_key(content_hash, frame, contrast)
    return f"{content} {weights_sha256} {settings.key()} classes={stored}"


def content_key(content_hash: str, frame: int, contrast: Contrast) -> str:
    """What a model was shown, in one word. contrast: the one in force."""
    return f"{content_hash}:{frame}{_mark(contrast)}"


def was_seen_with(key: str, contrast: Contrast) -> bool:
    """Whether proposals of this key were made of the picture as this contrast, in force, shows it.

    Of an empty key nobody knows: then it is taken to be so.
    """
    if not key:
        return True
    content = key.partition(" ")[0]
    return content[content.find("[") :] == _mark(contrast) if "[" in content else not _mark(contrast)


def _mark(contrast: Contrast) -> str:
    return "" if contrast == AUTOMATIC else f"[{contrast}]"


def proposals(
    prediction: Prediction, class_id: Callable[[str], int], mask_cutoff: float = 0.5
) -> list[Instance | None]:
    """A new proposal for each detection, in its place; None where no pixel of its mask passes the cut-off.

    class_id: the project's id for a class's name.
    """
    found: list[Instance | None] = []
    ids: dict[str, int] = {}
    for row, mask in enumerate(masks(prediction, mask_cutoff)):
        if mask is not None and mask.is_empty:
            found.append(None)
            continue
        name = prediction.classes[int(prediction.labels[row]) - 1]
        if name not in ids:
            ids[name] = class_id(name)
        x0, y0, x1, y1 = (float(v) for v in prediction.boxes_xyxy[row])
        found.append(
            Instance(
                id=new_id(),
                class_id=ids[name],
                mask=mask,
                box_xyxy=(x0, y0, x1, y1),
                score=float(prediction.scores[row]),
                provenance=Provenance.PREDICTED,
                z=row,
            )
        )
    return found
