"""Links made from a remote: each must lead to this repository, this branch and this notebook."""

import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import links
import pytest
import yaml

LESSON = "notebooks/01_what.ipynb"
REMOTES = [
    "https://github.com/ann/flow",
    "https://github.com/ann/flow.git",
    "https://github.com/ann/flow/",
    "https://ann:secret@github.com/ann/flow.git",
    "https://GitHub.com/ann/flow",
    "git@github.com:ann/flow.git",
    "ssh://git@github.com/ann/flow.git",
    "ssh://git@github.com:22/ann/flow.git",
    "git://github.com/ann/flow.git\n",
]


@pytest.mark.parametrize("remote", REMOTES)
def test_every_form_of_one_address_is_the_same_repository_and_keeps_no_password(remote):
    expected = links.Repository("github.com", "ann/flow", "main")
    assert links.Repository.from_remote(remote, "main") == expected


@pytest.mark.parametrize("remote", ["git@gitlab.com:uni/ml/flow.git", "https://gitlab.com/uni/ml/flow"])
def test_gitlab_keeps_its_groups(remote):
    assert links.Repository.from_remote(remote, "main").page == "https://gitlab.com/uni/ml/flow"


@pytest.mark.parametrize(
    "remote",
    [
        "",
        "../flow",
        "C:\\git\\flow",
        "file:///srv/flow.git",
        "git@host:ann/flow.git",
        "https://example.org/ann/flow",
        "https://github.com/flow",
        "https://github.com.evil.org/ann/flow",
    ],
)
def test_a_remote_that_nobody_can_open_is_refused_with_a_remedy(remote):
    with pytest.raises(links.LinkError, match=r"github\.com or gitlab\.com.*\n?.*git remote set-url origin"):
        links.Repository.from_remote(remote, "main")


@pytest.mark.parametrize(
    ("host", "path", "start"),
    [
        ("github.com", "ann/flow", "/v2/gh/ann/flow/"),
        ("gitlab.com", "uni/ml/flow", "/v2/gl/uni%2Fml%2Fflow/"),  # Binder wants it as one part
    ],
)
def test_binder_opens_the_lesson_in_lab(host, path, start):
    link = urlsplit(links.Repository(host, path, "spring").binder(LESSON))
    assert (link.scheme, link.netloc, link.path) == ("https", "mybinder.org", f"{start}spring")
    assert parse_qs(link.query) == {"urlpath": [f"lab/tree/{LESSON}"]}


def test_colab_opens_the_lesson_of_the_branch():
    link = urlsplit(links.Repository("github.com", "ann/flow", "spring").colab(LESSON))
    assert link.netloc == "colab.research.google.com"
    assert unquote(link.path) == f"/github/ann/flow/blob/spring/{LESSON}"


@pytest.mark.parametrize("hub", ["https://hub.org", "https://hub.org/", "http://hub.org/base"])
def test_the_hub_pulls_this_repository_and_opens_the_lesson_where_it_was_put(hub):
    link = links.Repository("gitlab.com", "uni/ml/flow", "main").hub(hub, LESSON)
    assert link.startswith(f"{hub.rstrip('/')}/hub/user-redirect/git-pull?")
    assert parse_qs(urlsplit(link).query) == {
        "repo": ["https://gitlab.com/uni/ml/flow"],
        "branch": ["main"],
        "urlpath": [f"lab/tree/flow/{LESSON}"],
    }


def test_a_hub_without_a_scheme_is_refused():
    with pytest.raises(links.LinkError, match=r"https://hub\.example\.org.*'hub\.org'"):
        links.Repository("github.com", "ann/flow", "main").hub("hub.org", LESSON)


def test_colab_keeps_the_packages_that_it_has():
    """Its page speaks to ipywidgets 7: an upgrade of ours would leave the explorers blank there."""
    words = links.Repository("github.com", "ann/flow", "main").install.split()
    assert words[:2] == ["%pip", "install"]
    assert {"--no-deps", "git+https://github.com/ann/flow@main"} <= {*words}


