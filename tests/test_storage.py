"""Files and folders are written whole or not at all; where things lie."""

import errno
import hashlib
import os
import shutil
import signal
import stat
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from compendium import storage as disk
from compendium.errors import BadInput
from compendium.storage import (
    atomic_file,
    atomic_folder,
    home,
    read_checksummed,
    resource,
    sha256,
    write_checksummed,
)
from forked import KILLED_AT
from raw_files import files_below, refusal


class Interrupted(Exception):
    """Stands for whatever may end a block early."""


@pytest.fixture(params=["one step", "two steps"])
def replacing(request, monkeypatch) -> None:
    """Both ways to put a folder in the place of another; a network disk knows the second alone."""
    if request.param == "two steps":
        monkeypatch.setattr("compendium.storage._exchanged", lambda new, target: False)


def fill(folder: Path, text: str) -> None:
    with atomic_folder(folder) as aside:
        (aside / "deep").mkdir()
        (aside / "deep" / "a.txt").write_text(text)


def test_a_folder_appears_only_when_the_block_has_ended(tmp_path):
    target = tmp_path / "new" / "run"
    with atomic_folder(target) as aside:
        (aside / "a.txt").write_text("one")
        assert target.parent in aside.parents
        assert not target.exists()
    assert files_below(tmp_path) == {"new/run/a.txt"}
    assert stat.S_IMODE(target.stat().st_mode) == 0o755


@pytest.mark.usefixtures("replacing")
def test_a_folder_replaces_the_old_one_altogether(tmp_path):
    fill(tmp_path / "run", "old")
    (tmp_path / "run" / "stray.txt").write_text("of the old one")
    fill(tmp_path / "run", "new")
    assert files_below(tmp_path) == {"run/deep/a.txt"}
    assert (tmp_path / "run" / "deep" / "a.txt").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["run"]


@pytest.mark.parametrize("error", [Interrupted, KeyboardInterrupt, BadInput])
def test_an_interrupted_folder_leaves_the_old_one_and_nothing_else(tmp_path, error):
    fill(tmp_path / "run", "old")
    with pytest.raises(error), atomic_folder(tmp_path / "run") as aside:
        (aside / "a.txt").write_text("half")
        raise error
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert files_below(tmp_path) == {"run/deep/a.txt"}
    assert (tmp_path / "run" / "deep" / "a.txt").read_text() == "old"


def test_an_interrupted_first_folder_leaves_nothing(tmp_path):
    with pytest.raises(Interrupted), atomic_folder(tmp_path / "run") as aside:
        (aside / "a.txt").write_text("half")
        raise Interrupted
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("failing", [1, 2, 3])
@pytest.mark.parametrize("error", [OSError, KeyboardInterrupt])
def test_a_replacement_that_fails_puts_the_old_folder_back(tmp_path, monkeypatch, failing, error):
    fill(tmp_path / "run", "old")
    rename, calls = Path.rename, []

    def failing_rename(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == failing:
            raise error("the disk is full")
        return rename(path, target)

    monkeypatch.setattr("compendium.storage._exchanged", lambda new, target: False)
    monkeypatch.setattr(Path, "rename", failing_rename)
    with pytest.raises(error, match="the disk is full"):
        fill(tmp_path / "run", "new")
    monkeypatch.undo()
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert (tmp_path / "run" / "deep" / "a.txt").read_text() == "old"


@pytest.mark.parametrize("move", [1, 2, 3])
def test_another_that_writes_the_same_folder_meanwhile_is_no_error(tmp_path, monkeypatch, move):
    fill(tmp_path / "run", "old")
    rename, calls = Path.rename, []

    def rename_after_another(path: Path, target: Path) -> Path:
        calls.append(path)
        if len(calls) == move:
            fill(tmp_path / "run", "of another")
        return rename(path, target)

    monkeypatch.setattr("compendium.storage._exchanged", lambda new, target: False)
    monkeypatch.setattr(Path, "rename", rename_after_another)
    fill(tmp_path / "run", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert (tmp_path / "run" / "deep" / "a.txt").read_text() == "new"


@pytest.mark.parametrize("steps", [1, 2])
def test_a_folder_that_another_took_away_is_no_error_and_no_other_error_is_hidden(
    tmp_path, monkeypatch, steps
):
    fill(tmp_path / "run", "old")
    rename = Path.rename

    def rename_after_theft(path: Path, target: Path) -> Path:
        if path == tmp_path / "run":
            shutil.rmtree(path)
        if steps == 2 and path.name == "new" and not target.exists():
            raise OSError("the disk is full")
        return rename(path, target)

    monkeypatch.setattr("compendium.storage._exchanged", lambda new, target: False)
    monkeypatch.setattr(Path, "rename", rename_after_theft)
    if steps == 1:
        fill(tmp_path / "run", "new")
        assert files_below(tmp_path) == {"run/deep/a.txt"}
    else:
        with pytest.raises(OSError, match="the disk is full"):
            fill(tmp_path / "run", "new")


@pytest.mark.usefixtures("replacing")
def test_many_that_write_one_folder_at_once_all_end_and_leave_one(tmp_path):
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda n: fill(tmp_path / "run", str(n)), range(200)))
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert files_below(tmp_path) == {"run/deep/a.txt"}


