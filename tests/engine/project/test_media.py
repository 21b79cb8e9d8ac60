"""What the project notices of its folder's files."""

from __future__ import annotations

import os
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.document.document import Edit
from engine.document.records import MediaItem
from engine.errors import MediaError, ProjectError
from engine.media.scan import content_hash
from engine.project import Project, ScanReport, media_index
from tests.engine.project.making import adding, drawn, id_of, ids, instances_of, proposal


def draw_on(project: Project, path: str) -> int:
    """Draw one instance on the image and learn its content; the media id."""
    media_id = id_of(project, path)
    project.save(media_id, adding(drawn(project.ensure_class("cell").id)), name="Draw").result()
    project.ensure_hash(media_id)
    return media_id


def test_that_a_new_folder_is_listed_with_relative_paths_in_order(project: Project, folder: Path) -> None:
    assert [item.path for item in project.media()] == ["a.png", "b.png", "sub/c.jpg"]
    assert project.path_of(project.media()[2]) == folder.resolve() / "sub" / "c.jpg"


def test_that_a_second_refresh_finds_nothing_and_reads_no_file(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: Path) -> str:
        raise AssertionError(f"{path} was read")

    monkeypatch.setattr(media_index, "content_hash", refuse)
    assert project.refresh() == ScanReport()


def test_that_a_renamed_file_keeps_its_instances(project: Project, folder: Path) -> None:
    media_id = draw_on(project, "a.png")
    (folder / "a.png").rename(folder / "sub" / "renamed.png")
    assert project.refresh() == ScanReport(renamed=(("a.png", "sub/renamed.png"),))
    assert id_of(project, "sub/renamed.png") == media_id
    assert len(instances_of(project, media_id)) == 1
    assert media_id not in project.changed_media()


def test_that_a_file_renamed_with_a_new_time_is_known_by_its_content(project: Project, folder: Path) -> None:
    media_id = draw_on(project, "a.png")
    shutil.copyfile(folder / "a.png", folder / "z.png")
    os.utime(folder / "z.png", ns=(1, 1))
    (folder / "a.png").unlink()
    assert project.refresh().renamed == (("a.png", "z.png"),)
    assert id_of(project, "z.png") == media_id


def test_that_an_edit_makes_the_content_known_without_being_asked(folder: Path) -> None:
    with Project.open(folder) as project:
        project.refresh()
        media_id = id_of(project, "a.png")
        project.save(media_id, adding(drawn(project.ensure_class("cell").id)), name="Draw").result()
        known: dict[str, str] = {"a.png": ""}
        end = time.monotonic() + 20
        while not known["a.png"] and time.monotonic() < end:
            time.sleep(0.005)
            known = {item.path: item.content_hash for item in project.media()}
    assert known["a.png"] == content_hash(folder / "a.png")
    assert known["b.png"] == ""


def test_that_a_file_that_was_never_hashed_is_followed_by_size_and_time(
    project: Project, folder: Path
) -> None:
    media_id = id_of(project, "a.png")
    (folder / "a.png").rename(folder / "z.png")
    assert project.refresh().renamed == (("a.png", "z.png"),)
    assert id_of(project, "z.png") == media_id


def test_that_size_and_time_that_fit_two_files_prove_nothing(project: Project, folder: Path) -> None:
    for name in ("a.png", "b.png"):
        (folder / name).write_bytes(b"the same length")
        os.utime(folder / name, ns=(5, 5))
    project.refresh()
    (folder / "a.png").rename(folder / "x.png")
    (folder / "b.png").rename(folder / "y.png")
    report = project.refresh()
    assert (report.renamed, report.added, report.missing) == ((), ("x.png", "y.png"), ("a.png", "b.png"))


