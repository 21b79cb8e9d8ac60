"""The SSDs of torchvision: detectors in one stage that know boxes alone.

They find the boxes that a Mask R-CNN makes masks of; nothing here trains them. Modules and parameter names
are torchvision's, so its weights load unchanged.

Papers: SSD (Liu et al., 2016); SSDlite (Sandler et al., MobileNetV2, 2018; Howard et al., MobileNetV3, 2019).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from types import MappingProxyType

from torchvision.models.detection import ssd300_vgg16, ssdlite320_mobilenet_v3_large
from torchvision.models.detection.ssd import SSD

from engine.models.spec import NetworkSpec


@dataclass(frozen=True, slots=True)
class SsdArchitecture:
    """One of them. side: of the square, in pixels, that it resizes every picture to."""

    build: Callable[..., SSD]
    side: int


SSDS = MappingProxyType(
    {
        "ssd300_vgg16": SsdArchitecture(ssd300_vgg16, 300),
        "ssdlite320_mobilenet_v3_large": SsdArchitecture(ssdlite320_mobilenet_v3_large, 320),
    }
)


def build_ssd(spec: NetworkSpec) -> SSD:
    """A network with fresh weights, in evaluation mode. spec: of one of `SSDS`; its sizes do not count."""
    built = SSDS[spec.architecture].build(
        weights=None, weights_backbone=None, num_classes=spec.num_classes + 1
    )
    return built.eval()
