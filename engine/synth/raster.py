"""Draws a furnished tray: what each pixel sees, its light, its shadow.

Deferred shading: every part is cast in its own pixels into buffers (distance, owner, light from the
key light, light from all else); shadow and crevice darkness are then read off two maps of heights,
one seen from the light and one from straight above. Colours are linear RGB, not yet exposed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from engine.synth.backgrounds import Ground
from engine.synth.geometry import Floats, unit
from engine.synth.layout import HeightMap, Placed
from engine.synth.light import Light
from engine.synth.materials import Material
from engine.synth.views import Camera, Parallel, Pixels, along_light, covered

_NOISE_SIDE = 512
_SHADOW_TEXEL = 0.4  # mm
_DISC = tuple(
    (math.sqrt((k + 0.5) / 10) * math.cos(k * 2.39996), math.sqrt((k + 0.5) / 10) * math.sin(k * 2.39996))
    for k in range(10)
)
"""Points spread evenly over a disc (a sunflower's seeds): where a soft shadow looks for blockers."""


@dataclass(frozen=True, slots=True)
class Drawn:
    """`rgb` H x W x 3 linear float32; `owners` H x W, the index of the placed part or -1;
    `sizes[i]` the pixels that part i would cover with nothing before it; `distances` H x W mm."""

    rgb: Floats
    owners: NDArray[np.int16]
    sizes: tuple[int, ...]
    distances: Floats


class _Canvas:
    """The buffers of a picture being drawn, one row a pixel."""

    def __init__(self, camera: Camera, light: Light, rng: np.random.Generator) -> None:
        count = camera.width * camera.height
        self.camera, self.light = camera, light
        self.distances = np.full(count, np.inf, dtype=np.float32)
        self.owners = np.full(count, -1, dtype=np.int16)
        self.key = np.zeros((count, 3), dtype=np.float32)
        self.rest = np.zeros((count, 3), dtype=np.float32)
        white = rng.standard_normal((_NOISE_SIDE, _NOISE_SIDE, 2), dtype=np.float32)
        soft = np.asarray(cv2.GaussianBlur(white, (0, 0), 1.0), dtype=np.float32)
        self.noise = soft.reshape(-1, 2) * np.float32(1.4)
        blotches = cv2.resize(rng.standard_normal((64, 64), dtype=np.float32), (_NOISE_SIDE, _NOISE_SIDE))
        fine = cv2.resize(rng.standard_normal((200, 200), dtype=np.float32), (_NOISE_SIDE, _NOISE_SIDE))
        self.blotches = (blotches + 0.6 * fine).ravel()

    def draw(self, number: int, placed: Placed, shift: int) -> int:
        """Draws one part where it is nearest; returns how many pixels it covers by itself."""
        pixels = covered(self.camera, placed.hull)
        if pixels.size == 0:
            return 0
        rays, start = self.camera.rays(pixels, placed.middle)
        distance, piece_of, surface_of = placed.cast(rays)
        hit = np.isfinite(distance)
        nearer = hit & (start + distance < self.distances[pixels])
        chosen, lit = pixels[nearer], rays.take(nearer)
        points = placed.rotation.T @ (lit.at(distance[nearer]) - placed.offset[:, None])
        self.distances[chosen] = start + distance[nearer]
        self.owners[chosen] = number
        for index, piece in enumerate(placed.part.pieces):
            mine = piece_of[nearer] == index
            if not mine.any():
                continue
            local = np.asarray(piece.rotation.T @ (points[:, mine] - piece.offset[:, None]), dtype=np.float32)
            normals, openness = piece.solid.surface(local, surface_of[nearer][mine])
            to_world = placed.rotation @ piece.rotation
            self._shade(
                chosen[mine],
                local,
                to_world,
                normals,
                openness,
                lit.directions[:, mine],
                piece.material,
                shift,
            )
        return int(np.count_nonzero(hit))

    def _shade(
        self,
        pixels: Pixels,
        local: Floats,
        to_world: Floats,
        normals: Floats,
        openness: Floats,
        views: Floats,
        material: Material,
        shift: int,
    ) -> None:
        """Lights these pixels: a mirror of the surroundings over a matte body, with its marks."""
        speck = self._noise_at(pixels, shift)
        if material.turned > 0:
            normals = normals + _lathe(local, normals, material.turned)
        facing = to_world @ normals
        if material.speckle > 0:
            facing[:2] += np.float32(material.speckle) * self.noise[speck].T
        facing = unit(facing)
        along = -(views * facing).sum(axis=0)
        grazing = np.clip(1 - np.abs(along), 0, 1) ** 5
        mirrored = views + 2 * along * facing
        dirt = np.clip((self.blotches[speck] - np.float32(1.6 - 2.0 * material.grime)) * 1.6, 0, 1)
        dirt = (dirt * np.float32(min(material.grime * 1.6, 0.85)))[:, None]
        reflectance = np.array(material.reflectance, dtype=np.float32)
        strength = reflectance + (1 - reflectance) * grazing[:, None] * np.float32(0.7)
        strength = strength * (1 - dirt)
        body = np.array(material.diffuse, dtype=np.float32)
        body = body + (np.array(material.grime_rgb, dtype=np.float32) - body) * dirt
        if material.pattern is not None:
            body = body * material.pattern(local)[:, None]
        shine = strength * self.light.mirrored(mirrored, material.roughness)
        slant = np.maximum(self.light.towards @ facing, 0)[:, None]
        openness = openness[:, None]
        self.key[pixels] = (body * slant * self.light.key_rgb + np.float32(0.6) * shine) * openness
        self.rest[pixels] = (body * self.light.ambient(facing) + np.float32(0.4) * shine) * openness

    def _noise_at(self, pixels: Pixels, shift: int) -> Pixels:
        """Where in the noise pictures these pixels look; another `shift` for every part."""
        rows, columns = np.divmod(pixels, self.camera.width)
        row, column = divmod(shift % _NOISE_SIDE**2, _NOISE_SIDE)
        place = ((rows + row) % _NOISE_SIDE) * _NOISE_SIDE + (columns + column) % _NOISE_SIDE
        return np.asarray(place, dtype=np.int32)

    def lay_ground(self, ground: Ground, origin: Floats, texel: float) -> None:
        """Fills the whole canvas with the floor; `origin` (x, y) is its texture's low corner."""
        camera, light = self.camera, self.light
        directions = camera.directions(np.arange(self.owners.size, dtype=np.int32))
        np.divide(-camera.position[2], np.minimum(directions[2], np.float32(-1e-3)), out=self.distances)
        homography = _texel_of_floor(ground, origin, texel) @ _pixel_to_floor(camera)

        def seen(texture: Floats) -> Floats:
            return np.asarray(
                cv2.warpPerspective(
                    texture,
                    homography,
                    (camera.width, camera.height),
                    flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                    borderMode=cv2.BORDER_REFLECT,
                ).reshape(-1, texture.shape[2]),
                dtype=np.float32,
            )

        slopes = _slopes(ground.bump, texel)
        albedo, received = seen(ground.albedo), seen(_floor_light(slopes, light))
        np.multiply(albedo, received[:, :1] * light.key_rgb, out=self.key)
        np.multiply(albedo, received[:, 1:] * light.sky_rgb, out=self.rest)
        if ground.mirror > 0:
            shine = _floor_shine(ground, light, directions, seen(slopes))
            self.key += np.float32(0.6) * shine
            self.rest += np.float32(0.4) * shine


def draw(
    rng: np.random.Generator,
    camera: Camera,
    light: Light,
    placed: list[Placed],
    heights: HeightMap,
    ground: Ground,
    *,
    origin: Floats,
    texel: float,
    supersampling: int,
) -> Drawn:
    """Draws the tray as `camera` sees it; `origin` and `texel` say where the ground's patch lies."""
    canvas = _Canvas(camera, light, rng)
    shifts = rng.integers(_NOISE_SIDE**2, size=len(placed))
    canvas.lay_ground(ground, origin, texel)
    sizes = tuple(canvas.draw(i, p, int(shifts[i])) for i, p in enumerate(placed))
    shape = (camera.height, camera.width)
    lit, open_sky = _visibility(canvas, placed, heights, supersampling)
    rgb = canvas.key.reshape(*shape, 3)
    rgb *= lit[..., None]
    rgb += canvas.rest.reshape(*shape, 3)
    rgb *= open_sky[..., None]
    return Drawn(rgb, canvas.owners.reshape(shape), sizes, canvas.distances.reshape(shape))


def _lathe(local: Floats, normals: Floats, strength: float) -> Floats:
    """Fine turning marks: rings on faces across z, and along z on walls. 3 x N to add to normals."""
    radius = np.hypot(local[0], local[1])
    on_face = np.abs(normals[2]) > np.float32(0.75)
    place = np.where(on_face, radius, local[2])
    ripple = np.sin(place * 23) + np.sin(place * 57 + 1) + np.sin(place * 9.7 + 2)
    ripple = ripple * np.float32(strength * 0.5)
    outward = np.where(on_face, ripple, 0) / np.maximum(radius, np.float32(1e-3))
    return np.stack([local[0] * outward, local[1] * outward, np.where(on_face, 0, ripple)]).astype(np.float32)


def _pixel_to_floor(camera: Camera) -> NDArray[np.float64]:
    """The homography from pixel indices to the floor's x, y."""
    corners = np.array(
        [[0, camera.width, camera.width, 0], [0, 0, camera.height, camera.height]], dtype=np.float32
    )
    floor = camera.ground(corners)
    matrix = cv2.getPerspectiveTransform((corners - 0.5).T.copy(), floor.T.copy())
    return np.asarray(matrix, dtype=np.float64)


def _texel_of_floor(ground: Ground, origin: Floats, texel: float) -> NDArray[np.float64]:
    """The map from the floor's x, y to texel indices; rows run towards the viewer, as in a picture."""
    rows = ground.bump.shape[0]
    return np.array(
        [
            [1 / texel, 0, -origin[0] / texel - 0.5],
            [0, -1 / texel, rows + origin[1] / texel - 0.5],
            [0, 0, 1],
        ],
        dtype=np.float64,
    )


def _slopes(bump: Floats, texel: float) -> Floats:
    """The relief's slope along x and y, H x W x 2; y grows against the rows."""
    scale = 1 / (8 * texel)
    x = cv2.Sobel(bump, cv2.CV_32F, 1, 0, ksize=3, scale=scale)
    y = cv2.Sobel(bump, cv2.CV_32F, 0, 1, ksize=3, scale=-scale)
    return np.asarray(cv2.merge([x, y]), dtype=np.float32)


def _floor_light(slopes: Floats, light: Light) -> Floats:
    """The shares of the key light and of the sky's that a matte floor receives, H x W x 2."""
    x, y = slopes[..., 0], slopes[..., 1]
    steep = 1 / np.sqrt(1 + x * x + y * y)
    towards = light.towards
    slant = np.maximum((towards[2] - x * towards[0] - y * towards[1]) * steep, 0)
    return np.asarray(cv2.merge([slant, np.float32(0.6) + np.float32(0.4) * steep]), dtype=np.float32)


def _floor_shine(ground: Ground, light: Light, directions: Floats, slopes: Floats) -> Floats:
    """What a glossy floor mirrors, N x 3, for view directions 3 x N and slopes N x 2."""
    normals = unit(np.stack([-slopes[:, 0], -slopes[:, 1], np.ones(slopes.shape[0], dtype=np.float32)]))
    along = -(directions * normals).sum(axis=0)
    grazing = np.clip(1 - along, 0, 1) ** 5
    strength = np.float32(ground.mirror) + np.float32(1 - ground.mirror) * grazing * np.float32(0.5)
    mirrored = light.mirrored(directions + 2 * along * normals, ground.roughness)
    return np.asarray(mirrored * strength[:, None], dtype=np.float32)


def _visibility(
    canvas: _Canvas, placed: list[Placed], heights: HeightMap, supersampling: int
) -> tuple[Floats, Floats]:
    """How much of the key light and of the open sky reaches each pixel, H x W from 0 to 1."""
    camera = canvas.camera
    shape = (camera.height, camera.width)
    coarse = camera.halved(supersampling)
    middle = supersampling // 2
    distances = canvas.distances.reshape(shape)[middle::supersampling, middle::supersampling]
    distances = np.ascontiguousarray(distances[: coarse.height, : coarse.width]).ravel()
    directions = coarse.directions(np.arange(coarse.width * coarse.height, dtype=np.int32))
    points = coarse.position[:, None] + directions * distances
    small = (coarse.height, coarse.width)
    lit = _sunlit(points, camera, canvas.light, placed, small)
    open_sky = _openness(points, heights, small)
    size = (camera.width, camera.height)
    return (
        np.asarray(cv2.resize(lit, size, interpolation=cv2.INTER_LINEAR)),
        np.asarray(cv2.resize(open_sky, size, interpolation=cv2.INTER_LINEAR)),
    )


def _sunlit(
    points: Floats, camera: Camera, light: Light, placed: list[Placed], shape: tuple[int, int]
) -> Floats:
    """The share of the key light that nothing blocks, H x W: a soft shadow by blocker distance."""
    view = along_light(light.towards, camera, texel=_SHADOW_TEXEL, margin=4.0)
    blockers = _light_map(view, placed)
    x, y = (v.reshape(shape).astype(np.float32) - np.float32(0.5) for v in view.project(points))
    own = view.height_of(points).reshape(shape)
    nearby = cv2.dilate(blockers, np.ones((7, 7), dtype=np.uint8))
    nearby = cv2.GaussianBlur(nearby, (0, 0), 2.0)
    above = cv2.remap(nearby, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) - own
    reach = np.clip(above, 0.6, 40) * np.float32(math.tan(light.spread) / _SHADOW_TEXEL) + np.float32(0.6)
    lit = np.zeros(shape, dtype=np.float32)
    for dx, dy in _DISC:
        there = cv2.remap(
            blockers,
            x + reach * np.float32(dx),
            y + reach * np.float32(dy),
            cv2.INTER_LINEAR,
            borderMode=cv2.BORDER_REPLICATE,
        )
        lit += np.clip(1 - (there - own - np.float32(0.45)) * np.float32(1.6), 0, 1)
    lit /= len(_DISC)
    return np.asarray(cv2.GaussianBlur(lit, (0, 0), 0.7))


def _light_map(view: Parallel, placed: list[Placed]) -> Floats:
    """Heights towards the light of whatever it meets first, H x W."""
    floor = np.arange(view.width * view.height, dtype=np.int32)
    # On the floor z = 0, so a ray from the light is there where its z has run down.
    rays, start = view.rays(floor, np.zeros(3, dtype=np.float32))
    best = np.asarray(start + rays.origins[2] / rays.directions[2, 0], dtype=np.float32)
    for item in placed:
        pixels = covered(view, item.hull)
        if pixels.size == 0:
            continue
        rays, start = view.rays(pixels, item.middle)
        distance, _piece, _surface = item.cast(rays)
        best[pixels] = np.maximum(best[pixels], start - distance)
    return best.reshape(view.height, view.width)


def _openness(points: Floats, heights: HeightMap, shape: tuple[int, int]) -> Floats:
    """How much of the sky is not walled off by what stands around, H x W."""
    view = heights.view
    x, y = (v.reshape(shape).astype(np.float32) - np.float32(0.5) for v in view.project(points))
    own = points[2].reshape(shape)
    surface = heights.heights.reshape(view.height, view.width)
    closed = np.zeros(shape, dtype=np.float32)
    for reach, weight in ((1.6, 0.30), (4.5, 0.28), (12.0, 0.22)):
        around = cv2.GaussianBlur(surface, (0, 0), reach / view.texel)
        above = cv2.remap(around, x, y, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE) - own
        closed += np.float32(weight) * np.clip(above / np.float32(reach * 0.7), 0, 1)
    return 1 - closed
