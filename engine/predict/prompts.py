"""Prompts: a box or clicks on a picture whose features are kept, answered by the second stage alone.

RoIAlign, box head and mask head run on any box; backbone and FPN, most of the work, run once a picture.
The masks stay M x M in their boxes: `engine.edges` makes more of them. Knows neither files nor threads:
pictures are told apart by a key.
"""

from __future__ import annotations

import heapq
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.models.detection.roi_heads import RoIHeads
from torchvision.ops import boxes as box_ops

from engine.errors import ModelError
from engine.hint import Hint
from engine.predict import network as stages
from engine.predict.network import Steps, at_once
from engine.predict.predictor import Held, Predictor
from engine.predict.runner import Image, Runner
from engine.prediction import Prediction
from engine.prompt import Click

CACHE_BYTES = 512 * 2**20
"""R50-FPN keeps about 74 MB a picture in fp32: the one shown and some of its neighbours."""

SCORED = 16
"""Proposals under a click that the box head scores."""
OFFERED = 5
"""Candidates that get a mask."""
SAME_BOX = 0.7
"""Refined boxes that meet by this IoU are one candidate, whatever their classes."""
_A_PIXEL = torch.tensor((0.0, 0.0, 1.0, 1.0))
STAND_INS = (0.05, 0.15, 0.4)
"""Sides of squares around a click, parts of the short side, for where the RPN proposes too little."""


class FeatureCache:
    """What the backbone said of the pictures used last, up to `max_bytes`; the newest is always kept."""

    def __init__(self, max_bytes: int = CACHE_BYTES) -> None:
        self.max_bytes = max_bytes
        self._kept: OrderedDict[Hashable, Held] = OrderedDict()

    def __contains__(self, key: Hashable) -> bool:
        return key in self._kept

    @property
    def nbytes(self) -> int:
        """Of everything that is kept."""
        return sum(one.nbytes for one in self._kept.values())

    def get(self, key: Hashable) -> Held | None:
        """What is kept for a picture, which makes it the newest."""
        held = self._kept.get(key)
        if held is not None:
            self._kept.move_to_end(key)
        return held

    def put(self, key: Hashable, held: Held) -> None:
        """Keep it; the oldest ones make room."""
        self._kept[key] = held
        self._kept.move_to_end(key)
        left = self.nbytes
        while left > self.max_bytes and len(self._kept) > 1:
            left -= self._kept.popitem(last=False)[1].nbytes


@dataclass(frozen=True, slots=True, eq=False)
class _Candidates:
    """Boxes (N x 4, resized-image pixels) with score (N, 0..1) and label (N, 1-based)."""

    boxes: Tensor
    scores: Tensor
    labels: Tensor

    def take(self, keep: Tensor) -> _Candidates:
        return _Candidates(self.boxes[keep], self.scores[keep], self.labels[keep])


