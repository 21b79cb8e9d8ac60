"""The Mask R-CNN family: backbones with FPN, RPN, RoIAlign, box head and mask head.

Modules and parameter names are torchvision's, so its weights load unchanged. How a network is
*run* (preprocessing, proposals, masks) is not decided here; see `engine.predict.network`.

Papers: Mask R-CNN (He et al., 2017), Faster R-CNN (Ren et al., 2015), FPN (Lin et al., 2017).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType
from typing import cast

from torch import nn
from torchvision import models as tv
from torchvision.models._utils import IntermediateLayerGetter
from torchvision.models.detection import FasterRCNN, MaskRCNN
from torchvision.models.detection.anchor_utils import AnchorGenerator
from torchvision.models.detection.backbone_utils import BackboneWithFPN
from torchvision.models.detection.faster_rcnn import FastRCNNConvFCHead, FastRCNNPredictor, TwoMLPHead
from torchvision.models.detection.mask_rcnn import MaskRCNNHeads, MaskRCNNPredictor
from torchvision.models.detection.rpn import RPNHead
from torchvision.ops import FeaturePyramidNetwork, FrozenBatchNorm2d
from torchvision.ops.feature_pyramid_network import LastLevelMaxPool

from engine.errors import ModelError
from engine.models.prompt_head import NAME as PROMPT_HEAD
from engine.models.prompt_head import PromptHead
from engine.models.spec import NetworkSpec

__all__ = ["Architecture", "Heads", "NetworkSpec", "architectures", "body_of", "build", "fpn_of"]

NormLayer = Callable[[int], nn.Module]


@dataclass(frozen=True, slots=True)
class Heads:
    """Widths of the parts behind the backbone."""

    fpn_channels: int = 256
    box_hidden: int = 1024
    mask_channels: tuple[int, ...] = (256, 256, 256, 256)
    prompt_width: int = 128
    v2: bool = False  # conv box head and BatchNorm everywhere, as `maskrcnn_resnet50_fpn_v2`


STANDARD = Heads()
SLIM = Heads(fpn_channels=64, box_hidden=256, mask_channels=(64, 64), prompt_width=64)

BodyBuilder = Callable[[NormLayer], tuple[nn.Module, dict[str, str], list[int]]]
"""norm layer -> (body, layers to return, their channels), finest level first."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """One buildable member of the family."""

    name: str
    body: BodyBuilder
    heads: Heads
    has_masks: bool


_architectures: dict[str, Architecture] = {}


def _family(backbone: str, heads: Heads = STANDARD) -> Callable[[BodyBuilder], BodyBuilder]:
    """Register `maskrcnn_<backbone>` and `fasterrcnn_<backbone>` for a body builder."""

    def register(body: BodyBuilder) -> BodyBuilder:
        for prefix, has_masks in (("maskrcnn", True), ("fasterrcnn", False)):
            name = f"{prefix}_{backbone}"
            if name in _architectures:
                raise ValueError(f"architecture {name} is registered twice")
            _architectures[name] = Architecture(name, body, heads, has_masks)
        return body

    return register


def architectures() -> Mapping[str, Architecture]:
    """All architectures by name, in the order they were registered."""
    return MappingProxyType(_architectures)


def _resnet(build: Callable[..., tv.ResNet], norm: NormLayer) -> tuple[nn.Module, dict[str, str], list[int]]:
    body = build(norm_layer=norm)
    last = body.inplanes  # channels of layer4
    layers = {f"layer{i}": str(i - 1) for i in range(1, 5)}
    return body, layers, [last // 8, last // 4, last // 2, last]


@_family("resnet18_fpn")
@_family("resnet18_slim_fpn", SLIM)
def _resnet18(norm: NormLayer) -> tuple[nn.Module, dict[str, str], list[int]]:
    return _resnet(tv.resnet18, norm)


@_family("resnet34_fpn")
def _resnet34(norm: NormLayer) -> tuple[nn.Module, dict[str, str], list[int]]:
    return _resnet(tv.resnet34, norm)


@_family("resnet50_fpn")
@_family("resnet50_fpn_v2", Heads(v2=True))
def _resnet50(norm: NormLayer) -> tuple[nn.Module, dict[str, str], list[int]]:
    return _resnet(tv.resnet50, norm)


@_family("resnet50_v1_fpn")
def _resnet50_v1(norm: NormLayer) -> tuple[nn.Module, dict[str, str], list[int]]:
    """ResNet v1 (He et al., 2015, as in Caffe): the stride sits in the first 1x1 convolution."""
    body, layers, channels = _resnet(tv.resnet50, norm)
    for stage in ("layer2", "layer3", "layer4"):
        block = cast(nn.Sequential, getattr(body, stage))[0]
        cast(nn.Conv2d, block.conv1).stride = (2, 2)
        cast(nn.Conv2d, block.conv2).stride = (1, 1)
    return body, layers, channels


@_family("resnet101_fpn")
def _resnet101(norm: NormLayer) -> tuple[nn.Module, dict[str, str], list[int]]:
    return _resnet(tv.resnet101, norm)


@_family("vgg16_fpn")
def _vgg16(_: NormLayer) -> tuple[nn.Module, dict[str, str], list[int]]:
    # relu3_3, relu4_3, relu5_3 and pool5: strides 4, 8, 16, 32. VGG has no BatchNorm.
    return tv.vgg16().features, {"15": "0", "22": "1", "29": "2", "30": "3"}, [256, 512, 512, 512]


@_family("mobilenet_v3_large_fpn")
def _mobilenet_v3(norm: NormLayer) -> tuple[nn.Module, dict[str, str], list[int]]:
    # The last block at each of the strides 4, 8, 16 and 32.
    features = tv.mobilenet_v3_large(norm_layer=norm).features
    return features, {"3": "0", "6": "1", "12": "2", "16": "3"}, [24, 40, 112, 960]


def build(spec: NetworkSpec) -> FasterRCNN:
    """A network with fresh weights, in evaluation mode; a MaskRCNN where the architecture has masks.

    Raises ModelError for an unknown architecture.
    """
    arch = _architectures.get(spec.architecture)
    if arch is None:
        known = ", ".join(_architectures)
        raise ModelError(f"No architecture is called '{spec.architecture}'; there are {known}.")
    heads = arch.heads
    # v2 trains its BatchNorm; the others were trained with it frozen.
    norm = cast(NormLayer, nn.BatchNorm2d if heads.v2 else partial(FrozenBatchNorm2d, eps=spec.norm_eps))
    body, layers, channels = arch.body(norm)
    backbone = _with_fpn(body, layers, channels, heads, norm)
    out = heads.fpn_channels
    anchors = AnchorGenerator(
        tuple((spec.anchor_base * 2**level,) for level in range(5)), ((0.5, 1.0, 2.0),) * 5
    )
    per_cell = anchors.num_anchors_per_location()[0]
    box_head = (
        FastRCNNConvFCHead((out, 7, 7), [256] * 4, [heads.box_hidden], norm_layer=norm)
        if heads.v2
        else TwoMLPHead(out * 7 * 7, heads.box_hidden)
    )
    parts: dict[str, object] = {
        "rpn_anchor_generator": anchors,
        "rpn_head": RPNHead(out, per_cell, conv_depth=2 if heads.v2 else 1),
        "box_head": box_head,
        "box_predictor": FastRCNNPredictor(heads.box_hidden, spec.num_classes + 1),
        "min_size": spec.min_size,
        "max_size": spec.max_size,
    }
    if not arch.has_masks:
        return FasterRCNN(backbone, **parts).eval()
    width = heads.mask_channels[-1]
    network = MaskRCNN(
        backbone,
        mask_head=MaskRCNNHeads(out, heads.mask_channels, 1, norm_layer=norm if heads.v2 else None),
        mask_predictor=MaskRCNNPredictor(width, width, spec.num_classes + 1),
        **parts,
    )
    if spec.prompts:
        network.roi_heads.add_module(PROMPT_HEAD, PromptHead(channels, heads.prompt_width))
    return network.eval()


def _with_fpn(
    body: nn.Module, layers: dict[str, str], channels: list[int], heads: Heads, norm: NormLayer
) -> BackboneWithFPN:
    # BackboneWithFPN prunes the body itself; its own FPN is the standard one.
    return BackboneWithFPN(
        body,
        layers,
        channels,
        heads.fpn_channels,
        extra_blocks=LastLevelMaxPool(),
        norm_layer=norm if heads.v2 else None,
    )


def body_of(network: FasterRCNN) -> IntermediateLayerGetter:
    """The classification backbone inside the network, with torchvision's ImageNet key names."""
    return cast(IntermediateLayerGetter, network.backbone.body)


def fpn_of(network: FasterRCNN) -> FeaturePyramidNetwork:
    """The feature pyramid inside the network."""
    return cast(FeaturePyramidNetwork, network.backbone.fpn)
