"""One project into another: a colleague's labels of the same pictures, or of others that come along.

Which picture is which is told by the content of the files, whatever they are called here and there. What is
in the project stays; how the two meet on one image is said by `engine.project.bulk.put_images`. Knows
projects and what imports share; no format.
"""

from __future__ import annotations

import shutil
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from engine.document.records import (
    IMAGE_STATE_ID,
    ClassDef,
    IgnoreRegion,
    ImageState,
    Instance,
    MediaItem,
    Record,
    ReviewState,
)
from engine.errors import DataError, MediaError
from engine.exchange.importing import MOST_NAMED, Prepared, Summary, Told
from engine.exchange.spool import Spool
from engine.formats.reading import CanceledError, ReadImage
from engine.media.scan import content_hash, scan_folder
from engine.project import Project
from engine.project.bulk import Imported
from engine.project.location import DATABASE_NAME, PROJECT_DIR

COPY_SUFFIX = ".db"
"""Of copies of projects."""

_TITLE = "Maskwright project"
_SQLITE = b"SQLite format 3\x00"


class Merge(Prepared):
    """Another project that was read and not taken in yet.

    copies_pictures: whether `commit` also copies the pictures that are not here, to a folder of their own.
    """

    copies_pictures = True

    def __init__(
        self, summary: Summary, spool: Spool, classes: Sequence[ClassDef], copies: dict[str, Path]
    ) -> None:
        super().__init__(summary, spool, classes, "")
        self._copies = copies

    def commit(
        self, project: Project, *, reviewed: bool = False, batch_id: str = "", told: Told = lambda _done: None
    ) -> Imported:
        """Take it in, all of it in one transaction; an image is reviewed that was so in one of the two.

        Raises DataError where a picture cannot be copied; then nothing is.
        """
        made: list[Path] = []
        try:
            if self.copies_pictures and self._copies:
                for path, original in self._copies.items():
                    told(0)
                    _copy(original, project.folder / path, made)
                project.refresh()
            known = {item.path for item in project.media() if not item.missing}
            for path, frame in self._spool.paths():
                if frame and path in known:
                    project.frame_item(path, frame)
            return super().commit(project, reviewed=reviewed, batch_id=batch_id, told=told)
        except BaseException:
            for copy in made:
                copy.unlink(missing_ok=True)
            raise


def prepare_merge(
    source: Path,
    project: Project,
    *,
    told: Told = lambda _done: None,
    is_canceled: Callable[[], bool] = lambda: False,
) -> Merge:
    """Read another project, that of a folder or a copy in one file; nothing is changed.

    Proposals that nobody has looked at stay behind. `told` hears how many images have been read. Raises
    DataError and ProjectError where it cannot be read, and CanceledError.
    """
    with _opened(source, project) as theirs:
        summary = Summary("maskwright", _TITLE, theirs.folder, project.folder)
        spool = Spool()
        try:
            copies = _read(theirs, project, spool, summary, told, is_canceled)
            classes = theirs.classes()
        except BaseException:
            spool.close()
            raise
    names = {one.name for one in project.classes()}
    summary.classes = {one.name: spool.by_class.get(one.id, 0) for one in classes}
    summary.new_classes = tuple(one.name for one in classes if one.name not in names)
    summary.images, summary.instances = spool.images, spool.instances
    summary.ignore_regions, summary.copies = spool.ignore_regions, len(copies)
    reviewed = {id_ for id_, is_reviewed in project.labelled_media().items() if is_reviewed}
    places = {(item.path, item.frame) for item in project.media() if item.id in reviewed and not item.missing}
    summary.kept = sum(1 for place in spool.paths() if place in places)
    return Merge(summary, spool, classes, copies)


def _opened(source: Path, project: Project) -> Project:
    """The project of a folder, or a copy of one. Raises DataError and ProjectError."""
    folder = source.parent if source.name == DATABASE_NAME else source
    folder = folder.parent if folder.name == PROJECT_DIR else folder
    if folder.is_dir() and folder.resolve() == project.folder:
        raise DataError(f"{source} is this very project: choose another one.")
    if folder.is_dir():
        return Project.open(folder, read_only=True)
    try:
        with source.open("rb") as file:
            is_database = file.read(len(_SQLITE)) == _SQLITE
    except OSError as e:
        raise DataError(f"{source} cannot be read ({e.strerror or e}): check its name.") from e
    if not is_database:
        raise DataError(
            f"{source} is no copy of a project: choose the folder of a project, or a copy that was made with "
            "'Back up the project'."
        )
    return Project.open_copy(source)