class Prompter:
    """Answers prompts on pictures with one model. Raises ModelError for a model without masks."""

    def __init__(self, predictor: Runner, max_bytes: int = CACHE_BYTES) -> None:
        if not isinstance(predictor, Predictor) or not predictor.has_masks:
            raise ModelError(
                f"Model {predictor.card.name} knows boxes alone and makes no masks: "
                "choose a Mask R-CNN for that."
            )
        self.cache = FeatureCache(max_bytes)
        self._predictor = predictor
        self._looking: dict[Hashable, Steps[None]] = {}  # looks that were begun and have not ended

    def set_image(self, key: Hashable, read: Callable[[], Image]) -> Held:
        """What the backbone says of a picture, computed unless it is kept. read: its H x W x 3 uint8 RGB."""
        at_once(self._look(key, read))
        held = self.cache.get(key)
        if held is None:  # no room
            held = self._predictor.hold(read())
            self.cache.put(key, held)
        return held

    def hold(self, image: Image) -> Steps[Held]:
        """As `set_image`, in steps and without keeping anything."""
        held = yield from self._predictor.try_to_hold(image)
        return held or self._predictor.hold(image)

    def predict(self, key: Hashable, read: Callable[[], Image]) -> Steps[Prediction]:
        """The whole network's answer; what its first stage said is kept for prompts. Raises ModelError.

        A prompt on the same picture between two steps goes on from where this has come to.
        """
        yield from self._look(key, read)
        held = self.cache.get(key)
        if held is not None:
            return (yield from self._predictor.finish(held))
        # No room: smaller, or elsewhere, and nothing is kept.
        return (yield from self._predictor.predict_one(read()))

    def _look(self, key: Hashable, read: Callable[[], Image]) -> Steps[None]:
        """Put the picture into the cache, if there is room; one look a picture, whoever goes on with it."""
        if self.cache.get(key) is not None:
            return
        if key not in self._looking:
            self._looking[key] = self._hold(key, read)
        yield from self._looking[key]

    def _hold(self, key: Hashable, read: Callable[[], Image]) -> Steps[None]:
        try:
            held = yield from self._predictor.try_to_hold(read())
            if held is not None:
                self.cache.put(key, held)
        finally:
            del self._looking[key]

    def predict_box(
        self,
        held: Held,
        box_xyxy: Sequence[float],
        class_name: str | None = None,
        clicks: Sequence[Click] = (),
    ) -> Prediction:
        """`predict_boxes` of one box. Raises ModelError for a box that lies outside the picture."""
        answer = self.predict_boxes(held, [box_xyxy], [class_name], clicks)
        if not _has_inside(answer.boxes_xyxy[0]):
            raise ModelError("The box holds no pixel of the picture: drag it over the object.")
        return answer

    def predict_boxes(
        self,
        held: Held,
        boxes_xyxy: Sequence[Sequence[float]],
        class_names: Sequence[str | None],
        clicks: Sequence[Click] = (),
    ) -> Prediction:
        """The mask inside each box, of the class that is named or of the most likely one.

        boxes_xyxy: N x 4, image pixels. One detection a box, in their order, with that very box as far as it
        lies in the picture; its score is the class's among the foreground classes. A class that the model
        does not know gets the mask of the most likely one. A box outside the picture gets an empty mask.
        clicks: what else a person said of them, for a model with a branch that listens.
        """
        edges = np.asarray(boxes_xyxy, np.float32).reshape(-1, 4)
        edges = np.clip(np.nan_to_num(edges), 0, (held.width, held.height) * 2).astype(np.float32)
        there = np.array([_has_inside(box) for box in edges], np.bool_)
        boxes = torch.from_numpy(edges).to(held.proposals.device)
        with self._predictor.running():
            resized = torch.where(
                torch.from_numpy(there).to(boxes.device)[:, None], boxes, _A_PIXEL.to(boxes)
            )
            resized = resized * _scale(held).to(boxes)
            logits, _ = self._box_head(held, resized)
            chances = logits[:, 1:].softmax(dim=1)  # the person says that it is no background
            named = [self._label_of(name) for name in class_names]
            labels = torch.tensor(named, dtype=torch.int64, device=boxes.device)
            labels = torch.where(labels > 0, labels, chances.argmax(dim=1) + 1)
            scores = chances.gather(1, labels[:, None] - 1)[:, 0]
            found = _Candidates(resized, scores, labels)
            probs, frames = self._masks(held, found, clicks)
            probs[torch.from_numpy(~there).to(probs.device)] = 0.0
        return self._answer(held, boxes, found, probs, frames)

    def predict_points(self, held: Held, clicks: Sequence[Click]) -> Prediction:
        """Candidates for what was clicked on, best first: those of `points_one_by_one`."""
        return Prediction.joined(list(self.points_one_by_one(held, clicks)))

    def points_one_by_one(self, held: Held, clicks: Sequence[Click]) -> Iterator[Prediction]:
        """The same, one detection each; masks are made when they are needed to tell which is the next best.

        Their boxes contain every positive click; a candidate whose mask holds a negative one is left out
        where there are others. Raises ModelError where no click is positive.
        """
        wanted = [click for click in clicks if click.positive]
        if not wanted:
            raise ModelError("Click on the object first: what to leave out comes after that.")
        with self._predictor.running():
            found = self._scored(held, wanted)
        boxes = found.boxes / _scale(held).to(found.boxes)
        scores = found.scores.tolist()
        ranked: list[tuple[bool, float, int, Prediction]] = []  # a heap: what opposes the clicks is last
        made, some_agree = 0, False
        while made < len(scores) or ranked:
            best = -ranked[0][1] if ranked and not ranked[0][0] else None
            # A mask can only lower what the box head says: those that score more could still be better.
            rivals = 1 if best is None else sum(score > best for score in scores[made:])
            rows = list(range(made, min(made + rivals, len(scores))))
            if rows:
                few = found.take(torch.tensor(rows, device=boxes.device))
                with self._predictor.running():
                    probs, frames = self._masks(held, few, clicks)
                answers = self._answer(held, boxes[rows], few, probs, frames)
                for place, row in enumerate(rows):
                    answer = answers.take(np.array([place]))
                    opposes, weight = _weighed(answer, clicks)
                    heapq.heappush(ranked, (opposes, -weight, row, answer))
                made += len(rows)
            elif best is None and some_agree:
                return
            else:
                some_agree = some_agree or best is not None
                yield heapq.heappop(ranked)[-1]

    def refine(
        self, held: Held, box_xyxy: Sequence[float], clicks: Sequence[Click], class_name: str | None = None
    ) -> Prediction:
        """The mask inside a box that grows to hold every positive click."""
        x0, y0, x1, y1 = box_xyxy
        for click in clicks:
            if click.positive:
                x0, y0 = min(x0, click.x), min(y0, click.y)
                x1, y1 = max(x1, click.x), max(y1, click.y)
        return self.predict_box(held, (x0, y0, x1, y1), class_name, clicks)

    def predict_polygon_hint(self, held: Held, hint: Hint, class_name: str | None = None) -> Prediction:
        """The model's word on what a rough outline, such as a polygon, is drawn around, in the hint's box.

        It hears what the outline is sure of as clicks; `engine.hint.fitted` weighs the two against each
        other. class_name as in `predict_boxes`.
        """
        return self.predict_box(held, hint.box_xyxy, class_name, hint.clicks(held.picture))

    # The second stage

    def _box_head(self, held: Held, boxes: Tensor) -> tuple[Tensor, Tensor]:
        """Logits (N x classes + 1) and moves of boxes in resized-image pixels."""
        heads = cast(RoIHeads, self._predictor.network.roi_heads)
        pooled = heads.box_roi_pool(held.features.pooled, [boxes], held.features.shapes)
        logits, moves = heads.box_predictor(heads.box_head(pooled))
        return logits.float(), moves.float()

    def _masks(self, held: Held, found: _Candidates, clicks: Sequence[Click]) -> tuple[Tensor, Tensor]:
        """M x M probabilities, told by the clicks where the model has a branch that they reach, and the
        frames that they fill, resized-image pixels.
        """
        scale = _scale(held)[:2].to(found.boxes)
        points = found.boxes.new_tensor([(one.x, one.y) for one in clicks]).reshape(-1, 2) * scale
        positive = torch.tensor([one.positive for one in clicks], dtype=torch.bool, device=points.device)
        network, features = self._predictor.network, held.features
        return stages.prompt_masks(network, features, found.boxes, found.labels, points, positive)

    def _scored(self, held: Held, wanted: Sequence[Click]) -> _Candidates:
        """The proposals under the clicks, refined by the box head, one of each place, best first."""
        scale = _scale(held).to(held.proposals)
        points = torch.tensor([(c.x, c.y) for c in wanted]).to(held.proposals) * scale[:2]
        start = held.proposals[_hold(held.proposals, points)][:SCORED]
        if len(start) < OFFERED:
            start = torch.cat((start, _stand_ins(points, held.features.shapes[0])))
        logits, moves = self._box_head(held, start)
        scores, labels = logits.softmax(dim=1)[:, 1:].max(dim=1)
        labels = labels + 1
        heads = cast(RoIHeads, self._predictor.network.roi_heads)
        every = heads.box_coder.decode(moves, [start]).reshape(len(start), -1, 4)
        boxes = every[torch.arange(len(start), device=every.device), labels]
        boxes = box_ops.clip_boxes_to_image(boxes, held.features.shapes[0])
        # A box that was moved off the click is another object's: then the proposal itself counts.
        boxes = torch.where(_hold(boxes, points)[:, None], boxes, start)
        keep = box_ops.nms(boxes, scores, SAME_BOX)[:OFFERED]
        return _Candidates(boxes, scores, labels).take(keep)

    def _label_of(self, class_name: str | None) -> int:
        """1-based; 0 for a class that the model does not know."""
        classes = self._predictor.card.classes
        return classes.index(class_name) + 1 if class_name in classes else 0

    def _answer(
        self, held: Held, boxes: Tensor, found: _Candidates, probs: Tensor, frames: Tensor
    ) -> Prediction:
        """boxes: N x 4, image pixels; frames: N x 4, resized-image pixels."""
        return Prediction(
            width=held.width,
            height=held.height,
            classes=self._predictor.card.classes,
            boxes_xyxy=boxes.float().cpu().numpy(),
            scores=found.scores.float().cpu().numpy(),
            labels=found.labels.cpu().numpy(),
            mask_probs=probs.float().cpu().numpy(),
            mask_frames=(frames / _scale(held).to(frames)).float().cpu().numpy(),
        )


