"""The versions that are promised are those that are tested: by requirements.txt, oldest.txt, hosted CI."""

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


def pins(path: str) -> dict[str, str]:
    """The version of each package that a requirements file pins."""
    return dict(re.findall(r"^([\w.-]+)==(\S+)$", (ROOT / path).read_text("utf-8"), re.MULTILINE))


def test_the_oldest_versions_admitted_are_tested():
    oldest = pins("tests/oldest.txt")
    assert set(oldest) == set(EVERYWHERE) - {"torch"}
    for name, version in oldest.items():
        assert re.fullmatch(rf"{str(EVERYWHERE[name])[2:]}(\.0)*", version), f"{name}: {EVERYWHERE[name]}"


def test_the_newest_versions_tested_are_admitted():
    newest = pins("requirements.txt")
    assert [name for name, admitted in EVERYWHERE.items() if newest[name] not in admitted] == []


@pytest.fixture(scope="module")
def jobs():
    return yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8"))["jobs"]


def commands(job) -> list[str]:
    return [step["run"] for step in job["steps"] if "run" in step]


def test_hosted_ci_runs_the_command_of_the_readme_on_each_system_and_python(jobs):
    (command,) = re.findall(r"^.*-m pytest.*$", (ROOT / "README.md").read_text("utf-8"), re.MULTILINE)
    assert commands(jobs["newest"])[-1] == command
    matrix = jobs["newest"]["strategy"]["matrix"]
    assert {system.split("-")[0] for system in matrix["system"]} == {"ubuntu", "macos", "windows"}
    assert f">={min(matrix['python'])}" == PROJECT["requires-python"]
    assert len(set(matrix["python"])) == 3


def test_hosted_ci_takes_the_torch_of_the_requirements_and_the_oldest_of_the_rest(jobs):
    torch = f"torch=={pins('requirements.txt')['torch']} "
    assert all(torch in commands(job)[0] for job in jobs.values())
    assert "-r tests/oldest.txt" in commands(jobs["oldest"])[-1]
    assert commands(jobs["oldest"])[-1].endswith("python -m pytest -n 2 --dist loadfile")
