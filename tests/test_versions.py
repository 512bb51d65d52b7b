"""The versions that are promised are those that are tested: by the requirements, oldest.txt, hosted CI."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
EXTRAS = [text for extra in PROJECT["optional-dependencies"].values() for text in extra]
NEEDED = [Requirement(text) for text in PROJECT["dependencies"] + EXTRAS]
EVERYWHERE = {needed.name: needed.specifier for needed in NEEDED if not needed.marker}
TO_READ_IN = {"jupyterlab", "ipykernel"}  # a learner's notebooks
TO_SHOW = {"nbconvert"}  # a teacher's slides


def lines(path: str) -> list[str]:
    """The lines of a file that are no comments."""
    return [line for line in (ROOT / path).read_text("utf-8").splitlines() if line and line[0] != "#"]


def pins(path: str) -> dict[str, str]:
    """The version of each package that a requirements file pins."""
    return dict(line.split("==") for line in lines(path) if "==" in line)


def test_the_oldest_versions_admitted_are_tested():
    oldest = pins("tests/oldest.txt")
    assert set(oldest) == set(EVERYWHERE) - {"torch"}
    for name, version in oldest.items():
        assert re.fullmatch(rf"{str(EVERYWHERE[name])[2:]}(\.0)*", version), f"{name}: {EVERYWHERE[name]}"


def test_the_newest_versions_tested_are_admitted():
    newest = pins("requirements.txt")
    assert [name for name, admitted in EVERYWHERE.items() if newest[name] not in admitted] == []


def test_a_reader_installs_flowlib_what_it_needs_and_jupyter_and_no_more():
    assert set(pins("requirements.txt")) == set(EVERYWHERE) | TO_READ_IN | TO_SHOW
    assert [line for line in lines("requirements.txt") if "==" not in line] == ["-e ."]


def test_the_tests_run_with_what_a_reader_has_and_pin_all_that_they_add():
    """Every name twice would be a second version to keep; a name without a version another one each day."""
    first, *more = lines("tests/requirements.txt")
    assert first == "-r ../requirements.txt"
    assert [line for line in more if "==" not in line] == []
    assert set(pins("tests/requirements.txt")) & set(pins("requirements.txt")) == set()


@pytest.fixture(scope="module")
def workflow():
    return yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8"))


@pytest.fixture(scope="module")
def jobs(workflow):
    return workflow["jobs"]


def commands(job) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def test_hosted_ci_runs_the_command_of_the_readme_on_each_system_and_python_that_it_names(jobs):
    readme = (ROOT / "README.md").read_text("utf-8")
    (command,) = re.findall(r"^.*-m pytest.*$", readme, re.MULTILINE)
    assert commands(jobs["newest"])[-1] == command
    matrix = jobs["newest"]["strategy"]["matrix"]
    assert {system.split("-")[0] for system in matrix["system"]} == {"ubuntu", "macos", "windows"}
    (first, last), *_ = re.findall(r"Python 3\.(\d+) to 3\.(\d+)", readme)
    assert matrix["python"] == [f"3.{minor}" for minor in range(int(first), int(last) + 1)]
    assert PROJECT["requires-python"] == f">=3.{first},<3.{int(last) + 1}"


def test_hosted_ci_takes_the_torch_of_the_requirements_and_the_oldest_of_the_rest(jobs):
    torch = f"torch=={pins('requirements.txt')['torch']} "
    assert all(torch in commands(job)[0] for job in jobs.values())
    assert "-r tests/oldest.txt" in commands(jobs["oldest"])[-1]
    assert commands(jobs["oldest"])[-1].endswith(commands(jobs["newest"])[-1].split(" && ")[-1])


def test_hosted_ci_has_jobs_of_their_own_for_all_that_the_gate_does_beside_the_command_of_the_readme(jobs):
    said = re.findall(r'^say "([^$"]+)"$', (ROOT / ".ci" / "run").read_text("utf-8"), re.MULTILINE)
    checks = [command for command in said if "pytest" not in command]
    slow = [command for command in said if "pytest" in command]
    assert {"ruff check", "ruff format --check", "pyrefly check"} < set(checks)
    assert commands(jobs["static"])[2:] == checks
    assert {"-m slow", "--nbval-lax"} <= set(re.findall(r"-m slow|--nbval-lax", " ".join(slow)))
    assert commands(jobs["slow"])[2:] == slow


def test_hosted_ci_runs_once_for_a_commit_and_not_for_one_that_is_superseded(workflow):
    """A branch with a pull request would run twice, were every push to count."""
    on = workflow[True]  # YAML reads `on` as true
    assert on == {"push": {"branches": ["main"]}, "pull_request": None}
    assert "github.ref" in workflow["concurrency"]["group"]
    assert workflow["concurrency"]["cancel-in-progress"] is True


def test_hosted_ci_keeps_what_pip_brought_until_a_requirement_changes(jobs):
    for name, job in jobs.items():
        (settings,) = [step["with"] for step in job["steps"] if "setup-python" in step.get("uses", "")]
        watched = {path for line in settings["cache-dependency-path"].split() for path in ROOT.glob(line)}
        named = {ROOT / path for run in commands(job) for path in re.findall(r"-r (\S+)", run)}
        assert named | {ROOT / "requirements.txt"} <= watched, name
