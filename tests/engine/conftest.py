"""What the engine's tests share."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def toy_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two models of random weights, `toy` and `other`."""
    from engine.models.version import save_version
    from tests.engine.networks import card_of, lively_network

    architecture = "maskrcnn_resnet18_slim_fpn"
    root = tmp_path_factory.mktemp("models")
    for name, scale in (("toy", 1.0), ("other", 2.0)):
        network = lively_network(architecture, 96, 160)
        network.roi_heads.box_predictor.cls_score.weight.data *= scale
        save_version(root, name, network, replace(card_of(network, architecture), name=name))
    return root