def test_that_two_files_that_swap_names_take_their_instances_along(project: Project, folder: Path) -> None:
    first, second = draw_on(project, "a.png"), draw_on(project, "b.png")
    (folder / "a.png").write_bytes(b"different lengths tell files apart")
    project.refresh()
    project.accept_change(first)
    project.ensure_hash(first)
    (folder / "a.png").rename(folder / "t.png")
    (folder / "b.png").rename(folder / "a.png")
    (folder / "t.png").rename(folder / "b.png")
    report = project.refresh()
    assert sorted(report.renamed) == [("a.png", "b.png"), ("b.png", "a.png")]
    assert (id_of(project, "b.png"), id_of(project, "a.png")) == (first, second)
    assert not project.changed_media()


def test_that_a_shifted_row_of_names_takes_its_instances_along(tmp_path: Path) -> None:
    for number in range(5):
        (tmp_path / f"{number}.png").write_bytes(b"x" * (number + 1))
    with Project.open(tmp_path) as project:
        project.refresh()
        before = [draw_on(project, f"{number}.png") for number in range(5)]
        for number in reversed(range(5)):
            (tmp_path / f"{number}.png").rename(tmp_path / f"{number + 1}.png")
        (tmp_path / "0.png").write_bytes(b"new")
        report = project.refresh()
        assert report.added == ("0.png",)
        assert [id_of(project, f"{number + 1}.png") for number in range(5)] == before
        assert not project.changed_media()


def test_that_other_content_under_an_old_name_is_flagged_and_keeps_its_instances(
    project: Project, folder: Path
) -> None:
    media_id = draw_on(project, "a.png")
    project.set_size(media_id, 30, 20)
    (folder / "a.png").write_bytes(b"another picture")
    assert project.refresh() == ScanReport(changed=("a.png",))
    assert project.changed_media() == {media_id}
    assert len(instances_of(project, media_id)) == 1
    (item,) = (item for item in project.media() if item.id == media_id)
    assert (item.width, item.height) == (0, 0)
    assert project.ensure_hash(media_id) == content_hash(folder / "a.png")
    assert project.changed_media() == {media_id}


def test_that_the_flag_goes_when_the_old_content_comes_back(project: Project, folder: Path) -> None:
    media_id = draw_on(project, "a.png")
    old = (folder / "a.png").read_bytes()
    for content in (b"another picture", b"and another one"):
        (folder / "a.png").write_bytes(content)
        project.refresh()
        project.ensure_hash(media_id)
    assert project.changed_media() == {media_id}
    (folder / "a.png").write_bytes(old)
    project.refresh()
    project.ensure_hash(media_id)
    assert not project.changed_media()


def test_that_a_person_can_accept_the_change(project: Project, folder: Path) -> None:
    media_id = draw_on(project, "a.png")
    (folder / "a.png").write_bytes(b"another picture")
    project.refresh()
    project.accept_change(media_id)
    assert not project.changed_media()


def test_that_a_changed_file_without_instances_needs_no_flag(project: Project, folder: Path) -> None:
    (folder / "a.png").write_bytes(b"another picture")
    assert project.refresh().changed == ("a.png",)
    assert not project.changed_media()


def test_that_a_reviewed_negative_is_flagged_when_its_file_changes(project: Project, folder: Path) -> None:
    media_id = id_of(project, "a.png")
    document = project.load(media_id)
    edits: list[Edit] = []
    document.subscribe(edits.append)
    with document.edit("Review"):
        document.accept_image(())
    project.save(media_id, edits[0].diff, name="Review").result()
    (folder / "a.png").write_bytes(b"another picture")
    project.refresh()
    assert project.changed_media() == {media_id}


def test_that_new_proposals_for_the_new_content_end_the_flag(project: Project, folder: Path) -> None:
    media_id, class_id = id_of(project, "a.png"), project.ensure_class("cell").id
    project.put_proposals(media_id, [proposal(class_id)], key="old", batch_id="1")
    (folder / "a.png").write_bytes(b"another picture")
    project.refresh()
    assert project.changed_media() == {media_id}
    project.put_proposals(media_id, [proposal(class_id)], key="new", batch_id="2")
    assert not project.changed_media()


