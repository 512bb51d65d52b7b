"""Links that open each lesson with one click, made from this repository's own remote.

python notebooks/links.py                        print a table in Markdown: Binder, and Colab for GitHub
python notebooks/links.py --hub https://hub.org  nbgitpuller links to a JupyterHub as well
python notebooks/links.py --write                put the table into README.md, and the repository's address
                                                 into pyproject.toml and CITATION.cff, between marks
"""

import argparse
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

ROOT = Path(__file__).resolve().parents[1]
HOSTS = {"github.com": "gh", "gitlab.com": "gl"}  # the two that Binder knows by a short name
REMOTE = re.compile(r"(?:(?:https?|ssh|git)://(?:[^@/]+@)?|[^@/:]+@)([^/:]+)(?::\d+)?[:/]+(.+?)(?:\.git)?/*")
MARKS = re.compile(r"(?sm)(?<=^<!-- links -->\n).*?(?=^<!-- /links)|(?<=^# links\n).*?(?=^# /links)")


class LinkError(Exception):
    """Links that cannot be made: what was needed, what came, what to type."""


@dataclass(frozen=True)
class Repository:
    """A public home of this project: `host` github.com or gitlab.com, `path` owner/name, and a branch."""

    host: str
    path: str
    branch: str

    @classmethod
    def from_remote(cls, url: str, branch: str) -> "Repository":
        """Read a remote's address, `https://host/owner/name.git` or `git@host:owner/name.git`.

        Raises `LinkError` for a folder, for another host, and for an address without an owner.
        """
        found = REMOTE.fullmatch(url.strip())
        host, path = (found[1].lower(), found[2]) if found else ("", "")
        if host not in HOSTS or "/" not in path:
            raise LinkError(
                f"links need a public repository on {' or '.join(HOSTS)}, but the remote is {url!r}. "
                "If there is one: git remote set-url origin https://github.com/OWNER/NAME"
            )
        return cls(host, path, branch)

    @property
    def page(self) -> str:
        """The address of its page, which git can clone as well."""
        return f"https://{self.host}/{self.path}"

    def binder(self, notebook: str) -> str:
        """A link that starts a Binder machine with the notebook open in JupyterLab."""
        path = self.path if self.host == "github.com" else quote(self.path, safe="")
        query = urlencode({"urlpath": f"lab/tree/{notebook}"})
        return f"https://mybinder.org/v2/{HOSTS[self.host]}/{path}/{quote(self.branch)}?{query}"

    def colab(self, notebook: str) -> str:
        """A link that opens the notebook in Colab, which reads from GitHub only."""
        return f"https://colab.research.google.com/github/{self.path}/blob/{quote(self.branch)}/{notebook}"

    def hub(self, hub: str, notebook: str) -> str:
        """A link by which nbgitpuller copies the repository to a reader's home on a JupyterHub, and opens it.

        Raises `LinkError` unless `hub` begins with http:// or https://.
        """
        if urlsplit(hub).scheme not in ("http", "https"):
            raise LinkError(f"--hub needs an address such as https://hub.example.org, but is {hub!r}")
        folder = self.path.rsplit("/", 1)[1]
        query = {"repo": self.page, "branch": self.branch, "urlpath": f"lab/tree/{folder}/{notebook}"}
        return f"{hub.rstrip('/')}/hub/user-redirect/git-pull?{urlencode(query)}"

    @property
    def install(self) -> str:
        """What to run first in Colab. Its own torch, numpy, matplotlib and ipywidgets stay as they are."""
        return f"%pip install -q --no-deps pooch safetensors git+{self.page}@{self.branch}"


def markdown(repository: Repository, notebooks: list[str], hub: str | None = None) -> str:
    """A table with a row for each notebook, given by its path from the repository's root."""
    services = {"Binder": ("https://mybinder.org/badge_logo.svg", repository.binder)}
    if repository.host == "github.com":
        badge = "https://colab.research.google.com/assets/colab-badge.svg"
        services["Colab"] = (badge, repository.colab)
    if hub:
        badge = "https://img.shields.io/badge/JupyterHub-open-orange.svg"
        services["JupyterHub"] = (badge, lambda notebook: repository.hub(hub, notebook))
    lines = [f"| lesson | {' | '.join(services)} |", "|---" * (1 + len(services)) + "|"]
    for notebook in notebooks:
        number = Path(notebook).name[:2]
        cells = [
            f"[![{name} {number}]({badge})]({link(notebook)})" for name, (badge, link) in services.items()
        ]
        lines.append(f"| [{number}]({notebook}) | {' | '.join(cells)} |")
    if "Colab" in services:
        lines += ["", f"In Colab, run this in a cell of its own first: `{repository.install}`"]
    return "\n".join(lines) + "\n"


def written(repository: Repository, notebooks: list[str], hub: str | None = None) -> dict[str, str]:
    """What belongs between the marks of each file."""
    page = repository.page
    changes = f"{page}/{'-/' * (repository.host == 'gitlab.com')}blob/{repository.branch}/CHANGELOG.md"
    return {
        "README.md": markdown(repository, notebooks, hub),
        "pyproject.toml": f'Repository = "{page}"\nChangelog = "{changes}"\n',
        "CITATION.cff": f"repository-code: {page}\n",
    }


def git(*arguments: str) -> str:
    """What git answers in this repository; an empty string where it fails."""
    done = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else ""


def main() -> None:
    """Print the table, or write it into the README."""
    parser = argparse.ArgumentParser(description="Make links that open each lesson with one click.")
    parser.add_argument("--hub", metavar="URL", help="address of a JupyterHub that has nbgitpuller")
    parser.add_argument("--branch", default=git("branch", "--show-current"), help="default: the current one")
    parser.add_argument("--write", action="store_true", help="put them into the project's files")
    options = parser.parse_args()
    remote = git("remote", "get-url", "origin")
    if not remote:
        raise LinkError(
            "links need a remote, and there is none: git remote add origin https://github.com/OWNER/NAME"
        )
    if not options.branch:
        raise LinkError("links need a branch, and none is checked out: add --branch main")
    repository = Repository.from_remote(remote, options.branch)
    notebooks = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "notebooks").glob("*.ipynb"))
    if not options.write:
        print(markdown(repository, notebooks, options.hub), end="")
        return
    for name, lines in written(repository, notebooks, options.hub).items():
        path = ROOT / name
        path.write_text(MARKS.sub(lambda _, lines=lines: lines, path.read_text("utf-8")), "utf-8")


if __name__ == "__main__":
    try:
        main()
    except LinkError as error:
        sys.exit(str(error))
