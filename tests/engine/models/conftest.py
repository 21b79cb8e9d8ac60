"""A small network and a model version of it, made once; and a web server on this machine alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models.detection import FasterRCNN

from engine.models import families
from engine.models.families import build
from engine.models.spec import NetworkSpec
from engine.models.version import ModelCard, ModelVersion, save_version

from .server import FileServer

TINY = NetworkSpec("maskrcnn_tiny_test", 2)
TINY_V2 = NetworkSpec("maskrcnn_tiny_v2_test", 2)


def _tiny_body(norm: families.NormLayer) -> tuple[nn.Module, dict[str, str], list[int]]:
    """Four layers at strides 4, 8, 16 and 32."""
    body = nn.Sequential()
    for i, (inputs, stride) in enumerate(((3, 4), (8, 2), (8, 2), (8, 2))):
        body.add_module(f"conv{i}", nn.Sequential(nn.Conv2d(inputs, 8, 3, stride, 1, bias=False), norm(8)))
    return body, {f"conv{i}": str(i) for i in range(4)}, [8] * 4


@pytest.fixture(scope="session", autouse=True)
def _tiny_architecture() -> Iterator[None]:
    """Two more architectures, of a few megabytes at most, so that tests that write weights are quick."""
    with pytest.MonkeyPatch.context() as patch:
        for spec, v2 in ((TINY, False), (TINY_V2, True)):
            heads = families.Heads(fpn_channels=16, box_hidden=32, mask_channels=(8,), v2=v2)
            entry = families.Architecture(spec.architecture, _tiny_body, heads, has_masks=True)
            patch.setitem(families._architectures, spec.architecture, entry)
        yield


@pytest.fixture(scope="session")
def network(_tiny_architecture: None) -> FasterRCNN:
    """A Mask R-CNN with two classes and random weights; not to be changed."""
    torch.manual_seed(0)
    return build(TINY)


@pytest.fixture
def card() -> ModelCard:
    return ModelCard(
        "cells",
        TINY,
        ("cell", "Zell-Kern ä"),
        parent="base",
        training={"recipe": "plain", "seed": 7, "minutes": 1.5},
        data_fingerprint="ab12",
        metrics={"mask_ap": 0.25},
    )


@pytest.fixture
def version(tmp_path: Path, network: FasterRCNN, card: ModelCard) -> ModelVersion:
    """A saved version in a folder of its own."""
    return save_version(tmp_path / "versions", "cells", network, card)


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[FileServer]:
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with FileServer() as running:
        yield running
