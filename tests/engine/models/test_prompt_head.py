"""The mask branch for prompts: clicks change a mask where they are; models from before stay as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from engine.errors import ModelError
from engine.models.card import card_from_json, card_to_json
from engine.models.families import NetworkSpec, build
from engine.models.prompt_head import PromptPredictor, click_map, prompt_predictor
from engine.models.version import load_network, save_version
from tests.engine.networks import card_of, lively_network

SLIM = "maskrcnn_resnet18_slim_fpn"
BOX = torch.tensor([[10.0, 20.0, 38.0, 48.0]])  # a cell of 14 x 14 is 2 pixels


def clicked(*points: tuple[float, float], positive: bool) -> torch.Tensor:
    return click_map(BOX, [torch.tensor(points)], [torch.full((len(points),), positive)])


def test_that_a_click_is_a_bump_where_it_is_in_its_box() -> None:
    on, off = clicked((31.0, 27.0), positive=True)[0]
    assert on[3, 10] == pytest.approx(1.0)
    assert on.argmax() == 3 * 14 + 10
    assert 0 < on[3, 13] < on[3, 11] < 1
    assert not off.any()
    on, off = clicked((31.0, 27.0), (11.0, 47.0), positive=False)[0]
    assert not on.any()
    assert off[3, 10] == off[13, 0] == pytest.approx(1.0)
    assert not click_map(BOX, [torch.zeros(0, 2)], [torch.zeros(0, dtype=torch.bool)]).any()


def test_that_an_untrained_branch_leaves_a_mask_as_it_is_but_for_the_clicks() -> None:
    torch.manual_seed(0)
    predictor = PromptPredictor(8)
    hidden, logits = torch.randn(1, 8, 14, 14), torch.zeros(1, 28, 28)
    assert torch.equal(predictor(hidden, logits, torch.zeros(1, 2, 14, 14)), logits)
    with torch.no_grad():
        added = predictor(hidden, logits, clicked((31.0, 27.0), positive=True))[0]
        taken = predictor(hidden, logits, clicked((31.0, 27.0), positive=False))[0]
    assert added[7, 21] > 3
    assert taken[7, 21] < -3
    assert added[27, 0] == pytest.approx(0.0, abs=1e-3)


def test_that_a_network_has_the_branch_where_its_card_says_so(tmp_path: Path) -> None:
    with_it = build(NetworkSpec(SLIM, 2, prompts=True))
    assert prompt_predictor(with_it.roi_heads) is not None
    assert prompt_predictor(build(NetworkSpec(SLIM, 2)).roi_heads) is None
    assert (
        prompt_predictor(build(NetworkSpec("fasterrcnn_resnet18_slim_fpn", 2, prompts=True)).roi_heads)
        is None
    )
    card = card_of(lively_network(SLIM), SLIM)
    card = replace(card, spec=replace(card.spec, prompts=True))
    made = save_version(tmp_path, "with", build(card.spec), card)
    assert prompt_predictor(load_network(made).roi_heads) is not None


def test_that_a_card_from_before_is_of_a_network_without_the_branch() -> None:
    card = card_of(lively_network(SLIM), SLIM)
    data = card_to_json(replace(card, sha256="0" * 64))
    assert isinstance(data, dict)
    network = data["network"]
    assert isinstance(network, dict)
    del network["prompts"]
    assert card_from_json(data).spec == card.spec
    network["prompts"] = 1
    with pytest.raises(ModelError, match="'prompts' must be true or false"):
        card_from_json(data)
