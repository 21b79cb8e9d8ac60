"""What a predictor does when memory ends or numbers go bad: the batch goes on."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pytest
import torch

from engine.device import NumberFormat
from engine.errors import ModelError
from engine.predict.predictor import Predictor
from engine.predict.runner import Image, is_out_of_memory
from engine.predict.settings import PredictSettings
from engine.predict.winograd import WinogradConv2d
from engine.prediction import Prediction
from tests.engine.iou import box_iou
from tests.engine.networks import card_of, lively_network, picture

ARCHITECTURE = "maskrcnn_resnet18_slim_fpn"


@pytest.fixture
def predictor() -> Predictor:
    network = lively_network(ARCHITECTURE, 64, 96)
    return Predictor(network, card_of(network, ARCHITECTURE))


def let_memory_end(
    predictor: Predictor,
    monkeypatch: pytest.MonkeyPatch,
    when: Callable[[int, float], bool],
    error: type[Exception] = torch.OutOfMemoryError,
) -> list[tuple[int, float]]:
    """Have the forward pass run out of memory `when(pictures, shrink)`; the tries so far."""
    tries: list[tuple[int, float]] = []
    whole = predictor._forward

    def forward(images: Sequence[Image], device: torch.device, shrink: float) -> Any:
        tries.append((len(images), shrink))
        if when(len(images), shrink):
            raise error("out of memory")
        return whole(images, device, shrink)

    monkeypatch.setattr(predictor, "_forward", forward)
    return tries


def test_that_a_batch_too_large_for_memory_is_halved(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = [picture(60, 80, seed) for seed in range(5)]
    alone = [predictor.predict([image])[0] for image in images]
    tries = let_memory_end(predictor, monkeypatch, lambda pictures, _: pictures > 2)
    answers = predictor.predict_each(images)
    assert max(count for count, _ in tries[1:]) < 5
    for answer, want in zip(answers, alone, strict=True):
        assert isinstance(answer, Prediction)
        np.testing.assert_allclose(answer.scores[:5], want.scores[:5], atol=1e-3)


def test_that_a_picture_too_large_for_memory_is_shrunk(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    tries = let_memory_end(predictor, monkeypatch, lambda _, shrink: shrink > 0.6)
    (answer,) = predictor.predict_each([picture(60, 80)])
    assert isinstance(answer, Prediction)
    assert (answer.width, answer.height) == (80, 60)
    assert answer.boxes_xyxy.max() > 40  # boxes are in pixels of the picture as it came
    assert tries == [(1, 1.0), (1, 0.75), (1, 0.5)]


@pytest.mark.parametrize("error", [torch.OutOfMemoryError, MemoryError, RuntimeError])
def test_that_one_picture_without_hope_fails_alone(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch, error: type[Exception]
) -> None:
    images = [picture(60, 80), picture(70, 90), picture(60, 80)]
    hopeless = images[1]
    whole = predictor._forward

    def forward(batch: Sequence[Image], *rest: Any) -> Any:
        if any(image is hopeless for image in batch):
            raise error("DefaultCPUAllocator: can't allocate memory")
        return whole(batch, *rest)

    monkeypatch.setattr(predictor, "_forward", forward)
    first, failed, last = predictor.predict_each(images)
    assert isinstance(first, Prediction)
    assert isinstance(last, Prediction)
    assert isinstance(failed, ModelError)
    assert "90 x 70" in str(failed)
    with pytest.raises(ModelError, match="Memory ran out"):
        predictor.predict(images)


def test_that_an_error_other_than_memory_is_not_swallowed(
    predictor: Predictor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def forward(*_: Any) -> Any:
        raise RuntimeError("shapes do not match")

    monkeypatch.setattr(predictor, "_forward", forward)
    with pytest.raises(RuntimeError, match="shapes"):
        predictor.predict([picture(60, 80)])
    assert not is_out_of_memory(RuntimeError("shapes do not match"))


def test_that_numbers_that_are_not_finite_fail_the_picture_and_not_the_program() -> None:
    network = lively_network(ARCHITECTURE, 64, 96)
    with torch.no_grad():
        next(network.backbone.body.parameters()).fill_(float("nan"))
    (answer,) = Predictor(network, card_of(network, ARCHITECTURE)).predict_each([picture(60, 80)])
    assert isinstance(answer, ModelError)
    assert "not finite" in str(answer)


def test_that_no_pictures_get_no_answers(predictor: Predictor) -> None:
    assert predictor.predict([]) == []


def test_that_settings_cap_the_detections() -> None:
    network = lively_network(ARCHITECTURE, 64, 96)
    capped = Predictor(network, card_of(network, ARCHITECTURE), PredictSettings(max_detections=7))
    assert len(capped.predict([picture(60, 80)])[0]) == 7


def test_that_the_key_tells_settings_apart() -> None:
    assert PredictSettings().key() == PredictSettings().key()
    assert PredictSettings().key() != PredictSettings(proposals=299).key()
    assert PredictSettings().key() != PredictSettings.reference().key()


def test_that_winograd_and_layout_change_the_answers_by_rounding_only() -> None:
    architecture = "maskrcnn_resnet18_fpn"
    images = [picture(60, 80, seed) for seed in range(2)]
    answers = []
    for quick in (False, True):
        network = lively_network(architecture, 96, 160)
        number_format = NumberFormat(False, quick, 1.0, "for the test", winograd=quick)
        predictor = Predictor(network, card_of(network, architecture), number_format=number_format)
        used = sum(isinstance(m, WinogradConv2d) for m in predictor._network.modules())
        assert bool(used) is quick
        answers.append([predictor.predict([image])[0] for image in images])
    for plain, fast in zip(*answers, strict=True):
        np.testing.assert_allclose(fast.scores[:20], plain.scores[:20], atol=1e-2)
        overlap = box_iou(plain.boxes_xyxy[:20], fast.boxes_xyxy)
        assert (overlap.max(axis=1) > 0.95).mean() >= 0.9
