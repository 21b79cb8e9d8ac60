"""The mask branch for prompts: clicks change a mask where they are; models from before stay as they are."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torchvision.ops import roi_align

from engine.errors import ModelError
from engine.models.card import card_from_json, card_to_json, sha256_of
from engine.models.families import NetworkSpec, build
from engine.models.prompt_head import (
    BEFORE,
    MARGIN,
    OUTSIDE,
    SIDE,
    PromptHead,
    Seen,
    click_map,
    in_regions,
    prompt_head,
    regions_of,
)
from engine.models.version import ModelVersion, load_network, save_version
from tests.engine.networks import card_of, lively_network

SLIM = "maskrcnn_resnet18_slim_fpn"
BOX = torch.tensor([[10.0, 20.0, 122.0, 132.0]])  # a cell of 56 x 56 is 2 pixels
CHANNELS = (8, 16)
WIDTH, FINE = 16, 8


def clicked(*points: tuple[float, float], positive: bool) -> torch.Tensor:
    return click_map(BOX, [torch.tensor(points)], [torch.full((len(points),), positive)])


def seen(count: int = 1) -> Seen:
    half = SIDE // 2
    return Seen(torch.randn(count, 2 * WIDTH, half, half), torch.randn(count, FINE, SIDE, SIDE))


def test_that_a_click_is_a_bump_where_it_is_in_its_frame() -> None:
    on, off = clicked((31.0, 27.0), positive=True)[0]
    assert on[3, 10] == pytest.approx(1.0)
    assert on.argmax() == 3 * SIDE + 10
    assert 0 < on[3, 15] < on[3, 11] < 1
    assert not off.any()
    on, off = clicked((31.0, 27.0), (11.0, 131.0), positive=False)[0]
    assert not on.any()
    assert off[3, 10] == off[55, 0] == pytest.approx(1.0)
    assert not click_map(BOX, [torch.zeros(0, 2)], [torch.zeros(0, dtype=torch.bool)]).any()


def test_that_an_untrained_branch_leaves_a_mask_as_it_is_but_for_the_clicks() -> None:
    torch.manual_seed(0)
    head = PromptHead(CHANNELS, WIDTH)
    said, inside = torch.zeros(1, SIDE, SIDE), torch.ones(1, SIDE, SIDE)
    with torch.no_grad():
        assert torch.equal(head(seen(), said, inside, torch.zeros(1, 2, SIDE, SIDE)), said)
        added = head(seen(), said, inside, clicked((31.0, 27.0), positive=True))[0]
        taken = head(seen(), said, inside, clicked((31.0, 27.0), positive=False))[0]
    assert added[3, 10] > 3
    assert taken[3, 10] < -3
    assert added[55, 0] == pytest.approx(0.0, abs=1e-3)


def test_that_what_is_said_of_a_box_lies_in_the_middle_of_its_region() -> None:
    logits = torch.full((1, 28, 28), 3.0)
    logits[0, :, :14] = -3.0
    said, inside = in_regions(logits)
    edge = round(SIDE * MARGIN / (1 + 2 * MARGIN))
    assert inside.sum() == (SIDE - 2 * edge) ** 2
    assert bool((said[inside == 0] == OUTSIDE).all())
    assert said[0, SIDE // 2, edge] == pytest.approx(-3.0)
    assert said[0, SIDE // 2, SIDE - 1 - edge] == pytest.approx(3.0)
    assert regions_of(torch.tensor([[10.0, 20.0, 110.0, 40.0]])).tolist() == [[-10.0, 16.0, 130.0, 44.0]]


def test_that_regions_are_pooled_as_roi_align_does() -> None:
    torch.manual_seed(0)
    head = PromptHead(CHANNELS, WIDTH)
    with torch.no_grad():
        maps = [one[0] for one in head.look([torch.randn(1, 8, 40, 60), torch.randn(1, 16, 20, 30)])]
        regions = torch.tensor([[8.0, 12.0, 120.0, 124.0], [-30.0, 100.0, 26.0, 212.0]])
        found = head.pool(maps, regions, (160, 240))
        for pooled, level, scale in (
            (found.fine, maps[0], 0.25),
            (found.coarse[:, :WIDTH], maps[1], 0.25),
            (found.coarse[:, WIDTH:], maps[2], 0.125),
        ):
            side = pooled.shape[-1]
            samples = max(1, min(8, round(112 * scale / side) + 1))
            wanted = roi_align(level[None], [regions[:1]], side, scale, samples, aligned=True)
            torch.testing.assert_close(pooled[:1], wanted, atol=1e-4, rtol=1e-4)
    # Beyond the picture its outermost cells go on, where torchvision has zeros.
    torch.testing.assert_close(found.fine[1, :, 0, 0], maps[0][:, 25, 0], atol=0.5, rtol=0.5)
    assert head.pool(maps, regions[:0], (160, 240)).coarse.shape == (0, 2 * WIDTH, SIDE // 2, SIDE // 2)


@pytest.mark.parametrize("before", BEFORE)
def test_that_a_model_with_an_earlier_branch_is_read_without_it(before: str, tmp_path: Path) -> None:
    network = lively_network(SLIM)
    card = card_of(network, SLIM)
    made = save_version(tmp_path, "before", network, card)
    state = safetensors.torch.load_file(made.path)
    state[f"{before}hidden.bias"] = torch.zeros(64)
    safetensors.torch.save_file(state, made.path)
    card = replace(made.card, spec=replace(card.spec, prompts=True), sha256=sha256_of(made.path))
    assert prompt_head(load_network(ModelVersion(made.path, card)).roi_heads) is None


def test_that_a_network_has_the_branch_where_its_card_says_so(tmp_path: Path) -> None:
    with_it = build(NetworkSpec(SLIM, 2, prompts=True))
    assert prompt_head(with_it.roi_heads) is not None
    assert prompt_head(build(NetworkSpec(SLIM, 2)).roi_heads) is None
    assert prompt_head(build(NetworkSpec("fasterrcnn_resnet18_slim_fpn", 2, prompts=True)).roi_heads) is None
    card = card_of(lively_network(SLIM), SLIM)
    card = replace(card, spec=replace(card.spec, prompts=True))
    made = save_version(tmp_path, "with", build(card.spec), card)
    assert prompt_head(load_network(made).roi_heads) is not None


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
