"""Where training starts: from a version with its classes' rows, a classifier, or nothing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import safetensors.torch
import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from engine.errors import ModelError
from engine.models.card import ModelCard
from engine.models.families import body_of, build
from engine.models.spec import NetworkSpec
from engine.models.store import ModelStore
from engine.models.version import save_version
from engine.train.recipe import Recipe
from engine.train.sizing import Sizes
from engine.train.start import default_name, freeze, starting_point

ARCHITECTURE = "maskrcnn_resnet18_slim_fpn"
SIZES = Sizes(128, 256, 16)


@pytest.fixture
def store(tmp_path: Path) -> ModelStore:
    return ModelStore(tmp_path / "models", bundled=tmp_path / "none")


def test_that_an_architectures_name_starts_from_nothing_at_the_datas_sizes(store: ModelStore) -> None:
    start = starting_point(ARCHITECTURE, ["a", "b"], SIZES, store)
    assert start.spec == NetworkSpec(
        ARCHITECTURE, 2, anchor_base=16, min_size=128, max_size=256, prompts=True
    )
    assert start.parent is None


def test_that_a_version_gives_its_weights_and_the_rows_of_classes_of_the_same_name(store: ModelStore) -> None:
    spec = NetworkSpec(ARCHITECTURE, 2, anchor_base=8, min_size=64, max_size=96, norm_eps=0.0)
    source = build(spec)
    card = ModelCard("old", spec, ("bolt", "nut"), mean=(0.1, 0.2, 0.3))
    version = save_version(store.root, "old", source, card)
    start = starting_point("old", ["nut", "washer"], SIZES, store)
    assert (start.spec.anchor_base, start.spec.norm_eps, start.spec.min_size) == (8, 0.0, 128)
    assert start.mean == (0.1, 0.2, 0.3)
    assert start.parent is not None
    assert version.card.sha256.startswith(start.parent.split()[1])
    ours, theirs = start.network.roi_heads, source.roi_heads
    assert torch.equal(ours.box_predictor.cls_score.weight[0], theirs.box_predictor.cls_score.weight[0])
    assert torch.equal(ours.box_predictor.cls_score.weight[1], theirs.box_predictor.cls_score.weight[2])
    assert torch.equal(ours.box_predictor.bbox_pred.weight[4:8], theirs.box_predictor.bbox_pred.weight[8:12])
    assert torch.equal(
        ours.mask_predictor.mask_fcn_logits.weight[1], theirs.mask_predictor.mask_fcn_logits.weight[2]
    )
    # The new class starts near nothing, not as somebody else.
    assert not torch.equal(ours.box_predictor.cls_score.weight[2], theirs.box_predictor.cls_score.weight[1])
    assert ours.box_predictor.cls_score.weight[2].abs().max() < 0.1
    assert torch.equal(
        body_of(start.network).state_dict()["layer4.0.conv1.weight"],
        body_of(source).state_dict()["layer4.0.conv1.weight"],
    )


def test_that_a_classifiers_weights_fill_the_body(store: ModelStore, tmp_path: Path) -> None:
    from torchvision.models import resnet18

    weights = {k: v for k, v in resnet18().state_dict().items() if not k.endswith("num_batches_tracked")}
    file = tmp_path / "resnet18.safetensors"
    safetensors.torch.save_file(weights, file)
    start = starting_point(str(file), ["a"], SIZES, store)
    assert start.spec.architecture == "maskrcnn_resnet18_fpn"
    assert torch.equal(body_of(start.network).state_dict()["conv1.weight"], weights["conv1.weight"])
    assert start.parent is not None
    assert start.parent.startswith("resnet18.safetensors ")


def test_that_an_unknown_base_is_told(store: ModelStore) -> None:
    with pytest.raises(ModelError, match="nonsense"):
        starting_point("nonsense", ["a"], SIZES, store)


def trainable(architecture: str, stages: int) -> set[str]:
    network = build(NetworkSpec(architecture, 1)).train()
    freeze(network, replace(Recipe(), frozen_stages=stages), live_norm=False)
    moving = (n for n, p in body_of(network).named_parameters() if p.requires_grad)
    return {name.partition(".")[0] for name in moving}


@pytest.mark.parametrize(
    ("architecture", "stages", "left"),
    [
        ("maskrcnn_resnet18_fpn", 0, {"conv1", "layer1", "layer2", "layer3", "layer4"}),
        ("maskrcnn_resnet18_fpn", 1, {"layer1", "layer2", "layer3", "layer4"}),
        ("maskrcnn_resnet18_fpn", 2, {"layer2", "layer3", "layer4"}),
        ("maskrcnn_resnet18_fpn", 5, set()),
        ("maskrcnn_mobilenet_v3_large_fpn", 2, {str(i) for i in range(4, 17)}),
    ],
)
def test_that_the_first_stages_are_frozen(architecture: str, stages: int, left: set[str]) -> None:
    assert trainable(architecture, stages) == left


def test_that_batch_norm_never_learns_from_two_pictures() -> None:
    network = build(NetworkSpec("maskrcnn_resnet50_fpn_v2", 1)).train()
    freeze(network, Recipe(), live_norm=False)
    norms = [m for m in network.modules() if isinstance(m, nn.BatchNorm2d)]
    assert norms
    assert not any(norm.training or norm.weight.requires_grad for norm in norms)
    plain = build(NetworkSpec("maskrcnn_resnet18_fpn", 1))
    assert any(isinstance(m, FrozenBatchNorm2d) for m in plain.modules())


def test_that_a_name_follows_from_the_data() -> None:
    assert default_name(Path("data/pennfudan/train.json")) == "pennfudan-train"
