import errno
import subprocess
import sys
from pathlib import Path

import pytest

from flowlib.files import expanded, sole_use, write_atomically


def test_a_file_is_written_whole_into_folders_that_are_made(tmp_path):
    write_atomically(tmp_path / "a" / "b.txt", b"whole")
    assert (tmp_path / "a" / "b.txt").read_bytes() == b"whole"
    assert [file.name for file in (tmp_path / "a").iterdir()] == ["b.txt"]


def test_an_interrupt_while_writing_leaves_what_stood_there(tmp_path, monkeypatch):
    path = tmp_path / "b.txt"
    write_atomically(path, b"before")

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("flowlib.files.os.fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, b"after")
    assert path.read_bytes() == b"before"
    assert list(tmp_path.iterdir()) == [path]


def test_a_tilde_is_the_users_own_folder_and_that_of_nobody_stays(tmp_path, monkeypatch):
    for home in ("HOME", "USERPROFILE"):
        monkeypatch.setenv(home, str(tmp_path))
    assert expanded("~/a/b") == tmp_path / "a" / "b"
    assert expanded(Path("a/~/b")) == Path("a/~/b")
    assert expanded("~nobody-of-this-name/a") == Path("~nobody-of-this-name/a")
    write_atomically("~/c.txt", b"here")
    assert (tmp_path / "c.txt").read_bytes() == b"here"


def test_a_folder_is_lent_to_one_at_a_time_and_nothing_is_left_in_it(tmp_path):
    folder = tmp_path / "new" / "folder"
    for _ in range(2):  # given back, it is lent again
        with sole_use(folder):
            with pytest.raises(OSError, match=r"another process writes to .*folder; wait"), sole_use(folder):
                pytest.fail("lent twice")
            with sole_use(tmp_path):  # another folder
                write_atomically(folder / "a", b"")
    with pytest.raises(ValueError, match="by itself"), sole_use(folder):
        raise ValueError("an error by itself")
    with sole_use(folder):
        assert [file.name for file in folder.iterdir()] == ["a"]


def test_a_process_that_is_killed_gives_its_folder_back(tmp_path):
    holding = "import sys; from pathlib import Path; from flowlib.files import sole_use\n"
    holding += "with sole_use(Path(sys.argv[1])): print('mine', flush=True), sys.stdin.read()"
    called = [sys.executable, "-c", holding, str(tmp_path)]
    other = subprocess.Popen(called, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    with other:
        assert other.stdout.readline().strip() == b"mine"
        with pytest.raises(OSError, match="another process writes to"), sole_use(tmp_path):
            pytest.fail("lent twice")
        other.kill()
    with sole_use(tmp_path):
        assert list(tmp_path.iterdir()) == []


def test_where_the_system_can_not_lend_a_folder_nobody_is_refused(tmp_path, monkeypatch):
    def no_locks(*_):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(pytest.importorskip("fcntl"), "flock", no_locks)
    with sole_use(tmp_path), sole_use(tmp_path):
        pass
