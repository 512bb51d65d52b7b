"""Where readers sit: no network, no home to write to, one small machine, a folder with any name."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[1]
RUN = """
import flowlib
print(flowlib.__file__)
from build import SOURCES
from cells import code_cells
names = {"__name__": "__main__"}
for cell in code_cells(SOURCES[0]):
    cell.run(names)
"""
OFFLINE = """
import sys
def refuse(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo", "socket.gethostbyname"):
        raise OSError(f"no network here, but {event} {arguments}")
sys.addaudithook(refuse)
"""
SMALL = """
import os, sys
if sys.platform == "linux":
    import resource
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    resource.setrlimit(resource.RLIMIT_DATA, (2**30, 2**30))  # what it fills; RLIMIT_AS counts libraries too
"""


def first_lesson(before: str = "", folder: Path = ROOT, **variables: str) -> str:
    """What lesson 01 printed, its code run in a new process, after the code `before`."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "PYTHON"))}
    path = os.pathsep.join([str(folder), str(folder / "notebooks")])
    done = subprocess.run(
        [sys.executable, "-c", before + RUN],
        cwd=folder, capture_output=True, encoding="utf-8",
        env={**inherited, "MPLBACKEND": "Agg", "PYTHONPATH": path, **variables},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.fixture
def nowhere(tmp_path):
    """A home folder that not even root can make: it would lie inside a file."""
    (tmp_path / "file").touch()
    return str(tmp_path / "file" / "home")


def test_without_a_network_and_a_home_folder(nowhere):
    names = ("HOME", "USERPROFILE", "LOCALAPPDATA", "XDG_CACHE_HOME", "XDG_CONFIG_HOME")
    assert "✓" in first_lesson(OFFLINE, **dict.fromkeys(names, nowhere))


def test_in_a_folder_with_spaces_and_chinese_characters_in_shanghai_in_the_c_locale(tmp_path):
    folder = tmp_path / "流匹配 (a copy)"
    without = shutil.ignore_patterns("__pycache__", "*.ipynb", "pictures")
    for part in ("flowlib", "notebooks"):
        shutil.copytree(ROOT / part, folder / part, ignore=without)
    printed = first_lesson(folder=folder, LC_ALL="C", LANG="C", TZ="Asia/Shanghai")
    assert printed.startswith(str(folder / "flowlib"))
    assert "✓" in printed


def test_on_one_cpu_with_a_gigabyte_of_memory():
    assert "✓" in first_lesson(SMALL)
