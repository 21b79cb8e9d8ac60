"""What every picture format offers, and the one way in which decoding may fail.

Knows nothing of any format. A format module has a class that satisfies `Picture`: making it reads the
header only, `decode` does the work.
"""

from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engine.document.contrast import Contrast

#: H x W x 3 uint8, red green blue.
Rgb = NDArray[np.uint8]


#: H x W x channels (or H x W) of any integer or floating-point type, as a file stores them.
Samples = NDArray[np.integer | np.floating]


class UnreadableError(Exception):
    """Why a picture cannot be decoded: half a sentence without the file's name, which the reader adds."""


class Picture(Protocol):
    """One frame of an open picture file, header read."""

    @property
    def width(self) -> int:
        """Columns as stored, before the orientation is applied."""

    @property
    def height(self) -> int:
        """Rows as stored, before the orientation is applied."""

    @property
    def orientation(self) -> int:
        """EXIF orientation 1-8 (CIPA DC-008, tag 274); 1 is upright."""

    @property
    def frames(self) -> int:
        """How many frames the file holds; may read further headers."""

    def decode(self) -> Rgb:
        """The pixels as stored, in RGB. Raises UnreadableError and what its decoder raises."""


@runtime_checkable
class DeepPicture(Protocol):
    """A picture whose samples may be deeper than the 8 bits of a viewer."""

    @property
    def is_deep(self) -> bool:
        """Whether they are: unsigned of more than 8 bits, signed, or floating point, grey or RGB."""

    @property
    def bits(self) -> int:
        """The depth of a sample, as stated."""

    def decode(self, contrast: Contrast = ...) -> Rgb:
        """As `Picture.decode`; deep samples become 8 bits by the contrast."""

    def samples(self) -> Samples:
        """H x W x channels (1 or 3) as stored; only where `is_deep`. Raises as `Picture.decode`."""


def cut_short() -> UnreadableError:
    """The error of a file that ends too early."""
    return UnreadableError("the file is cut short (an interrupted copy or download?); copy it again")


def damaged(what: str) -> UnreadableError:
    """The error of a file whose content contradicts itself."""
    return UnreadableError(f"the file is damaged ({what})")
