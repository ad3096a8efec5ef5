"""Locks: one at a time, seen by all, and nothing left of them."""

import fcntl
import os
import shutil
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from compendium.storage import alone, is_locked, lock_of, locked


class Interrupted(Exception):
    """Stands for whatever may end a block early."""


def test_a_lock_is_seen_by_many_and_bears_the_time_at_which_it_was_taken(tmp_path):
    path = tmp_path / "lock"
    path.touch()
    os.utime(path, (0, 0))
    with path.open() as other:
        fcntl.flock(other, fcntl.LOCK_SH | fcntl.LOCK_NB)  # what another that asks does
        assert not is_locked(path)
    with locked(path):
        assert is_locked(path)
        assert path.stat().st_mtime > 0
    assert not is_locked(path) and not is_locked(tmp_path / "none")


def test_a_lock_whose_folder_its_holder_removes_is_taken_by_the_next(tmp_path):
    path, held = tmp_path / "run.partial" / "lock", []

    def hold(number: int) -> None:
        with locked(path):
            held.append(number)
            assert held == [number]
            held.remove(number)
            shutil.rmtree(path.parent, ignore_errors=True)

    with ThreadPoolExecutor(6) as pool:
        list(pool.map(hold, range(1500)))
    assert not path.exists()


def test_a_folder_that_vanishes_while_it_is_made_is_made_again(tmp_path, monkeypatch):
    path, is_dir, gone = tmp_path / "run.partial" / "lock", Path.is_dir, []
    path.parent.mkdir()

    def vanished(folder: Path) -> bool:
        if folder == path.parent and not gone:
            gone.append(folder)
            folder.rmdir()
        return is_dir(folder)

    monkeypatch.setattr(Path, "is_dir", vanished)
    with locked(path):
        assert is_locked(path) and gone


def test_a_lock_ends_with_the_process_that_is_killed(tmp_path):
    path = tmp_path / "lock"
    code = (
        "import sys, time; from pathlib import Path; from compendium.storage import locked\n"
        "with locked(Path(sys.argv[1])): print('held', flush=True); time.sleep(60)"
    )
    with subprocess.Popen([sys.executable, "-c", code, path], stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"held\n" and is_locked(path)
        holder.kill()
    assert path.exists() and not is_locked(path)
    with locked(path):
        assert is_locked(path)


def test_what_stands_in_the_way_of_a_lock_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    for name, error in (("file", FileExistsError), ("file/deep", NotADirectoryError)):
        with pytest.raises(error), locked(tmp_path / name / "lock"):
            pass


def test_the_only_one_to_make_a_file_leaves_no_lock_and_clears_what_was_left(tmp_path):
    target = tmp_path / "table.csv"
    (tmp_path / ".table.csv.abcdefgh").mkdir()
    lock_of(target).touch()
    with pytest.raises(Interrupted), alone(target):
        assert is_locked(lock_of(target))
        raise Interrupted
    assert list(tmp_path.iterdir()) == []