def _scale(held: Held) -> Tensor:
    """Resized-image pixels an image pixel: x, y, x, y."""
    height, width = held.features.shapes[0]
    across, down = width / held.width, height / held.height
    return torch.tensor((across, down, across, down))


def _has_inside(box: NDArray[np.float32]) -> bool:
    return bool(box[2] > box[0] and box[3] > box[1])


def _hold(boxes: Tensor, points: Tensor) -> Tensor:
    """Which boxes (N x 4) hold all points (K x 2): N bool."""
    after = (boxes[:, None, :2] <= points).all(dim=2)
    before = (points < boxes[:, None, 2:]).all(dim=2)
    return (after & before).all(dim=1)


def _stand_ins(points: Tensor, shape: tuple[int, int]) -> Tensor:
    """Boxes around the points, of several sizes, inside a picture of that height and width."""
    low, high = points.min(dim=0).values, points.max(dim=0).values
    margins = points.new_tensor(STAND_INS)[:, None] * min(shape) / 2
    boxes = torch.cat((low - margins, high + margins), dim=1)
    return cast(Tensor, box_ops.clip_boxes_to_image(boxes, shape))


# What clicks make of masks


def _weighed(answer: Prediction, clicks: Sequence[Click]) -> tuple[bool, float]:
    """Of one candidate: whether its mask holds a negative click, and its score by how well it agrees."""
    said = [(_at(answer, 0, one), one.positive) for one in clicks]
    agreement = min(chance if positive else 1 - chance for chance, positive in said)
    opposes = any(chance > 0.5 for chance, positive in said if not positive)
    return opposes, float(answer.scores[0]) * agreement


def _at(answer: Prediction, row: int, click: Click) -> float:
    """A mask's probability under a click; 0 outside its frame."""
    assert answer.mask_probs is not None
    side = answer.mask_probs.shape[-1]
    x0, y0, x1, y1 = (float(edge) for edge in answer.frames[row])
    if not (x0 <= click.x < x1 and y0 <= click.y < y1):
        return 0.0
    column, down = ((click.x - x0) / (x1 - x0) * side, (click.y - y0) / (y1 - y0) * side)
    return float(answer.mask_probs[row, min(int(down), side - 1), min(int(column), side - 1)])
