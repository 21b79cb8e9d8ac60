"""A compacted model is a quarter of the size and nearly the same network."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from engine.errors import ModelError
from engine.models.card import ModelCard
from engine.models.compact import SCALE, compacted, restored
from engine.models.families import NetworkSpec, build
from engine.models.version import load_network, save_version

SPEC = NetworkSpec("maskrcnn_resnet18_slim_fpn", 2)
CARD = ModelCard("small", SPEC, ("bolt", "nut"))


def test_that_a_compacted_version_is_a_quarter_of_the_size_and_loads(tmp_path: Path) -> None:
    network = build(SPEC)
    whole = save_version(tmp_path, "whole", network, CARD)
    small = save_version(tmp_path, "small", network, CARD, compact=True)
    assert small.path.stat().st_size < 0.27 * whole.path.stat().st_size
    want, got = load_network(whole).state_dict(), load_network(small).state_dict()
    assert got.keys() == want.keys()
    for key, tensor in want.items():
        assert got[key].dtype == tensor.dtype
        if tensor.ndim < 2:
            assert torch.equal(got[key], tensor)
            continue
        step = tensor.flatten(1).abs().amax(dim=1) / 127
        error = (got[key] - tensor).flatten(1).abs().amax(dim=1)
        assert (error <= 0.51 * step + 1e-12).all()


def test_that_rows_of_zeros_survive() -> None:
    state = {"w": torch.zeros(64, 128)}
    assert torch.equal(restored(compacted(state))["w"], state["w"])


@pytest.mark.parametrize("scale", [torch.ones(3), torch.full((64,), float("nan")), torch.ones(64, 1)])
def test_that_a_scale_that_does_not_fit_is_refused(scale: torch.Tensor) -> None:
    state = {"w": torch.ones(64, 128, dtype=torch.int8), "w" + SCALE: scale}
    with pytest.raises(ValueError, match="does not fit"):
        restored(state)


def test_that_a_model_with_a_wrong_scale_is_one_sentence(tmp_path: Path) -> None:
    import dataclasses

    import safetensors.torch

    from engine.models.card import ModelVersion, sha256_of

    version = save_version(tmp_path, "small", build(SPEC), CARD, compact=True)
    state = safetensors.torch.load_file(version.path)
    key = next(key for key in state if key.endswith(SCALE))
    state[key] = torch.ones(3)
    safetensors.torch.save_file(state, version.path)
    card = dataclasses.replace(version.card, sha256=sha256_of(version.path))
    with pytest.raises(ModelError, match="does not fit"):
        load_network(ModelVersion(version.path, card))