def test_on_a_local_disk_there_is_no_moment_without_the_folder(tmp_path, monkeypatch):
    (tmp_path / "one").mkdir()
    (tmp_path / "two").mkdir()
    if not disk._exchanged(tmp_path / "one", tmp_path / "two"):
        pytest.skip("folders do not change names in one step on this disk")
    fill(tmp_path / "run", "old")
    monkeypatch.setattr(Path, "rename", lambda path, target: pytest.fail("moved away"))
    fill(tmp_path / "run", "new")
    assert (tmp_path / "run" / "deep" / "a.txt").read_text() == "new"


def test_a_file_appears_only_when_the_block_has_ended(tmp_path):
    target = tmp_path / "new" / "table.csv"
    with atomic_file(target) as aside:
        aside.write_text("one")
        assert aside.suffix == ".csv"
        assert target.parent in aside.parents
        assert not target.exists()
    assert files_below(tmp_path) == {"new/table.csv"}
    assert stat.S_IMODE(target.stat().st_mode) == 0o644


@pytest.mark.parametrize("error", [Interrupted, KeyboardInterrupt])
def test_an_interrupted_file_leaves_the_old_one_and_nothing_else(tmp_path, error):
    target = tmp_path / "table.csv"
    target.write_text("old")
    with pytest.raises(error), atomic_file(target) as aside:
        aside.write_text("half")
        raise error
    assert files_below(tmp_path) == {"table.csv"}
    assert target.read_text() == "old"


def test_a_file_replaces_the_old_one(tmp_path):
    for text in ("old", "new"):
        with atomic_file(tmp_path / "table.csv") as aside:
            aside.write_text(text)
    assert (tmp_path / "table.csv").read_text() == "new"
    assert files_below(tmp_path) == {"table.csv"}


def killed(touches: int, work: Callable[[], None]) -> bool:
    """Whether a process that is killed at so many touches of the disk died before its end."""
    if pid := os.fork():
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == -signal.SIGKILL
    exec(KILLED_AT.format(touches), {})
    work()
    os._exit(0)


def refuse_to_fill(folder: Path) -> None:
    with pytest.raises(Interrupted), atomic_folder(folder):
        raise Interrupted


@pytest.mark.usefixtures("replacing")
def test_a_process_killed_at_any_touch_of_the_disk_leaves_the_old_or_the_new_folder(tmp_path):
    fill(tmp_path / "run", "old")
    seen, touches = set(), 1
    while killed(touches, lambda: fill(tmp_path / "run", "new")):
        refuse_to_fill(
            tmp_path / "run"
        )  # whoever comes next cleans up, even one that does not get to its end
        assert files_below(tmp_path) == {"run/deep/a.txt"} and len(list(tmp_path.iterdir())) == 1
        seen.add((tmp_path / "run" / "deep" / "a.txt").read_text())
        fill(tmp_path / "run", "old")
        touches += 1
    assert (seen, touches > 8) == ({"old", "new"}, True)


