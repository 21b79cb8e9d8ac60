"""Builds the hardware: bolts, nuts, washers, screws and springs as solids with materials.

Knows standard proportions (ISO 4014/4032/7089/7046 roughly) in millimetres and each part's own
frame; not where a part lies nor how it is lit. Long parts run along z with the head's face at
z = 0; flat parts lie across z with their underside at z = 0.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.synth.geometry import Coil, Cone, Convex, Ellipsoid, Floats, Relief, Solid, Thread, prism, slab
from engine.synth.materials import Material, plastic
from engine.synth.reliefs import Cross, HexSocket, Mouth, Rings, Slot, Star

_SIZES = (4.0, 5.0, 6.0, 8.0, 10.0)


@dataclass(frozen=True, slots=True)
class Piece:
    """One solid of a part, in a frame of its own: `rotation` (3 x 3) and `offset` (3, mm).

    `ball` is (z, radius) of a ball around the z axis that encloses the solid: rays that miss the
    ball are not cast at it. Worth giving where a solid is small beside its part.
    """

    solid: Solid
    material: Material
    rotation: Floats = field(default_factory=lambda: np.eye(3, dtype=np.float32))
    offset: Floats = field(default_factory=lambda: np.zeros(3, dtype=np.float32))
    ball: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Part:
    """Something that lies on the tray.

    `class_name` is empty for clutter. `outline` holds (z, radius) pairs around the z axis that
    touch the ground; `hull` (3 x M, mm) encloses the part and decides which pixels are cast.
    `lies_along` says that the part rests on its side rather than on its underside.
    """

    class_name: str
    pieces: tuple[Piece, ...]
    outline: tuple[tuple[float, float], ...]
    hull: Floats
    lies_along: bool

    @property
    def reach(self) -> float:
        """Half the part's longest extent seen from above, mm."""
        low, high = self.hull.min(axis=1), self.hull.max(axis=1)
        return float(max(high - low) / 2)

    @property
    def middle(self) -> Floats:
        """The centre of the part's bounds (3, mm)."""
        return np.asarray((self.hull.min(axis=1) + self.hull.max(axis=1)) / 2, dtype=np.float32)


def revolved_hull(outline: Sequence[tuple[float, float]]) -> Floats:
    """Points (3 x M) on a 12-gon around every (z, radius) of the outline."""
    angles = np.arange(12) * (2 * math.pi / 12)
    wide = 1 / math.cos(math.pi / 12)
    rings = [
        np.stack([r * wide * np.cos(angles), r * wide * np.sin(angles), np.full(12, z)]) for z, r in outline
    ]
    return np.concatenate(rings, axis=1).astype(np.float32)


def _part(
    name: str,
    pieces: Sequence[Piece],
    outline: Sequence[tuple[float, float]],
    *,
    along: bool,
    corner: float = 1.0,
) -> Part:
    """A part whose hull follows its outline, widened by `corner` for a hexagon's corners."""
    wide = [(z, r * corner) for z, r in outline]
    return Part(name, tuple(pieces), tuple(outline), revolved_hull(wide), along)


def bolt(material: Material, rng: np.random.Generator) -> Part:
    """A hexagon-head or, now and then, a socket-head bolt."""
    size = float(rng.choice(_SIZES, p=(0.1, 0.25, 0.3, 0.25, 0.1)))
    length = size * rng.uniform(2.2, 5.5)
    radius = size / 2
    if rng.random() < 0.14:
        head, head_radius, tall, corner = _socket_head(material, size)
    else:
        head, head_radius, tall, corner = _hexagon_head(material, size, rng)
    end = tall + length
    threaded_from = tall + (length * rng.uniform(0.2, 0.55) if rng.random() < 0.45 else 0.3 * size)
    shank = Convex(
        surfaces=(
            Cone(radius),
            *slab(tall - 0.05, end),
            Cone(radius * 0.72 + end, slope=-1.0),
        ),
        thread=Thread(pitch=max(0.17 * size, 0.85), depth=0.075 * size, start=threaded_from),
    )
    outline = ((0.0, head_radius), (tall, head_radius), (end, radius * 0.8), (end - 0.2 * radius, radius))
    return _part("bolt", [*head, Piece(shank, material)], outline, along=True, corner=corner)