def test_that_a_touched_file_is_no_change(project: Project, folder: Path) -> None:
    draw_on(project, "a.png")
    os.utime(folder / "a.png", ns=(7, 7))
    assert project.refresh() == ScanReport()
    assert not project.changed_media()


def test_that_a_file_that_is_gone_keeps_its_instances_and_is_known_when_it_returns(
    project: Project, folder: Path, tmp_path: Path
) -> None:
    media_id = draw_on(project, "a.png")
    (folder / "a.png").rename(tmp_path / "away.png")
    assert project.refresh() == ScanReport(missing=("a.png",))
    assert [item.missing for item in project.media() if item.id == media_id] == [True]
    assert len(instances_of(project, media_id)) == 1
    assert project.refresh() == ScanReport(), "it is missing already"
    shutil.copyfile(tmp_path / "away.png", folder / "a.png")
    assert project.refresh() == ScanReport(returned=("a.png",))
    (tmp_path / "away.png").rename(folder / "sub" / "again.png")
    (folder / "a.png").unlink()
    assert project.refresh().renamed == (("a.png", "sub/again.png"),)
    assert id_of(project, "sub/again.png") == media_id


def test_that_a_new_file_under_a_lost_name_is_flagged_and_not_taken_for_the_old_one(
    project: Project, folder: Path
) -> None:
    media_id = draw_on(project, "a.png")
    (folder / "a.png").unlink()
    project.refresh()
    (folder / "a.png").write_bytes(b"a new picture")
    assert project.refresh().changed == ("a.png",)
    assert project.changed_media() == {media_id}


def test_that_equal_contents_and_equal_stems_are_items_of_their_own(project: Project, folder: Path) -> None:
    shutil.copyfile(folder / "a.png", folder / "copy.png")
    shutil.copyfile(folder / "a.png", folder / "a.jpg")
    assert project.refresh().added == ("a.jpg", "copy.png")
    media = [id_of(project, path) for path in ("a.jpg", "a.png", "copy.png")]
    assert len({project.ensure_hash(media_id) for media_id in media}) == 1
    first = draw_on(project, "a.png")
    assert [len(instances_of(project, media_id)) for media_id in media] == [0, 1, 0]
    (folder / "copy.png").rename(folder / "moved.png")
    assert project.refresh().renamed == (("copy.png", "moved.png"),)
    assert id_of(project, "a.png") == first


def test_that_every_frame_of_a_file_moves_with_it(project: Project, folder: Path) -> None:
    project.add_frames("a.png", range(3))
    project.add_frames("a.png", range(3))
    frames = [item for item in project.media() if item.path == "a.png"]
    assert [item.frame for item in frames] == [0, 1, 2]
    project.save(frames[2].id, adding(drawn(project.ensure_class("cell").id)), name="Draw").result()
    assert project.ensure_hash(frames[2].id) == project.ensure_hash(frames[0].id)
    (folder / "a.png").rename(folder / "z.png")
    assert project.refresh().renamed == (("a.png", "z.png"),)
    assert [item.id for item in project.media() if item.path == "z.png"] == [item.id for item in frames]
    (folder / "z.png").write_bytes(b"other frames")
    project.refresh()
    assert project.changed_media() == {frames[2].id}


def test_that_frames_of_an_unknown_file_are_refused(project: Project) -> None:
    with pytest.raises(ProjectError, match=r"nothing\.tif"):
        project.add_frames("nothing.tif", range(2))


def test_that_hashing_notices_a_file_that_changed_since_the_scan(project: Project, folder: Path) -> None:
    media_id = draw_on(project, "a.png")
    (folder / "a.png").write_bytes(b"another picture")
    assert project.ensure_hash(media_id) == content_hash(folder / "a.png")
    assert project.changed_media() == {media_id}
    assert project.refresh() == ScanReport()


def test_that_hashing_a_lost_file_is_told_of_the_file(project: Project, folder: Path) -> None:
    (folder / "a.png").unlink()
    with pytest.raises(MediaError, match=r"a\.png"):
        project.ensure_hash(id_of(project, "a.png"))


