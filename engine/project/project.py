"""The project of one folder: the door to its database.

Reads come from any thread and see what was committed; writes go through one thread and are
acknowledged after the commit. Knows how its parts work together; knows no models and no Qt.
"""

from __future__ import annotations

import contextlib
import sqlite3
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import TypeAlias

from engine.document.diff import Diff, Source
from engine.document.document import Document
from engine.document.records import ClassDef, ImageState, Instance, MediaItem, ReviewState, new_id
from engine.errors import MediaError, ProjectError
from engine.media.scan import scan_folder
from engine.project import (
    active,
    bulk,
    classes,
    examined,
    facts,
    held_out,
    journal,
    media_index,
    notes,
    reviews,
    rows,
)
from engine.project.active import ActiveModel
from engine.project.bulk import ImageRows, Imported
from engine.project.classes import ClassPast
from engine.project.database import ProjectDatabase
from engine.project.examined import Examined
from engine.project.facts import Survey
from engine.project.held_out import Look
from engine.project.journal import Batch, Past
from engine.project.matching import KnownFile
from engine.project.media_index import ScanReport
from engine.project.opening import Opened, open_copy, open_database
from engine.project.reviews import ReviewPast
from engine.project.writer import Unsaved

Stamp: TypeAlias = tuple[int, ...]