def test_a_process_killed_at_any_touch_of_the_disk_leaves_the_old_or_the_new_file(tmp_path):
    def write(text: str) -> None:
        with atomic_file(tmp_path / "table.csv") as aside:
            aside.write_text(text)

    seen, touches = set(), 1
    write("old")
    while killed(touches, lambda: write("new")):
        seen.add((tmp_path / "table.csv").read_text())
        write("old")
        assert [path.name for path in tmp_path.iterdir()] == ["table.csv"]
        touches += 1
    assert (seen, touches > 3) == ({"old", "new"}, True)


def test_what_another_is_writing_stays(tmp_path):
    with atomic_folder(tmp_path / "run") as first:
        (first / "a.txt").write_text("first")
        fill(tmp_path / "run", "second")
        assert (first / "a.txt").exists()
    assert files_below(tmp_path) == {"run/a.txt"}


def test_any_changed_byte_of_a_checksummed_file_is_found(tmp_path):
    path, content = tmp_path / "a", bytes(range(100))
    write_checksummed(path, content)
    assert read_checksummed(path) == content and path.read_bytes()[:100] == content
    good = path.read_bytes()
    for at in range(len(good)):
        for bad in (good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :], good[:at]):
            path.write_bytes(bad)
            with pytest.raises(ValueError, match="not those that were written"):
                read_checksummed(path)


def test_an_error_of_the_disk_names_what_was_written(tmp_path):
    with (
        pytest.raises(OSError, match="No space left") as caught,
        atomic_file(tmp_path / "table.csv"),
    ):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(tmp_path / "table.csv")


def test_home_is_the_folder_that_was_chosen(tmp_path, monkeypatch):
    monkeypatch.setenv("COMPENDIUM_HOME", str(tmp_path / "mine"))
    assert home() == tmp_path / "mine"
    assert not (tmp_path / "mine").exists()


def test_home_is_data_of_the_checkout_or_of_the_working_folder(tmp_path, monkeypatch):
    for unset in ("", None):
        monkeypatch.setenv("COMPENDIUM_HOME", unset) if unset is not None else monkeypatch.delenv(
            "COMPENDIUM_HOME"
        )
        assert home() == disk.CHECKOUT / "data"
    monkeypatch.setattr(disk, "CHECKOUT", tmp_path / "site-packages")
    monkeypatch.chdir(tmp_path)
    assert home() == tmp_path / "data"


def test_the_root_of_the_project_is_the_nearest_folder_with_profiles_else_the_clone(
    tmp_path, monkeypatch
):
    monkeypatch.delenv("COMPENDIUM_HOME", raising=False)
    deep = tmp_path / "copy" / "notebooks" / "profiles" / "deep"
    deep.mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert disk.project_root() == disk.CHECKOUT
    monkeypatch.chdir(deep)
    assert disk.project_root() == tmp_path / "copy"
    assert home() == tmp_path / "copy" / "data"


def test_files_of_the_package_are_found_whatever_the_working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert resource("genes/markers_12.txt").read_text().split()[0] == "COX6C"
    assert resource("sources.yaml").exists()


def test_a_file_that_is_not_there_is_named():
    assert refusal(lambda: resource("genes/hvg_9.txt")).startswith(
        "genes/hvg_9.txt is not among the files of the package"
    )


def test_sha256_is_that_of_the_bytes(tmp_path):
    content = bytes(range(256)) * 5000
    (tmp_path / "a").write_bytes(content)
    assert sha256(tmp_path / "a") == hashlib.sha256(content).hexdigest()
    assert (
        sha256(tmp_path / "a") == sha256(tmp_path / "a") != hashlib.sha256(content[:-1]).hexdigest()
    )
