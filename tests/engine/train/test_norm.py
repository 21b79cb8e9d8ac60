"""Normalisation lives while a network starts from nothing, and is saved frozen with the same numbers."""

from __future__ import annotations

import copy

import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from engine.models.families import NetworkSpec, build
from engine.train.norm import frozen, statistics, thaw


def test_that_thawing_and_freezing_leaves_the_numbers_alone() -> None:
    network = build(NetworkSpec("maskrcnn_resnet18_slim_fpn", 2)).backbone
    for name, buffer in network.named_buffers():
        if name.endswith("running_var"):
            buffer.uniform_(0.5, 2.0)
    changed = copy.deepcopy(network)
    thaw(changed)
    kinds = [type(m) for m in changed.modules()]
    assert nn.BatchNorm2d in kinds
    assert FrozenBatchNorm2d not in kinds
    frozen(changed)
    assert changed.state_dict().keys() == network.state_dict().keys()
    picture = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        for level, want in network(picture).items():
            torch.testing.assert_close(changed(picture)[level], want)


def test_that_live_statistics_are_found_and_follow_the_data() -> None:
    network = nn.Sequential(nn.Conv2d(3, 4, 1), FrozenBatchNorm2d(4))
    thaw(network)
    found = statistics(network)
    assert set(found) == {"1.running_mean", "1.running_var"}
    before = {name: buffer.clone() for name, buffer in found.items()}
    network.train()(torch.rand(2, 3, 8, 8) * 5)
    assert not any(torch.equal(found[name], before[name]) for name in found)
