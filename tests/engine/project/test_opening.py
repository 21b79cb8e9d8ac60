"""Where a project opens, who may write it, what happens to a damaged, older or newer one."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import psutil
import pytest

from engine.errors import ProjectError
from engine.project import Project, health, location, opening, schema
from engine.project.connect import connect_for_writing, uses_wal
from tests.engine.project.making import adding, drawn, ids, instances_of, quick_check


def make(folder: Path) -> tuple[int, int]:
    """A project with one instance: its media id and its own."""
    with Project.open(folder) as project:
        project.refresh()
        media_id = ids(project)[0]
        found = drawn(project.ensure_class("cell").id)
        project.save(media_id, adding(found), name="Draw").result()
    return media_id, found.id


def database_of(folder: Path) -> Path:
    return folder / ".maskwright" / "project.db"


def make_old(*paths: Path) -> None:
    """Set the files' times two days back."""
    past = time.time() - 48 * 3600
    for path in paths:
        os.utime(path, (past, past))


def make_backup(folder: Path) -> Path:
    """Open the project so that it makes its daily backup, and return that."""
    with Project.open(folder) as project:
        backup = project._opened._backup
        assert backup is not None
        backup.wait()
    return max((folder / ".maskwright" / "backups").glob("*.db"))


def test_that_a_clean_end_leaves_one_file_with_everything(folder: Path) -> None:
    make(folder)
    left = {path.name for path in (folder / ".maskwright").iterdir()}
    assert left == {"project.db", "project.lock"}
    assert quick_check(database_of(folder)) == "ok"


def test_that_a_local_project_has_a_write_ahead_log_and_syncs_every_commit(project: Project) -> None:
    def modes(connection: sqlite3.Connection) -> tuple[object, object, object]:
        return (
            connection.execute("PRAGMA journal_mode").fetchone()[0],
            connection.execute("PRAGMA synchronous").fetchone()[0],
            connection.execute("PRAGMA foreign_keys").fetchone()[0],
        )

    assert project._write(modes) == ("wal", 2, 1)