def test_that_an_unknown_id_is_told(project: Project) -> None:
    for call in (project.ensure_hash, project.load):
        with pytest.raises(ProjectError, match="999"):
            call(999)


names = st.sampled_from(["a.png", "b.png", "c.png", "d.png"])
moves = st.lists(
    st.one_of(
        st.tuples(st.just("rename"), names, names),
        st.tuples(st.just("write"), names, st.binary(min_size=1, max_size=3)),
        st.tuples(st.just("delete"), names, names),
    ),
    max_size=6,
)


@given(rounds=st.lists(moves, min_size=1, max_size=3))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_that_no_instance_is_lost_or_shown_on_other_content_unflagged(
    rounds: list[list[tuple[str, str, str | bytes]]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("moves")
    for number, name in enumerate(("a.png", "b.png", "c.png")):
        (folder / name).write_bytes(bytes([number]) * 4)
    with Project.open(folder) as project:
        project.refresh()
        labelled = {}
        for path in ("a.png", "b.png", "c.png"):
            media_id = draw_on(project, path)
            labelled[media_id] = content_hash(folder / path)
        for round_ in rounds:
            for kind, name, other in round_:
                _move(folder, kind, name, other)
            project.refresh()
            media = {item.id: item for item in project.media()}
            changed = project.changed_media()
            for media_id, content in labelled.items():
                assert len(instances_of(project, media_id)) == 1
                _check_shown(project, media[media_id], content, flagged=media_id in changed)
            present = [item.path for item in media.values() if not item.missing]
            assert sorted(present) == sorted(path.name for path in folder.glob("*.png"))
            assert len(ids(project)) == len(media)


def _move(folder: Path, kind: str, name: str, other: str | bytes) -> None:
    place = folder / name
    if isinstance(other, bytes):
        place.write_bytes(other)
    elif place.exists() and kind == "rename":
        place.replace(folder / other)
    elif place.exists():
        place.unlink()


def _check_shown(project: Project, item: MediaItem, labelled: str, *, flagged: bool) -> None:
    if not item.missing and not flagged:
        assert content_hash(project.path_of(item)) == labelled


def test_that_only_frames_with_something_on_record_are_worth_listing(tmp_path: Path) -> None:
    (tmp_path / "clip.mp4").write_bytes(b"frames")
    with Project.open(tmp_path) as project:
        project.refresh()
        (first,) = project.media()
        later = project.frame_item("clip.mp4", 99_999)
        assert (later.path, later.frame) == ("clip.mp4", 99_999)
        assert project.frame_item("clip.mp4", 99_999) == later
        assert project.frame_item("clip.mp4", 0) == first
        assert project.blank_frames() == {later.id}
        project.save(later.id, adding(drawn(project.ensure_class("cell").id)), name="Draw").result()
        assert project.blank_frames() == frozenset()
        with pytest.raises(ProjectError, match=r"knows no file other\.mp4"):
            project.frame_item("other.mp4", 1)


def test_that_a_hash_that_comes_late_does_not_take_a_renamed_file_for_a_changed_one(tmp_path: Path) -> None:
    for number in range(2):
        (tmp_path / f"{number}.png").write_bytes(b"x" * (number + 1))
    with Project.open(tmp_path) as project:
        project.refresh()
        media_id = draw_on(project, "1.png")
        with project._reading() as connection:
            known = media_index.known_file(connection, media_id)
        (tmp_path / "1.png").rename(tmp_path / "2.png")
        (tmp_path / "0.png").rename(tmp_path / "1.png")
        # Read after the renaming, with what was known before it.
        late = media_index.hash_file(replace(known, content_hash=""), tmp_path)
        assert late is not None
        project.refresh()
        project._write(lambda connection: media_index.apply_hash(connection, late))
        assert id_of(project, "2.png") == media_id
        assert not project.changed_media()