def _hexagon_head(
    material: Material, size: float, rng: np.random.Generator
) -> tuple[list[Piece], float, float, float]:
    """The head's pieces, its resting radius, its height and how far its corners reach beyond."""
    apothem, tall = 0.8 * size, 0.65 * size
    chamfer = Cone(0.95 * apothem, slope=1.73)
    rings: Relief | None = Rings(apothem * 0.8) if rng.random() < 0.5 else None
    head = Convex(surfaces=(chamfer, *prism(6, apothem, 0.0, tall)), relief=rings, relief_on=7)
    pieces = [Piece(head, material, ball=(tall / 2, 1.25 * apothem))]
    if rng.random() < 0.25:
        flange = Convex(surfaces=(Cone(1.12 * apothem), *slab(tall - 0.12 * size, tall + 0.03 * size)))
        pieces.append(Piece(flange, material))
        return pieces, 1.12 * apothem, tall, 1.06
    return pieces, apothem, tall, 1.16


def _socket_head(material: Material, size: float) -> tuple[list[Piece], float, float, float]:
    """As `_hexagon_head`, for a cylinder with a hexagon socket."""
    radius, tall = 0.78 * size, 1.0 * size
    head = Convex(
        surfaces=(Cone(radius), *slab(0.0, tall), Cone(radius * 0.9, slope=1.0)),
        relief=HexSocket(0.42 * size),
        relief_on=1,
    )
    return [Piece(head, material, ball=(tall / 2, math.hypot(radius, tall / 2)))], radius, tall, 1.0


def nut(material: Material, rng: np.random.Generator) -> Part:
    """A hexagon nut; some with a flange, some with a nylon ring."""
    size = float(rng.choice(_SIZES, p=(0.1, 0.2, 0.3, 0.27, 0.13)))
    apothem, tall = 0.81 * size, size * rng.uniform(0.6, 0.85)
    thread = Thread(pitch=max(0.17 * size, 0.8), depth=0.07 * size)
    body = Convex(
        surfaces=(
            Cone(0.96 * apothem + 1.73 * tall, slope=-1.73),
            Cone(0.96 * apothem, slope=1.73),
            *prism(6, apothem, 0.0, tall),
        ),
        bore=0.45 * size,
        bore_thread=thread,
        relief=Mouth(0.53 * size),
        relief_on=9,
    )
    pieces = [Piece(body, material)]
    outline = [(0.0, apothem * 1.13), (tall, apothem * 1.13)]
    kind = rng.random()
    if kind < 0.14:
        wide = apothem * rng.uniform(1.3, 1.5)
        flange = Convex(surfaces=(Cone(wide, slope=-0.9), *slab(0.0, 0.22 * tall)), bore=0.45 * size)
        pieces.append(Piece(flange, material))
        outline.append((0.0, wide))
    elif kind < 0.3:
        top = tall * 1.33
        collar = Convex(
            surfaces=(Cone(0.88 * apothem), *slab(tall - 0.05, top), Cone(0.8 * apothem + top, slope=-1.0)),
            bore=0.66 * apothem,
        )
        nylon = plastic((0.06, 0.16, 0.42) if rng.random() < 0.5 else (0.62, 0.6, 0.55))
        ring = Convex(surfaces=(Cone(0.68 * apothem), *slab(tall * 0.8, top * 0.97)), bore=0.43 * size)
        pieces += [Piece(collar, material), Piece(ring, nylon)]
        outline.append((top, 0.88 * apothem))
    return _part("nut", pieces, outline, along=False)


def washer(material: Material, rng: np.random.Generator) -> Part:
    """A flat washer, a wide one now and then; its stamped edge is rounded on one side."""
    size = float(rng.choice(_SIZES, p=(0.08, 0.2, 0.3, 0.27, 0.15)))
    outer = size * (rng.uniform(1.35, 1.7) if rng.random() < 0.2 else rng.uniform(0.95, 1.15))
    thick = float(np.clip(0.16 * size * rng.uniform(0.8, 1.3), 0.7, 2.4))
    bore = 0.54 * size
    body = Convex(
        surfaces=(Cone(outer), *slab(0.0, thick), Cone(outer - 0.3 * thick + thick, slope=-1.0)),
        bore=bore,
        relief=Mouth(bore + 0.35 * thick, rings=True),
        relief_on=2,
    )
    return _part("washer", [Piece(body, material)], ((0.0, outer), (thick, outer)), along=False)


def screw(material: Material, rng: np.random.Generator) -> Part:
    """A wood screw or a machine screw, with a countersunk or a pan head and a driver recess."""
    return _wood_screw(material, rng) if rng.random() < 0.55 else _machine_screw(material, rng)