def test_that_a_project_on_a_network_disk_leaves_the_log_behind(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media_id, found = make(folder)
    monkeypatch.setattr(opening, "is_network", lambda _path: True)
    with Project.open(folder) as project:
        assert (
            project._write(lambda connection: connection.execute("PRAGMA journal_mode").fetchone()[0])
            == "delete"
        )
        assert project._write(lambda connection: connection.execute("PRAGMA synchronous").fetchone()[0]) == 3
        assert instances_of(project, media_id) == {found}
        project.save(media_id, adding(drawn(project.ensure_class("cell").id)), name="Draw").result()
        with Project.open(folder) as second:
            assert second.read_only
            assert len(instances_of(second, media_id)) == 2
    assert not database_of(folder).with_name("project.db-wal").exists()


def test_that_a_disk_without_shared_memory_gets_a_rollback_journal(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from engine.project import connect

    monkeypatch.setattr(connect, "_try_wal", lambda _connection: False)
    with closing(connect_for_writing(tmp_path / "x.db", network=False, create=True)) as connection:
        assert not uses_wal(connection)


@pytest.mark.parametrize(
    ("mounts", "expected"),
    [
        ([("/", "ext4", "rw")], False),
        ([("/", "ext4", "rw"), ("/home", "nfs4", "rw")], True),
        ([("/", "nfs", "rw"), ("/home", "xfs", "rw")], False),
        ([("/", "ext4", "rw"), ("/home/me/pics", "fuse.sshfs", "rw")], True),
        ([("/", "ext4", "rw"), ("/home/me/pic", "cifs", "rw")], False),
        ([("/", "apfs", "rw"), ("/home", "smbfs", "rw")], True),
        ([("/", "NTFS", "rw,remote")], True),
        ([("/", "fuseblk", "rw")], False),
        ([("/", "nfs", "rw"), ("/", "ext4", "rw")], False),
        ([], False),
    ],
)
def test_that_network_disks_are_known(
    mounts: list[tuple[str, str, str]], expected: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    from types import SimpleNamespace

    found = [SimpleNamespace(mountpoint=at, fstype=kind, opts=options) for at, kind, options in mounts]
    monkeypatch.setattr(psutil, "disk_partitions", lambda **_options: found)
    assert location.is_network(Path("/home/me/pics/.maskwright/project.db")) is expected


def test_that_a_second_window_reads_and_sees_what_the_first_saves(project: Project, folder: Path) -> None:
    media_id = ids(project)[0]
    with Project.open(folder) as second:
        assert second.read_only
        assert f"process {os.getpid()}" in second.read_only_reason
        found = drawn(project.ensure_class("cell").id)
        project.save(media_id, adding(found), name="Draw").result()
        assert instances_of(second, media_id) == {found.id}
        for write in (
            lambda: second.save(media_id, adding(found), name="Draw"),
            second.refresh,
            lambda: second.ensure_class("dog"),
            lambda: second.undo(media_id),
        ):
            (folder / "new.png").touch()
            with pytest.raises(ProjectError, match="reading only"):
                write()
        assert second.media() == project.media()
        second.flush()


def test_that_the_next_window_writes_when_the_first_is_closed(folder: Path) -> None:
    first = Project.open(folder)
    second = Project.open(folder)
    first.close()
    with Project.open(folder) as third:
        assert (second.read_only, third.read_only) == (True, False)
    second.close()


def test_that_another_process_holds_the_lock_until_it_is_killed(folder: Path) -> None:
    make(folder)
    program = (
        "import sys; from pathlib import Path; from engine.project import Project;"
        "project = Project.open(Path(sys.argv[1])); print(project.read_only, flush=True); sys.stdin.read()"
    )
    root = Path(__file__).resolve().parents[3]
    with subprocess.Popen(
        [sys.executable, "-c", program, str(folder)],
        cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    ) as child:  # fmt: skip
        try:
            assert child.stdout is not None
            assert child.stdout.readline().strip() == "False"
            with Project.open(folder) as project:
                assert f"process {child.pid} on" in project.read_only_reason
        finally:
            child.kill()
    with Project.open(folder) as project:
        assert not project.read_only


def test_that_reading_only_can_be_asked_for(folder: Path) -> None:
    with pytest.raises(ProjectError, match="holds no project yet"):
        Project.open(folder, read_only=True)
    media_id, found = make(folder)
    with Project.open(folder, read_only=True) as project:
        assert project.read_only_reason == "The project was opened for reading only."
        assert instances_of(project, media_id) == {found}


def test_that_a_folder_that_is_none_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="nowhere"):
        Project.open(tmp_path / "nowhere")
    (tmp_path / "file").touch()
    with pytest.raises(ProjectError, match="not a folder"):
        Project.open(tmp_path / "file")


def test_that_an_unwritable_folder_has_its_project_in_the_data_directory(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = tmp_path / "data"
    real = location.can_write
    with monkeypatch.context() as patch:
        patch.setattr(location, "can_write", lambda place: folder not in place.parents and real(place))
        with Project.open(folder, data_dir=data) as project:
            assert data in project.database.parents
            assert not project.read_only
            assert [str(project.database.parent) in sentence for sentence in project.notices] == [True]
            project.refresh()
            media_id = ids(project)[0]
            project.save(media_id, adding(drawn(project.ensure_class("cell").id)), name="Draw").result()
        with Project.open(folder / "sub" / "..", data_dir=data) as project:
            assert len(instances_of(project, media_id)) == 1
    with Project.open(folder, data_dir=data) as project:
        assert len(instances_of(project, media_id)) == 1, "it stays the truth when the folder can be written"


def test_that_a_project_in_an_unwritable_folder_is_shown(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    media_id, found = make(folder)
    monkeypatch.setattr(location, "can_write", lambda _place: False)
    with Project.open(folder, data_dir=tmp_path / "data") as project:
        assert "cannot be written" in project.read_only_reason
        assert instances_of(project, media_id) == {found}
    assert not (tmp_path / "data").exists()


@pytest.mark.skipif(
    not hasattr(os, "fork") or os.geteuid() != 0, reason="needs to become an unprivileged user"
)
@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("unclean", [False, True])
def test_that_a_project_that_another_user_owns_is_shown_with_its_newest_edits(
    unclean: bool,
) -> None:
    """For real: no write permission, no shared memory file, and with `unclean` edits only in the log."""
    folder = Path("/tmp") / f"maskwright-test-{os.getpid()}-{unclean}"  # where others can reach it
    folder.mkdir(mode=0o755)
    try:
        (folder / "a.png").touch()
        make(folder)
        if unclean:
            with Project.open(folder) as project:
                found = drawn(project.ensure_class("cell").id)
                project.save(ids(project)[0], adding(found), name="Draw").result()
                # A backup is being made meanwhile, and its files come and go.
                apart = shutil.ignore_patterns("backups")
                shutil.copytree(folder / ".maskwright", folder / "copied", ignore=apart)
            shutil.rmtree(folder / ".maskwright")
            (folder / "copied").rename(folder / ".maskwright")
            (folder / ".maskwright" / "project.db-shm").unlink()
        pid = os.fork()
        if pid == 0:
            os._exit(_count_as_nobody(folder))
        assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == (2 if unclean else 1)
    finally:
        shutil.rmtree(folder)


def _count_as_nobody(folder: Path) -> int:
    os.setuid(65534)
    with Project.open(folder) as project:
        return len(instances_of(project, ids(project)[0])) if project.read_only else 99


def test_that_a_newer_project_is_refused_and_left_alone(folder: Path) -> None:
    make(folder)
    with closing(sqlite3.connect(database_of(folder))) as connection:
        connection.execute("PRAGMA user_version = 99")
    before = database_of(folder).read_bytes()
    for read_only in (False, True):
        with pytest.raises(ProjectError, match=r"newer Maskwright .*update"):
            Project.open(folder, read_only=read_only)
    assert database_of(folder).read_bytes() == before


def test_that_another_programs_database_is_refused(folder: Path) -> None:
    database_of(folder).parent.mkdir()
    with closing(sqlite3.connect(database_of(folder))) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    with pytest.raises(ProjectError, match="another program"):
        Project.open(folder)


def _add_a_column(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE media ADD COLUMN stars INTEGER NOT NULL DEFAULT 3")


def _fail_half_way(connection: sqlite3.Connection) -> None:
    connection.execute("ALTER TABLE media ADD COLUMN stars INTEGER NOT NULL DEFAULT 3")
    raise sqlite3.OperationalError("disk I/O error")


def _break_a_reference(connection: sqlite3.Connection) -> None:
    connection.execute("DELETE FROM media")


def test_that_an_older_project_is_copied_and_then_migrated(folder: Path) -> None:
    media_id, found = make(folder)
    path = database_of(folder)
    with closing(connect_for_writing(path, network=False)) as connection:
        schema.migrate(connection, path, (*schema.MIGRATIONS, _add_a_column))
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(schema.MIGRATIONS) + 1
        assert connection.execute("SELECT DISTINCT stars FROM media").fetchall() == [(3,)]
        assert connection.execute("PRAGMA foreign_keys").fetchone()[0] == 1
    copy = path.with_name(f"project.db.v{len(schema.MIGRATIONS)}.bak")
    assert quick_check(copy) == "ok"
    with pytest.raises(ProjectError, match="newer"):
        Project.open(folder)
    shutil.copyfile(copy, path)
    with Project.open(folder) as project:
        assert instances_of(project, media_id) == {found}


@pytest.mark.parametrize("step", [_fail_half_way, _break_a_reference])
def test_that_a_failed_migration_leaves_the_project_as_it_was(folder: Path, step: schema.Migration) -> None:
    media_id, found = make(folder)
    path = database_of(folder)
    with closing(connect_for_writing(path, network=False)) as connection:
        with pytest.raises((sqlite3.OperationalError, ProjectError)):
            schema.migrate(connection, path, (*schema.MIGRATIONS, _add_a_column, step))
        assert connection.execute("PRAGMA user_version").fetchone()[0] == len(schema.MIGRATIONS)
    with Project.open(folder) as project:
        assert instances_of(project, media_id) == {found}


def test_that_a_project_of_an_older_version_is_not_migrated_for_a_reader(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(folder)
    monkeypatch.setattr(opening, "MIGRATIONS", (*schema.MIGRATIONS, _add_a_column))
    with pytest.raises(ProjectError, match="older Maskwright: open it for writing once"):
        Project.open(folder, read_only=True)


def damage_header(path: Path) -> None:
    path.write_bytes(b"no database at all" + path.read_bytes()[18:])


def cut_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-5000])


def empty(path: Path) -> None:
    path.write_bytes(b"")


@pytest.mark.parametrize("damage", [damage_header, cut_end, empty, Path.unlink])
def test_that_a_damaged_project_comes_back_from_its_backup(folder: Path, damage: object) -> None:
    assert callable(damage)
    media_id, found = make(folder)
    make_backup(folder)
    damage(database_of(folder))
    with Project.open(folder) as project:
        assert "replaced by its backup" in project.notices[0]
        assert instances_of(project, media_id) == {found}
        project.save(media_id, adding(drawn(project.ensure_class("cell").id)), name="Draw").result()
    with Project.open(folder) as project:
        assert project.notices == ()
        assert len(instances_of(project, media_id)) == 2


@pytest.mark.parametrize("damage", [damage_header, cut_end])
def test_that_a_damaged_project_without_a_backup_is_told_and_left_as_it_is(
    folder: Path, damage: object
) -> None:
    assert callable(damage)
    make(folder)
    damage(database_of(folder))
    before = database_of(folder).read_bytes()
    for _ in range(2):
        with pytest.raises(ProjectError, match=r"project\.db is damaged .* has no backup"):
            Project.open(folder)
    assert database_of(folder).read_bytes() == before


def test_that_the_damaged_database_is_kept(folder: Path) -> None:
    make(folder)
    make_backup(folder)
    damage_header(database_of(folder))
    damaged = database_of(folder).read_bytes()
    with Project.open(folder):
        pass
    (kept,) = database_of(folder).parent.glob("project.db.damaged-*")
    assert kept.read_bytes() == damaged


def garble_inside(folder: Path) -> None:
    """Damage the pages of the instances, which opening alone does not read."""
    path = database_of(folder)
    with closing(sqlite3.connect(path)) as connection:
        roots = [
            row[0]
            for row in connection.execute("SELECT rootpage FROM sqlite_master WHERE name LIKE 'instance%'")
        ]
    pages = bytearray(path.read_bytes())
    for root in roots:
        pages[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    path.write_bytes(pages)


def test_that_damage_inside_is_told_when_met_and_repaired_at_the_next_opening(folder: Path) -> None:
    media_id, found = make(folder)
    make_backup(folder)
    garble_inside(folder)
    with (
        Project.open(folder) as project,
        pytest.raises(ProjectError, match=r"damaged .*open it again to repair"),
    ):
        project.load(media_id)
    with Project.open(folder) as project:
        assert "replaced by its backup" in project.notices[0]
        assert instances_of(project, media_id) == {found}


def test_that_every_page_is_checked_after_an_unclean_end(folder: Path) -> None:
    make(folder)
    make_backup(folder)
    garble_inside(folder)
    (folder / ".maskwright" / "project.lock").write_text("process 1 on nowhere")
    with Project.open(folder) as project:
        assert project.notices


def test_that_a_damaged_database_does_not_become_a_backup(folder: Path) -> None:
    make(folder)
    good = make_backup(folder)
    garble_inside(folder)
    make_old(good)
    assert make_backup(folder) == good
    with Project.open(folder) as project:
        assert "replaced by its backup" in project.notices[0], "the failed backup marked it for a check"


def test_that_a_damaged_backup_is_passed_over(folder: Path) -> None:
    media_id, found = make(folder)
    good = make_backup(folder)
    good.with_name("project-99990101-000000.db").write_bytes(b"garbage")
    damage_header(database_of(folder))
    with Project.open(folder) as project:
        assert instances_of(project, media_id) == {found}


def test_that_a_backup_is_made_once_a_day_and_three_are_kept(folder: Path) -> None:
    make(folder)
    place = folder / ".maskwright" / "backups"
    make_backup(folder)
    with Project.open(folder) as project:
        assert project._opened._backup is None, "one a day is enough"
    (newest,) = place.glob("*.db")
    for number in range(4):
        older = place / f"project-2020010{number + 1}-000000.db"
        shutil.copyfile(newest, older)
        make_old(older)
    newest.unlink()
    make_backup(folder)
    assert len(list(place.glob("*"))) == 3
    make_old(*place.glob("*.db"), database_of(folder))
    assert not health.wants_backup(database_of(folder)), "nothing has changed since"


def test_that_a_backup_is_given_up_when_the_project_closes(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(folder)
    monkeypatch.setattr("engine.project.connect._COPY_PAGES", 1)
    with Project.open(folder) as project:
        backup = project._opened._backup
        assert backup is not None
    assert not backup._thread.is_alive()
    assert not list((folder / ".maskwright" / "backups").glob("*.part"))


def test_that_copying_waits_for_nobody(folder: Path) -> None:
    """A backup under way keeps no edit waiting for long, and holds one state of the project."""
    make(folder)
    with Project.open(folder) as project:
        media_id, class_id = ids(project)[0], project.ensure_class("cell").id
        for _ in range(20):
            project.save(media_id, adding(drawn(class_id)), name="Draw").result(timeout=5)
    backup = max((folder / ".maskwright" / "backups").glob("*.db"), default=None)
    assert backup is None or quick_check(backup) == "ok"