class Project(ProjectDatabase):
    """One folder of media and its project database. Open it with `Project.open`, as a context manager.

    Every method may be called from any thread. Methods that write raise ProjectError on a project
    that is open for reading only; all raise it for a disk that fails, in a sentence.
    """

    def __init__(self, opened: Opened) -> None:
        super().__init__(opened)
        self._hasher = ThreadPoolExecutor(1, thread_name_prefix="project-hasher")
        self._refreshing = threading.Lock()
        self._hashing: set[int] = set()

    @classmethod
    def open(cls, folder: Path, *, read_only: bool = False, data_dir: Path | None = None) -> Project:
        """Open the folder's project, or make it. Raises ProjectError.

        It opens for reading only when asked to, when another window has it open, or when it cannot
        be written: `read_only_reason` says why. A folder that cannot be written and has no project
        has it in `data_dir` (the user's data directory), under the folder's path.
        """
        return cls(open_database(folder, read_only=read_only, data_dir=data_dir))

    @classmethod
    def open_copy(cls, database: Path) -> Project:
        """Open a copy that `backup_to` wrote, for reading. Raises ProjectError."""
        return cls(open_copy(database))

    # Media

    def refresh(self) -> ScanReport:
        """Compare the folder with the media list and bring the list up to date. Raises MediaError too.

        Files are hashed only where name, size and time leave open which is which. Nothing that was
        labelled is ever dropped: a file that is gone is marked missing.
        """
        with self._refreshing:
            found = scan_folder(self.folder)
            with self._reading() as connection:
                plan = media_index.compare(connection, self.folder, found)
            if not plan.is_empty:
                self._write(lambda connection: media_index.apply(connection, plan))
            return media_index.report(plan)

    def media(self) -> tuple[MediaItem, ...]:
        """Every image, sorted by path and frame; the missing ones too."""
        with self._reading() as connection:
            return media_index.read_items(connection)

    def changed_media(self) -> frozenset[int]:
        """The ids of images whose file holds other content than their instances were made for."""
        with self._reading() as connection:
            return media_index.read_changed(connection)

    def accept_change(self, media_id: int) -> None:
        """Take an image's instances as made for its file's present content."""
        self._write(lambda connection: media_index.accept_change(connection, media_id))

    def path_of(self, item: MediaItem) -> Path:
        """The item's file, absolute."""
        return self.folder / item.path

    def file_of(self, media_id: int) -> KnownFile:
        """An image's file as it was seen last."""
        with self._reading() as connection:
            return media_index.known_file(connection, media_id)

    def ensure_hash(self, media_id: int) -> str:
        """The content hash of an image's file as it is now, read if it is not known. Raises MediaError."""
        with self._reading() as connection:
            known = media_index.known_file(connection, media_id)
        match = media_index.hash_file(known, self.folder)
        if match is None:
            return known.content_hash
        self._write(lambda connection: media_index.apply_hash(connection, match))
        return match.content_hash

    def set_size(self, media_id: int, width: int, height: int) -> None:
        """Record an image's size as shown, in pixels."""
        self._write(lambda connection: media_index.set_size(connection, media_id, width, height))

    def add_frames(self, path: str, frames: Iterable[int]) -> None:
        """Make items of these frames of the file at `path`; those that are items already stay as they are.

        The pages of a picture file all become items. Of a video only frames that are looked at or
        labelled do: an hour of it has 100,000.
        """
        self._write(lambda connection: media_index.add_frames(connection, path, frames))

    def frame_item(self, path: str, frame: int) -> MediaItem:
        """The item of one frame of the file at `path`, made where there is none."""
        with self._reading() as connection:
            found = media_index.frame_item(connection, path, frame)
        if found is None:
            self.add_frames(path, (frame,))
            with self._reading() as connection:
                found = media_index.frame_item(connection, path, frame)
        if found is None:
            raise ProjectError(f"The project knows no file {path}: refresh it first.")
        return found

    def blank_frames(self) -> frozenset[int]:
        """The ids of frames, beyond the first of their file, of which nothing is recorded."""
        with self._reading() as connection:
            return media_index.blank_frames(connection)

    # Notes

    def notes(self, prefix: str) -> dict[str, str]:
        """The small texts that the project keeps under names that begin so."""
        with self._reading() as connection:
            return notes.read(connection, prefix)

    def note(self, changes: Mapping[str, str | None]) -> None:
        """Keep small texts under these names, in one step; None drops one."""
        self._write(lambda connection: notes.write(connection, changes))

    # Classes

    def classes(self) -> tuple[ClassDef, ...]:
        """The classes in their order."""
        with self._reading() as connection:
            return classes.read_classes(connection)

    def ensure_class(self, name: str) -> ClassDef:
        """The class of this name or the one it was merged into; a new one where there is none."""
        known = next((one for one in self.classes() if one.name == name), None)
        return known or self._write(lambda connection: classes.ensure(connection, name))

    # Each of the next six is one step for `undo_classes`, also after a restart. They raise ProjectError
    # for a class that is gone.

    def add_classes(self, wanted: Sequence[ClassDef]) -> tuple[ClassDef, ...]:
        """Make classes like these under new ids, a free colour for an empty one; returns those made.

        A name that is taken is passed over. Raises ProjectError for an unusable one.
        """
        return self._write(lambda connection: classes.add(connection, wanted))

    def rename_class(self, class_id: int, to: str) -> None:
        """Give a class another name. Raises ProjectError for one that is taken or unusable."""
        self._write(lambda connection: classes.rename(connection, class_id, to))

    def recolor_class(self, class_id: int, color: str) -> None:
        """Give a class another colour, "#rrggbb"."""
        self._write(lambda connection: classes.recolor(connection, class_id, color))

    def order_classes(self, class_ids: Sequence[int]) -> None:
        """Put the classes in this order; those not named follow."""
        self._write(lambda connection: classes.order(connection, class_ids))

    def merge_classes(self, class_ids: Collection[int], into: int) -> None:
        """Make the instances of some classes instances of another; open documents are loaded anew."""
        self._write(lambda connection: classes.merge(connection, class_ids, into))

    def delete_classes(self, class_ids: Collection[int]) -> None:
        """Delete classes with all their instances; open documents are loaded anew."""
        self._write(lambda connection: classes.delete(connection, class_ids))

    def undo_classes(self) -> str:
        """Take back the last change of classes; returns its name, empty where there is none.

        Raises ProjectError where instances would go with a class whose making is taken back.
        """

        def undo(connection: sqlite3.Connection) -> str:
            return classes.undo(
                connection, lambda id_: facts.survey(connection).of_class((id_,)).use.instances
            )

        return self._write(undo)

    def redo_classes(self) -> str:
        """Repeat the change of classes that was undone last; returns its name, empty where there is none."""
        return self._write(classes.redo)

    def class_past(self) -> ClassPast:
        """Which change of classes can be undone, and which redone."""
        with self._reading() as connection:
            return classes.past(connection)

    # Surveys

    def survey(self, media_ids: Collection[int] | None = None) -> Survey:
        """A few numbers of every instance of all images, or of some; 100,000 images take some 0.2 s."""
        with self._reading() as connection:
            return facts.survey(connection, media_ids)

    # Documents and edits

    def load(self, media_id: int) -> Document:
        """The image's records, with the edits that are still on their way to the disk."""
        unsaved = self._writer.settle(media_id) if self._writer else ()
        with self._reading() as connection:
            media_index.check_known(connection, media_id)
            records = rows.read_records(connection, media_id)
            for diff in unsaved:
                records = diff.applied_to(records)
            return Document(classes.resolve_records(connection, records))

    def stamp(self, media_id: int) -> Stamp:
        """Equal stamps of an image: `load` gives equal documents, of the same classes."""
        unsaved = self._writer.settle(media_id) if self._writer else ()
        with self._reading() as connection:
            return *journal.stamp(connection, media_id), *classes.stamp(connection), len(unsaved)

    def review_state(self, media_id: int) -> ReviewState:
        """What a person has said of the image."""
        with self._reading() as connection:
            return rows.read_state(connection, media_id).review

    def image_states(self) -> dict[int, ImageState]:
        """What is known of each image, by its id; an image that nobody touched is left out."""
        with self._reading() as connection:
            return rows.read_states(connection)

    def save(self, media_id: int, diff: Diff, *, name: str, source: Source = Source.USER) -> Future[None]:
        """Queue one edit; the future is done once it is on the disk, or raises ProjectError.

        An edit that the disk refused is kept: the next save, or `retry`, writes it first. Anybody
        but the user gets a ProtectedError for touching a person's work. An undo of an open document
        is not saved as an edit: call `undo` for it.
        """
        uid = new_id()
        future = self._queue(
            lambda connection: journal.save(connection, media_id, diff, name=name, source=source, uid=uid),
            edit=Unsaved(media_id, diff),
        )
        # Afterwards, so that no edit waits for a file to be read.
        future.add_done_callback(lambda _saved: self._hash_soon(media_id))
        return future

    def undo(self, media_id: int) -> Diff | None:
        """Undo the last edit of a person on the image, of this session or an earlier one.

        Returns what it changed, to be applied to an open document; None where nothing is left.
        """
        return self.queue_undo(media_id).result()

    def queue_undo(self, media_id: int) -> Future[Diff | None]:
        """`undo` without waiting: done behind the edits that are queued, answered by the future."""
        return self._queue(lambda connection: journal.undo(connection, media_id))

    def redo(self, media_id: int) -> Diff | None:
        """Redo what `undo` undid last; None where nothing is left."""
        return self.queue_redo(media_id).result()

    def queue_redo(self, media_id: int) -> Future[Diff | None]:
        """`redo` without waiting, as `queue_undo`."""
        return self._queue(lambda connection: journal.redo(connection, media_id))

    def history(self, media_id: int) -> Past:
        """The names of a person's edits of the image that are on the disk: done and undone."""
        with self._reading() as connection:
            return journal.history(connection, media_id)

    # Proposals

    def put_proposals(self, media_id: int, instances: Iterable[Instance], *, key: str, batch_id: str) -> bool:
        """Replace the image's proposals in one transaction; False for a reviewed image, left as it is.

        What a person accepted, corrected or drew is not touched. `key` names what the proposals
        were made from; `batch_id` is any text that names the run, for `undo_batch`.
        """
        return self.queue_proposals(media_id, instances, key=key, batch_id=batch_id).result()

    def queue_proposals(
        self, media_id: int, instances: Iterable[Instance], *, key: str, batch_id: str
    ) -> Future[bool]:
        """`put_proposals` without waiting: done behind the edits that are queued."""
        proposals = tuple(instances)
        return self._queue(
            lambda connection: journal.put_proposals(connection, media_id, proposals, key, batch_id)
        )

    def prediction_key(self, media_id: int) -> str | None:
        """The `key` of the image's proposals, None where there are none."""
        with self._reading() as connection:
            return journal.prediction_key(connection, media_id)

    def batches(self) -> tuple[Batch, ...]:
        """The batches of proposals, newest first."""
        with self._reading() as connection:
            return journal.batches(connection)

    def undo_batch(self, batch_id: str) -> int:
        """Remove the proposals of a batch that nobody touched, bring back those they replaced.

        Returns how many images changed. Interrupted, it goes on where it stopped.
        """
        changed: set[int] = set()
        done = False
        while not done:
            some, done = self._write(lambda connection: journal.undo_some_of_batch(connection, batch_id))
            changed |= some
        return len(changed)

    # Learning

    def held_out(self) -> dict[int, bool]:
        """Of each image that was assigned to learning or measuring, whether it is held out to measure on."""
        with self._reading() as connection:
            return held_out.read(connection)

    def unassigned(self) -> frozenset[int]:
        """The reviewed images that `assign_held_out` has not seen yet."""
        with self._reading() as connection:
            return held_out.unassigned(connection)

    def assign_held_out(self, looks: Sequence[Look], share: float) -> None:
        """Decide for good which of these newly reviewed images are held out; about a `share` of all."""
        self._write(lambda connection: held_out.assign(connection, looks, share))

    def examined(self) -> dict[int, Examined]:
        """What a model made of each image that it examined, by the image's id."""
        with self._reading() as connection:
            return examined.read(connection)

    def put_examined(self, found: Examined) -> None:
        """Put down what a model made of an image."""
        self._write(lambda connection: examined.write(connection, found))

    def last_reviewed(self, count: int) -> tuple[int, ...]:
        """The images that a person reviewed last, the latest first."""
        with self._reading() as connection:
            return reviews.last_reviewed(connection, count)

    def last_edits(self, media_id: int | None = None) -> dict[int, int]:
        """Of each image that was ever edited, or of one: a number that is another after every step on it."""
        with self._reading() as connection:
            return reviews.last_edits(connection, media_id)

    def review_past(self, media_id: int) -> ReviewPast:
        """What a person made of the proposals of an image, from the journal."""
        with self._reading() as connection:
            return reviews.read(connection, media_id)

    def active_model(self) -> ActiveModel:
        """The model version that this project works with, and the one before."""
        with self._reading() as connection:
            return active.read(connection)

    def activate_model(self, name: str) -> ActiveModel:
        """Work with this model version; `go_back` takes it back."""
        return self._write(lambda connection: active.activate(connection, name))

    def rename_model(self, old: str, new: str) -> None:
        """Follow a model version to its new name."""
        self._write(lambda connection: active.rename(connection, old, new))

    def go_back(self) -> ActiveModel:
        """Work with the model version before the active one again."""
        return self._write(active.go_back)

    # Imports and exports

    def import_images(
        self,
        images: Iterable[ImageRows],
        wanted: Mapping[int, ClassDef],
        *,
        batch_id: str,
        format_name: str,
        extra: str = "",
        reviewed: bool = False,
    ) -> Imported:
        """Add what an import brings, all of it or nothing, in one transaction.

        wanted: the class of each class id in the rows; those of names that are new are made. See
        `engine.project.bulk.put_images`.
        """

        def write(connection: sqlite3.Connection) -> Imported:
            class_ids = {id_: classes.ensure(connection, one.name, one).id for id_, one in wanted.items()}
            if extra:
                bulk.put_extra(connection, format_name, extra)
            return bulk.put_images(
                connection,
                images,
                batch_id=batch_id,
                format_name=format_name,
                class_ids=class_ids,
                reviewed=reviewed,
            )

        return self._write(write)

    def undo_import(self, batch_id: str) -> int:
        """Take an import back but for what a person has touched since; returns how many images changed."""
        return self._write(lambda connection: bulk.undo_import(connection, batch_id))

    def labelled_media(self, *, proposals: bool = False) -> dict[int, bool]:
        """The images that somebody (for `proposals`: or a model) labelled, and whether each is reviewed."""
        with self._reading() as connection:
            return bulk.labelled_media(connection, proposals=proposals)

    def read_many(
        self, media_ids: Sequence[int], format_name: str = "", *, packed: bool = False
    ) -> Iterator[bulk.KnownImage]:
        """Many images of one state of the project, one at a time; see `engine.project.bulk.read_many`."""
        if not self.read_only:
            self.flush()
        with self._reading() as connection:
            yield from bulk.read_many(connection, media_ids, format_name, packed=packed)

    def foreign_extra(self, format_name: str, media_id: int | None = None) -> dict[str, object]:
        """What an import from a format kept of an image, or of the whole file, for the next export to it."""
        with self._reading() as connection:
            return bulk.read_extra(connection, format_name, media_id)

    # Ending

    def close(self) -> None:
        """Write what is queued and let the project go. A second call does nothing.

        Raises ProjectError where the disk refused edits: they are lost with this object.
        """
        self._hasher.shutdown(cancel_futures=True)
        super().close()

    # Inside

    def _hash_soon(self, media_id: int) -> None:
        """Learn the content of what is being labelled, so that it is known again under another name."""
        if not self._closed and media_id not in self._hashing:
            self._hashing.add(media_id)
            with contextlib.suppress(RuntimeError):  # closed at this very moment
                self._hasher.submit(self._hash_quietly, media_id)

    def _hash_quietly(self, media_id: int) -> None:
        # The file may be unreadable and the disk may fail; the edit itself says so to its own future.
        with contextlib.suppress(MediaError, ProjectError):
            self.ensure_hash(media_id)
