"""The Binder image, as repo2docker would build it: nothing is built here, and no Docker is needed."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def dockerfile():
    if sys.platform == "win32":
        pytest.skip("repo2docker does not run on Windows")
    command = [
        sys.executable,
        "-m",
        "repo2docker",
        "--no-build",
        "--debug",
        "--user-id",
        "1000",
        "--user-name",
        "reader",
    ]
    done = subprocess.run([*command, "."], cwd=ROOT, capture_output=True, text=True, timeout=900)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def requirements(path):
    """The lines of a requirements file and of those that it takes in by `-r`."""
    for line in path.read_text("utf-8").splitlines():
        line = line.split("#")[0].strip()
        if line.startswith("-r"):
            yield from requirements(path.parent / line[2:].strip())
        elif line:
            yield line


def test_the_python_of_runtime_txt_is_taken(dockerfile):
    version = (ROOT / "binder" / "runtime.txt").read_text("utf-8").strip().removeprefix("python-")
    assert f"Building conda environment for python={version}\n" in dockerfile
    assert re.search(rf"COPY .*environment-2epy-2d{version.replace('.', '-2e')}-2d", dockerfile)


def test_requirements_are_installed_after_the_project_is_copied_and_from_its_root(dockerfile):
    """Else `-r ../requirements.txt` would miss its file, and `-e .` would mean another folder."""
    folder = dockerfile.index("\nWORKDIR ${REPO_DIR}\n")
    copied = re.search(r"^COPY --chown=1000:1000 src/ \$\{REPO_DIR\}/?$", dockerfile, re.MULTILINE).start()
    installed = re.search(
        r'^RUN .*pip install .*-r "binder/requirements.txt"$', dockerfile, re.MULTILINE
    ).start()
    assert folder < copied < installed
    assert "WORKDIR" not in dockerfile[folder + 1 : installed].replace("WORKDIR ${REPO_DIR}", "", 1)
    assert dockerfile[copied:installed].strip().splitlines()[-1] == "USER ${NB_USER}"  # owns what was copied


def test_one_thread_is_asked_for_at_the_start(dockerfile):
    assert 'ENV R2D_ENTRYPOINT="${REPO_DIR}/binder/start"' in dockerfile
    assert "export OMP_NUM_THREADS=1\n" in (ROOT / "binder" / "start").read_text("utf-8")


def test_flowlib_and_the_pinned_torch_for_cpus_are_among_the_requirements():
    lines = list(requirements(ROOT / "binder" / "requirements.txt"))
    assert "-e ." in lines
    assert any(line.startswith("torch==") for line in lines)
    assert "--extra-index-url https://download.pytorch.org/whl/cpu" in lines


def test_binder_installs_what_a_reader_installs_and_its_server():
    """What only tests need would make the image larger and its start slower."""
    for_all = set(requirements(ROOT / "requirements.txt"))
    more = [line for line in requirements(ROOT / "binder" / "requirements.txt") if line not in for_all]
    assert [re.split("[= ]", line)[0] for line in more] == ["--extra-index-url", "notebook"]


def test_only_binder_asks_a_second_index():
    assert not [line for line in requirements(ROOT / "requirements.txt") if "index" in line or "http" in line]


def test_notebook_server_follows_jupyterlab():
    """notebook 7.N is made for JupyterLab 4.N; an older one would come with the image."""
    pins = dict(
        line.split("==") for line in requirements(ROOT / "binder" / "requirements.txt") if "==" in line
    )
    assert pins["notebook"].split(".")[1] == pins["jupyterlab"].split(".")[1]
