import pytest

from flowlib.files import write_atomically


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
