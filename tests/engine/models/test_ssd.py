"""torchvision's SSDs as model versions: recognised, kept, passed on, and not mistaken for what is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torchvision.models.detection.ssd import SSD

from engine.errors import ModelError
from engine.models.coco import coco_classes
from engine.models.spec import NetworkSpec
from engine.models.ssd import SSDS, build_ssd
from engine.models.store import ModelStore
from engine.models.version import load_detector, load_network
from engine.models.weights import class_count, recognise, skeleton

LITE = "ssdlite320_mobilenet_v3_large"


@pytest.mark.parametrize("name", SSDS)
@pytest.mark.parametrize("classes", [1, 7])
def test_that_each_is_recognised_with_its_number_of_classes(name: str, classes: int) -> None:
    state = skeleton(NetworkSpec(name, classes)).state_dict()
    assert recognise(state) == name
    assert class_count(state) == classes
    del state["head.classification_head.module_list.5." + ("1.bias" if name == LITE else "bias")]
    assert recognise(state) is None


def test_that_a_file_of_torchvisions_becomes_a_model_of_cocos_classes(tmp_path: Path) -> None:
    torch.manual_seed(1)
    theirs = build_ssd(NetworkSpec(LITE, 90))
    torch.save(theirs.state_dict(), tmp_path / "boxes.pth")
    store = ModelStore(tmp_path / "models")
    version = store.import_file(tmp_path / "boxes.pth")
    assert version.card.classes[0] == "person"
    assert len(version.card.classes) == 90
    assert version.card.spec == NetworkSpec(LITE, 90, min_size=320, max_size=320)
    assert (version.card.mean, version.card.std) == ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
    named = store.import_file(tmp_path / "boxes.pth", name="named", architecture=LITE)
    assert named.card.sha256 == version.card.sha256
    with pytest.raises(ModelError, match="does not fit ssd300_vgg16"):
        store.import_file(tmp_path / "boxes.pth", name="other", architecture="ssd300_vgg16")
    loaded = load_detector(store.resolve("boxes"))
    assert isinstance(loaded, SSD)
    for key, tensor in theirs.state_dict().items():
        torch.testing.assert_close(loaded.state_dict()[key], tensor, rtol=0, atol=0)
    with pytest.raises(ModelError, match="boxes is an SSD"):
        load_network(version)


@pytest.mark.parametrize("name", SSDS)
def test_that_what_is_built_is_what_torchvisions_weights_are_for(name: str) -> None:
    from torchvision.models import get_model_weights

    published = get_model_weights(name).COCO_V1
    classes = coco_classes(published.meta["categories"])
    built = build_ssd(NetworkSpec(name, len(classes)))
    assert sum(one.numel() for one in built.parameters()) == published.meta["num_params"]
    assert built.transform.min_size == (SSDS[name].side,)
