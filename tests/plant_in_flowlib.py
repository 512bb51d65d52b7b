"""python tests/plant_in_flowlib.py NAME …: plant these mistakes in a copy of flowlib, and run what must fail.

Prints a JSON line for each, `{"bug": "…", "code": 1, "said": "…"}`, with pytest's exit code and its output. A
copy of this process, which has loaded all but flowlib, imports the copy with the mistake.
"""

import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

sys.dont_write_bytecode = True  # of a file that changes twice in a second, an earlier one would be taken
os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"  # they take longer than the tests

import hypothesis  # noqa: E402, F401
import matplotlib.pyplot  # noqa: E402, F401
import numpy  # noqa: E402, F401
import pytest  # noqa: E402
import torch  # noqa: E402
from planted_bugs import IN_FLOWLIB, Bug, planted  # noqa: E402

ROOT = Path(__file__).parents[1]


def run(bug: Bug, folder: Path) -> None:
    """Run a mistake's test on the flowlib in `folder`, print what came of it, and end this process."""
    test = str(ROOT / "tests" / bug.red)
    said = folder / "said"
    sys.path.insert(0, str(folder))
    kept, log = os.dup(1), os.open(said, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(log, 1)
    code = pytest.main(["-qx", "-p", "no:cacheprovider", "-o", "addopts=", f"--rootdir={ROOT}", test])
    sys.stdout.flush()
    os.dup2(kept, 1)
    import flowlib

    assert Path(flowlib.__file__).parents[1] == folder
    outcome = {"bug": bug.name, "code": int(code), "said": said.read_text("utf-8")[-2000:]}
    print(json.dumps(outcome), flush=True)
    os._exit(0)


def main(names: list[str]) -> None:
    """Plant the mistakes of these names, one after the other."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        shutil.copytree(ROOT / "flowlib", folder / "flowlib", ignore=shutil.ignore_patterns("__pycache__"))
        os.chdir(folder)
        for bug in [bug for bug in IN_FLOWLIB if bug.name in names]:
            file = folder / "flowlib" / bug.where
            whole = file.read_text("utf-8")
            file.write_text(planted(whole, bug), "utf-8")
            if not (child := os.fork()):
                run(bug, folder)
            os.waitpid(child, 0)
            file.write_text(whole, "utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
