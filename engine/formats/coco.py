"""COCO instances and keypoints: read with every value checked, written with exact RLE or as polygons.

Format: https://cocodataset.org/#format-data. What COCO says of an image is taken as it comes; the
pictures themselves are not opened. Masks are RLE or polygons; polygons become pixels by the COCO
API's own rule (pycocotools) and are kept as they came beside them. A file of any size is read and written
image by image. What other tools add to images, annotations and the file is kept under their own keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from engine.errors import DataError
from engine.formats import coco_writing
from engine.formats.checks import (
    Object,
    as_list,
    as_object,
    encodable,
    integer,
    size,
    text,
    whole,
)
from engine.formats.coco_annotations import TOGETHER, Batch, Head, parse, place_of
from engine.formats.jsonstream import NO_NUMBER, JsonLists, required
from engine.formats.labelled import LabelledImage, LabelledSet
from engine.formats.reading import Pictures, ReadImage, Reading
from engine.formats.registry import FileFormat, Holds, register
from engine.formats.source import Source, safe_name
from engine.formats.writing import Export

LISTS = frozenset({"images", "annotations", "categories"})
_IMAGE_KEYS = frozenset({"file_name", "width", "height"})
_CATEGORY_KEYS = frozenset({"id", "name", "keypoints", "skeleton"})
_NAMED = re.compile(rb'"(categories|images|annotations)"\s*:\s*\[')

write_coco = coco_writing.write_coco


@register
class Coco(FileFormat):
    """COCO instances, with keypoints where the categories have them."""

    name = "coco"
    title = "COCO"
    holds = (
        Holds.MASKS | Holds.OVERLAP | Holds.BOXES | Holds.KEYPOINTS | Holds.TRACKS | Holds.ATTRIBUTES
        | Holds.IDS | Holds.SCORES | Holds.IGNORE | Holds.NEGATIVES | Holds.RINGS | Holds.UNKNOWN
    )  # fmt: skip
    picture_folders = ("images",)
    has_polygons = True
    writes_runs = True

    def files_of(self, source: Source) -> Sequence[str]:
        """A JSON object with images, annotations of instances and categories; or a folder of such files."""
        if not source.is_folder:
            return (source.name,) if _is_coco(source.head, source.name) else ()
        candidates = [one for one in source.files if one.lower().endswith(".json") and one.count("/") <= 2]
        found = [one for one in candidates[:2000] if _is_coco(source.head_of(one), one)]
        instances = [one for one in found if one.rpartition("/")[2].startswith("instances_")]
        if instances or len(found) <= 1:
            return tuple(instances or found)
        standard = [one for one in found if one.endswith("_annotations.coco.json")]
        return tuple(standard) if len(standard) == len(found) else ()

    def read_file(self, source: Source, name: str, reading: Reading) -> Iterator[ReadImage]:
        """Every image of the file."""
        return read_file(source.place(name), reading)

    def names_in(self, path: Path) -> Iterator[str]:
        """Of its images."""
        with JsonLists(path, LISTS) as lists:
            for place in range(lists.count("images")):
                item = lists.element("images", place)
                if isinstance(item, dict) and isinstance(item.get("file_name"), str):
                    yield item["file_name"].replace("\\", "/")

    def write(self, export: Export) -> None:
        """One file a part under `annotations`, exact RLE or polygons."""
        coco_writing.write_parts(export)


def read_coco(file: Path, images_dir: Path | None = None) -> LabelledSet:
    """The data set in a COCO JSON file, whole in memory.

    Pictures are looked for in `images_dir`; without it beside the file and in the folders next to it.
    Categories keep their ids as class ids. A crowd (`iscrowd` 1) becomes an ignore region. An
    annotation without a segmentation keeps its box alone.

    Raises DataError that names the file, the annotation and what is wrong with it.
    """
    folder = images_dir or file.parent
    reading = Reading(Pictures(folder, ()), strict=True)
    found = list(read_file(file, reading, unsafe_names=True))
    if images_dir is None:
        folder = _folder_of(file, found)
    images = (
        LabelledImage(folder / one.name, one.width, one.height, one.instances, one.ignore) for one in found
    )
    return LabelledSet(reading.classes.all, tuple(images))


def read_file(file: Path, reading: Reading, *, unsafe_names: bool = False) -> Iterator[ReadImage]:
    """The images of one file. `unsafe_names`: those outside the folder too, as in our own absolute ones."""
    with JsonLists(file, LISTS, {"annotations": ("image_id", "id")}, reading.stop_if_canceled) as lists:
        for key in ("images", "categories", "annotations"):
            required(lists, key)
        class_ids = _read_classes(lists, reading)
        heads = _read_heads(lists, reading, unsafe_names=unsafe_names)
        reading.extra |= {key: value for key, value in lists.values.items() if key not in reading.extra}
        # Which annotations are of which image: two columns of numbers, however large the file.
        owners, places = _index(lists, heads, reading)
        order = np.argsort(owners, kind="stable")
        starts = np.searchsorted(owners[order], np.arange(len(heads)), "left")
        ends = np.searchsorted(owners[order], np.arange(len(heads)), "right")
        batches = (
            Batch(
                str(file),
                class_ids,
                tuple(
                    (head, [(n, lists.text("annotations", n)) for n in places[order[first:last]].tolist()])
                    for head, first, last in zip(
                        heads[at : at + TOGETHER], starts[at:], ends[at:], strict=False
                    )
                ),
                reading.wants_rows,
            )
            for at in range(0, len(heads), TOGETHER)
        )
        for batch, parsed in parse(batches, len(places)):
            for problem in parsed.problems:
                reading.broken(DataError(problem))
            for class_id, count in parsed.keypoints.items():
                names = reading.classes.known(class_id, "").keypoints
                more = (*names, *(f"keypoint {n + 1}" for n in range(len(names), count)))
                reading.classes.with_keypoints(class_id, more)
            for (head, _), found in zip(batch.images, parsed.images, strict=True):
                place = f"{file}: image {head.id} ('{head.name}')"
                yield ReadImage(
                    head.name,
                    place,
                    head.width,
                    head.height,
                    found.instances,
                    found.ignore,
                    extra=head.extra,
                    rows=found.rows,
                )


def _is_coco(head: bytes, name: str) -> bool:
    if not head.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return False
    if len(head) < 1 << 16:  # the whole file
        keys = {match[1] for match in _NAMED.finditer(head)}
        whole_file = {b"categories", b"images", b"annotations"} <= keys
        is_other = b'"segments_info"' in head or b'"caption"' in head or b'"videos"' in head
        return (
            whole_file and not is_other and not name.rpartition("/")[2].startswith(("labels_", "image_info_"))
        )
    # Of a large file only the beginning is seen, and keys come in any order.
    telling = (b'"segmentation"', b'"category_id"', b'"file_name"', b'"licenses"', b'"supercategory"')
    is_other = b'"segments_info"' in head or b'"videos"' in head or b'"shapes"' in head
    return _NAMED.search(head) is not None and any(one in head for one in telling) and not is_other


def _read_classes(lists: JsonLists, reading: Reading) -> dict[int, int]:
    """The class id of each category id; they are the same unless several files disagree."""
    file, found, extras = lists.path, dict[int, int](), dict[str, object]()
    names = set[str]()
    for position, value in enumerate(lists.elements("categories")):
        place = f"{file}: category number {position + 1}"
        item = as_object(value, place)
        class_id, name = integer(item, "id", place), text(item, "name", place)
        if class_id in found or name.strip() in names:
            raise DataError(f"{place} ({class_id}, '{name}') repeats an id or a name; they must differ.")
        names.add(name.strip())
        keypoints, skeleton = _skeleton(item, place)
        here = {known.name: known for known in reading.classes.all}
        known = here.get(name.strip())
        if known is None:
            taken = any(other.id == class_id for other in here.values())
            usable = None if taken else class_id
            known = reading.classes.add(name, place, id_=usable, keypoints=keypoints, skeleton=skeleton)
        found[class_id] = known.id
        rest = {key: item[key] for key in item if key not in _CATEGORY_KEYS}
        extras[known.name] = {"id": class_id, **rest}
    if extras:
        reading.extra["categories"] = {**as_dict(reading.extra.get("categories")), **extras}
    return found


def as_dict(value: object) -> dict[str, object]:
    """The value where it is an object; an empty one for anything else."""
    return dict(value) if isinstance(value, dict) else {}


def _skeleton(item: Object, place: str) -> tuple[tuple[str, ...], tuple[tuple[int, int], ...]]:
    """Names of the keypoints, and the pairs that are joined, from 0. Pairs of no keypoints are left out."""
    names = as_list(item.get("keypoints") or [], f"{place}: 'keypoints'")
    if not all(isinstance(one, str) for one in names):
        raise DataError(f"{place}: 'keypoints' must be a list of names.")
    clean = tuple(encodable(str(one), f"{place}: a keypoint's name") for one in names)
    pairs = []
    for pair in as_list(item.get("skeleton") or [], f"{place}: 'skeleton'"):
        ends = [whole(end, f"{place}: 'skeleton'") for end in as_list(pair, f"{place}: 'skeleton'")]
        if len(ends) != 2:
            raise DataError(f"{place}: 'skeleton' must join two keypoints at a time.")
        if all(1 <= end <= len(clean) for end in ends):
            pairs.append((ends[0] - 1, ends[1] - 1))
    return clean, tuple(pairs)


def _read_heads(lists: JsonLists, reading: Reading, *, unsafe_names: bool) -> list[Head]:
    ids, heads = set[int](), list[Head]()
    for position, value in enumerate(lists.elements("images")):
        place = f"{lists.path}: image number {position + 1}"
        item = as_object(value, place)
        name = text(item, "file_name", place).replace("\\", "/")
        image_id = integer(item, "id", place)
        if image_id in ids:
            raise DataError(f"{place} ('{name}') has the id {image_id} of another image.")
        ids.add(image_id)
        width, height = size(
            integer(item, "width", place), integer(item, "height", place), f"{place} ('{name}')"
        )
        extra = {key: item[key] for key in item if key not in _IMAGE_KEYS}
        if unsafe_names:
            heads.append(Head(image_id, name, width, height, extra))
            continue
        try:
            heads.append(Head(image_id, safe_name(name, place), width, height, extra))
        except DataError as error:
            reading.broken(error)
    return heads


def _index(lists: JsonLists, heads: Sequence[Head], reading: Reading) -> tuple[np.ndarray, np.ndarray]:
    """Of each annotation whose image is known: the image's place in `heads`, and its own in the list."""
    known = np.array([head.id for head in heads], np.int64)
    by_id = np.argsort(known, kind="stable")
    columns = lists.columns["annotations"]
    image_ids, ids = (np.array(columns[key], np.int64) for key in ("image_id", "id"))
    found = np.searchsorted(known[by_id], image_ids)
    owners = by_id[np.minimum(found, len(heads) - 1)] if len(heads) else np.zeros(len(ids), np.int64)
    right = (known[owners] == image_ids) & (ids != NO_NUMBER) if len(heads) else np.zeros(len(ids), np.bool_)
    first = np.zeros(len(ids), np.bool_)
    first[np.unique(ids, return_index=True)[1]] = True
    # What is not plainly right is looked at by itself, and told.
    doubtful = np.flatnonzero(~(right & first)).tolist()
    taken = set(ids[right & first].tolist()) if doubtful else set()
    of_image = {head.id: place for place, head in enumerate(heads)} if doubtful else {}
    for position in doubtful:
        item = as_object(lists.element("annotations", position), f"{lists.path}: annotation {position + 1}")
        place = place_of(str(lists.path), item, position)
        try:
            image_id, record_id = integer(item, "image_id", place), integer(item, "id", place)
            if image_id not in of_image:
                raise DataError(f"{place} is of image {image_id}, which the file does not list.")
            if record_id in taken:
                raise DataError(f"{place} has an id that another annotation has too; ids must differ.")
        except DataError as error:
            reading.broken(error)
            right[position] = False
        else:  # a whole number written as 3.0
            taken.add(record_id)
            owners[position], right[position] = of_image[image_id], True
    places = np.flatnonzero(right)
    return owners[places], places


def _folder_of(file: Path, images: Sequence[ReadImage]) -> Path:
    """The folder, beside the file or next to it, that holds the first picture the file names."""
    beside = file.parent
    folders = [beside, *sorted(p for p in beside.iterdir() if p.is_dir())]
    return next((f for f in folders if images and (f / images[0].name).is_file()), beside)
