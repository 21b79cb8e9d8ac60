"""ImageNet weights as a training base."""

from __future__ import annotations

from pathlib import Path

import pytest
import safetensors.torch
import torch
from torchvision import models as tv

from engine.errors import ModelError
from engine.models.backbone import backbone_architecture, is_backbone_file, load_backbone
from engine.models.families import body_of, build
from engine.models.spec import NetworkSpec
from engine.models.version import ModelVersion


def test_that_the_real_resnet_is_known_for_its_strides_and_fits(shared_data: Path) -> None:
    path = shared_data / "weights" / "resnet50_v1_imagenet.safetensors"
    assert is_backbone_file(path)
    architecture = backbone_architecture(path)
    assert architecture == "maskrcnn_resnet50_v1_fpn"
    network = build(NetworkSpec(architecture, 1))
    head = network.roi_heads.box_predictor.cls_score.weight.clone()
    load_backbone(network, path)
    state, body = safetensors.torch.load_file(path), body_of(network).state_dict()
    assert len(body) == 265  # 53 convolutions with their four tensors of BatchNorm
    assert all(torch.equal(tensor, state[key]) for key, tensor in body.items())
    assert torch.equal(network.roi_heads.box_predictor.cls_score.weight, head)


def test_that_a_backbone_of_another_family_is_told(shared_data: Path) -> None:
    path = shared_data / "weights" / "mobilenet_v2_imagenet_features.safetensors"
    assert is_backbone_file(path)
    with pytest.raises(ModelError, match="none of the architectures uses"):
        backbone_architecture(path)


@pytest.mark.parametrize(
    ("classifier", "architecture"),
    [
        (tv.resnet18, "maskrcnn_resnet18_fpn"),
        (tv.mobilenet_v3_large, "maskrcnn_mobilenet_v3_large_fpn"),
    ],
)
def test_that_torchvision_classifiers_load_without_their_classifier(
    tmp_path: Path, classifier: type[tv.ResNet], architecture: str
) -> None:
    torch.manual_seed(1)
    whole, path = classifier(), tmp_path / "c.pth"
    torch.save(whole.state_dict(), path)
    assert backbone_architecture(path) == architecture
    network = build(NetworkSpec(architecture, 1))
    load_backbone(network, path)
    wanted = {key.removeprefix("features."): tensor for key, tensor in whole.state_dict().items()}
    body = body_of(network).state_dict()
    assert len(body) > 50
    assert all(torch.equal(tensor, wanted[key]) for key, tensor in body.items())


def test_that_vgg_is_recognised_by_shapes_alone(tmp_path: Path) -> None:
    with torch.device("meta"):
        shapes = tv.vgg16().features.state_dict()
    state = {f"features.{key}": torch.zeros(1).expand(tensor.shape) for key, tensor in shapes.items()}
    torch.save(state, tmp_path / "vgg.pth")
    assert backbone_architecture(tmp_path / "vgg.pth") == "maskrcnn_vgg16_fpn"


def test_that_an_incomplete_or_damaged_backbone_leaves_the_network_alone(tmp_path: Path) -> None:
    network = build(NetworkSpec("maskrcnn_resnet18_fpn", 1))
    before = {key: tensor.clone() for key, tensor in network.state_dict().items()}
    state = tv.resnet18().state_dict()
    path = tmp_path / "c.pth"
    torch.save({k: v for k, v in state.items() if k != "layer4.0.conv1.weight"}, path)
    with pytest.raises(ModelError, match=r"does not fit .*: it lacks 'layer4\.0\.conv1\.weight'"):
        load_backbone(network, path)
    torch.save(state | {"layer4.0.conv1.weight": state["layer4.0.conv1.weight"] * float("inf")}, path)
    with pytest.raises(ModelError, match="NaN or infinite"):
        load_backbone(network, path)
    assert all(torch.equal(tensor, before[key]) for key, tensor in network.state_dict().items())


def test_that_a_detector_is_no_backbone(version: ModelVersion) -> None:
    assert not is_backbone_file(version.path)
    with pytest.raises(ModelError, match="does not hold a backbone's weights"):
        backbone_architecture(version.path)