def _screw_head(
    material: Material, size: float, rng: np.random.Generator
) -> tuple[Piece, float, float, list[tuple[float, float]]]:
    """The head, its height, the z where the shank begins and the head's part of the outline."""
    wide = 0.95 * size
    drive = _drive(0.8 * wide, rng)
    if rng.random() < 0.6:
        tall = wide - 0.36 * size
        rim = 0.09 * size
        head = Convex(
            surfaces=(
                Cone(wide + rim, slope=-1.0),
                *slab(0.0, tall + rim),
                Cone(wide * 0.96, slope=1.0),
            ),
            relief=drive,
            relief_on=1,
        )
        return (
            Piece(head, material, ball=(0.3 * wide, wide * 1.2)),
            tall + rim,
            tall,
            [(0.0, wide * 0.97), (rim, wide)],
        )
    tall = 0.62 * size
    dome = Ellipsoid(wide * 1.06, tall * 1.05, z=tall)
    head = Convex(
        surfaces=(dome, *slab(0.12 * tall, tall), Cone(wide)),
        relief=drive,
        relief_on=1,
    )
    return (
        Piece(head, material, ball=(tall / 2, wide * 1.15)),
        tall,
        tall - 0.05,
        [(0.12 * tall, wide * 0.6), (tall * 0.8, wide), (tall, wide)],
    )


def _wood_screw(material: Material, rng: np.random.Generator) -> Part:
    size = rng.uniform(3.2, 5.5)
    length = size * rng.uniform(4.0, 9.0)
    head, _tall, start, outline = _screw_head(material, size, rng)
    crest, tip = 0.5 * size, 1.5 * size
    end = start + length
    smooth_until = start + length * (rng.uniform(0.25, 0.4) if rng.random() < 0.5 else 0.08)
    thread = Thread(
        pitch=size * rng.uniform(0.48, 0.62),
        depth=0.2 * size,
        start=smooth_until,
        sharpness=rng.uniform(2.2, 3.5),
    )
    taper = (crest - 0.1) / tip
    neck = Convex(surfaces=(Cone(0.36 * size), *slab(start - 0.1, smooth_until + 0.2)))
    core = Convex(surfaces=(Cone(crest), *slab(smooth_until, end - tip)), thread=thread)
    point = Convex(
        surfaces=(Cone(crest + taper * (end - tip), slope=-taper), *slab(end - tip, end)),
        thread=Thread(thread.pitch, 0.15 * size, sharpness=thread.sharpness),
    )
    pieces = [head, Piece(neck, material), Piece(core, material), Piece(point, material)]
    return _part("screw", pieces, [*outline, (end - tip, crest), (end, 0.15)], along=True)


def _machine_screw(material: Material, rng: np.random.Generator) -> Part:
    size = float(rng.choice((3.0, 4.0, 5.0, 6.0), p=(0.2, 0.35, 0.3, 0.15)))
    length = size * rng.uniform(2.0, 6.5)
    head, _tall, start, outline = _screw_head(material, size, rng)
    end = start + length
    shank = Convex(
        surfaces=(Cone(size / 2), *slab(start - 0.1, end), Cone(size * 0.37 + end, slope=-1.0)),
        thread=Thread(pitch=max(0.17 * size, 0.75), depth=0.08 * size, start=start + 0.3 * size),
    )
    return _part("screw", [head, Piece(shank, material)], [*outline, (end, 0.45 * size)], along=True)


def _drive(room: float, rng: np.random.Generator) -> Relief:
    """The recess for the driver, within a radius of `room` mm."""
    kind = rng.random()
    if kind < 0.5:
        return Cross(room * 0.78, room * 0.17)
    if kind < 0.68:
        return Slot(room * 1.4, room * 0.13)
    if kind < 0.85:
        return Star(room * 0.52)
    return HexSocket(room * 0.5)


def spring(material: Material, rng: np.random.Generator) -> Part:
    """A compression spring: what the starter model never saw."""
    radius = rng.uniform(2.6, 5.5)
    wire = radius * rng.uniform(0.13, 0.2)
    length = radius * rng.uniform(4.0, 8.0)
    coil = Coil(radius=radius, wire=wire, pitch=wire * rng.uniform(2.5, 3.8), length=length)
    outer = radius + wire
    return _part("spring", [Piece(coil, material)], ((0.0, outer), (length, outer)), along=True)


BUILDERS: dict[str, Callable[[Material, np.random.Generator], Part]] = {
    "bolt": bolt,
    "nut": nut,
    "washer": washer,
    "screw": screw,
    "spring": spring,
}
"""What builds a part of each class; the starter model knows all but "spring"."""