def _read(
    theirs: Project,
    project: Project,
    spool: Spool,
    summary: Summary,
    told: Told,
    is_canceled: Callable[[], bool],
) -> dict[str, Path]:
    """Every image that somebody labelled, into the spool; returns what could be copied, by its place here."""
    items = {item.id: item for item in theirs.media()}
    places, seen = _Places(theirs, project), set[tuple[str, int]]()
    copies: dict[str, Path] = {}
    left_out = Counter[str]()
    for number, known in enumerate(theirs.read_many(list(theirs.labelled_media()), packed=True), 1):
        media_id, records = known.media_id, known.records
        if is_canceled():
            raise CanceledError("The merge was stopped; nothing was changed.")
        told(number)
        item = items[media_id]
        path = places.find(item)
        if path is None:
            original = theirs.path_of(item)
            if item.missing or not original.is_file():
                summary.missing_count += 1
                summary.missing = [*summary.missing, item.path][:MOST_NAMED]
                continue
            path = places.place_for(item)
            copies[path] = original
        if (path, item.frame) in seen:
            left_out["images whose picture is the same as another's"] += 1
            continue
        seen.add((path, item.frame))
        image = _as_read(item, records)
        proposals = sum(isinstance(one, Instance) for one in records.values()) - len(image.instances)
        left_out["proposals that nobody has looked at"] += proposals
        summary.negatives += not image.instances and not image.ignore
        spool.add(path, item.frame, image, (item.width, item.height))
    summary.left_out = {what: count for what, count in left_out.items() if count}
    return copies


def _as_read(item: MediaItem, records: dict[int, Record]) -> ReadImage:
    """An image's records but for its proposals, as an import has them."""
    found = records.values()
    state = records[IMAGE_STATE_ID]
    assert isinstance(state, ImageState)
    return ReadImage(
        item.path,
        item.path,
        item.width,
        item.height,
        tuple(one for one in found if isinstance(one, Instance) and not one.provenance.is_proposal),
        tuple(one for one in found if isinstance(one, IgnoreRegion)),
        state.flags,
        reviewed=state.review is ReviewState.REVIEWED,
    )


class _Places:
    """Where the pictures of the other project lie in this one."""

    def __init__(self, theirs: Project, project: Project) -> None:
        self._theirs, self._project = theirs, project
        self._ids = {item.path: item.id for item in project.media() if not item.missing and not item.frame}
        self._by_size: dict[int, list[str]] = defaultdict(list)
        for file in scan_folder(project.folder):
            if file.path in self._ids:
                self._by_size[file.size].append(file.path)
        self._found: dict[str, str | None] = {}

    def find(self, item: MediaItem) -> str | None:
        """The picture here that holds the same; None where there is none. Files of one size are read."""
        if item.path not in self._found:
            self._found[item.path] = self._find(item)
        return self._found[item.path]

    def place_for(self, item: MediaItem) -> str:
        """Where a picture that is not here may be copied to: a path that nothing has."""
        wanted = Path(self._theirs.folder.name, item.path)
        place, number = wanted, 1
        while (self._project.folder / place).exists():
            number += 1
            place = wanted.with_stem(f"{wanted.stem} {number}")
        found = self._found[item.path] = place.as_posix()
        return found

    def _find(self, item: MediaItem) -> str | None:
        known = self._theirs.file_of(item.id)
        alike = sorted(self._by_size.get(known.size, ()), key=lambda path: path != item.path)
        content = known.content_hash or _hash_or_nothing(self._theirs.path_of(item))
        if not content:  # nobody can tell any more: name and size must do
            return item.path if item.path in alike else None
        return next((path for path in alike if self._hash(path) == content), None)

    def _hash(self, path: str) -> str:
        try:
            return self._project.ensure_hash(self._ids[path])
        except MediaError:
            return ""


def _hash_or_nothing(path: Path) -> str:
    try:
        return content_hash(path)
    except MediaError:
        return ""


def _copy(original: Path, target: Path, made: list[Path]) -> None:
    """Copy a picture to a new file. Raises DataError."""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with original.open("rb") as source, target.open("xb") as file:
            made.append(target)
            shutil.copyfileobj(source, file)
        shutil.copystat(original, target)
    except OSError as e:
        raise DataError(
            f"{original} cannot be copied to {target} ({e.strerror or e}): nothing was changed; merge again "
            "without the pictures, or make room for them."
        ) from e