def test_the_table_has_a_row_for_each_lesson_and_a_column_for_each_service():
    lessons = [LESSON, "notebooks/02_how.ipynb"]
    github, gitlab = (links.Repository(host, "ann/flow", "main") for host in links.HOSTS)
    table = links.markdown(github, lessons, "https://hub.org")
    for lesson in lessons:
        (row,) = [line for line in table.splitlines() if f"({lesson})" in line]
        for link in (github.binder(lesson), github.colab(lesson), github.hub("https://hub.org", lesson)):
            assert f"]({link})" in row
    assert github.install in table
    assert "olab" not in links.markdown(gitlab, lessons)
    assert "Hub |" not in links.markdown(gitlab, lessons)


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """An empty repository in the place of ours."""
    subprocess.run(["git", "init", "-q", "-b", "spring", tmp_path], check=True)
    (tmp_path / "notebooks").mkdir()
    (tmp_path / LESSON).touch()
    monkeypatch.setattr(links, "ROOT", tmp_path)
    monkeypatch.setattr(sys, "argv", ["links.py"])
    return tmp_path


def test_without_a_remote_the_command_says_what_to_type(clone):
    with pytest.raises(links.LinkError, match="git remote add origin https://"):
        links.main()


def test_the_command_prints_links_of_the_remote_and_the_branch(clone, capsys):
    subprocess.run(["git", "remote", "add", "origin", "git@github.com:ann/flow.git"], cwd=clone, check=True)
    links.main()
    expected = links.markdown(links.Repository("github.com", "ann/flow", "spring"), [LESSON])
    assert capsys.readouterr().out == expected


MARKED = {
    "README.md": "# Flow\n\n<!-- links -->\n{}<!-- /links -->\n\nThe end: \\1\n",
    "pyproject.toml": "[project.urls] # by links.py\n# links\n{}# /links\n\n[tool]\n",
    "CITATION.cff": "type: software\n# links\n{}# /links\n",
}


def test_writing_twice_replaces_what_stands_between_the_marks_and_nothing_else(clone, monkeypatch):
    subprocess.run(["git", "remote", "add", "origin", "https://github.com/ann/flow"], cwd=clone, check=True)
    for name, text in MARKED.items():
        (clone / name).write_text(text.format("old\n"), "utf-8")
    monkeypatch.setattr(sys, "argv", ["links.py", "--write"])
    links.main()
    links.main()
    expected = links.written(links.Repository("github.com", "ann/flow", "spring"), [LESSON])
    assert {name: (clone / name).read_text("utf-8") for name in MARKED} == {
        name: text.format(expected[name]) for name, text in MARKED.items()
    }


@pytest.mark.parametrize("remote", ["git@github.com:ann/flow.git", "https://gitlab.com/uni/ml/flow"])
def test_the_metadata_of_the_package_and_the_citation_then_name_the_repository(clone, monkeypatch, remote):
    for name in MARKED:
        shutil.copy(Path(links.__file__).parents[1] / name, clone / name)
    subprocess.run(["git", "remote", "add", "origin", remote], cwd=clone, check=True)
    monkeypatch.setattr(sys, "argv", ["links.py", "--write"])
    links.main()
    page = links.Repository.from_remote(remote, "spring").page
    urls = tomllib.loads((clone / "pyproject.toml").read_text("utf-8"))["project"]["urls"]
    assert urls["Repository"] == page
    assert re.fullmatch(rf"{page}/(-/)?blob/spring/CHANGELOG\.md", urls["Changelog"])
    assert yaml.safe_load((clone / "CITATION.cff").read_text("utf-8"))["repository-code"] == page


@pytest.mark.parametrize("name", MARKED)
def test_each_file_has_one_place_for_links(name):
    assert len(links.MARKS.findall((links.ROOT / name).read_text("utf-8"))) == 1


def test_the_table_in_the_readme_leads_to_lessons_that_are_there():
    (between,) = links.MARKS.findall((links.ROOT / "README.md").read_text("utf-8"))
    lessons = re.findall(r"\((notebooks/\S+?)\)", between)
    assert [lesson for lesson in lessons if not (links.ROOT / lesson).exists()] == []
