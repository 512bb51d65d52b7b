"""`python -m flowlib`: train a flow on real digits and write what it makes, without a browser."""

import argparse
import math
import os
import sys
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from typing import Any

from flowlib.files import expanded


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code."""
    with redirect_stdout(_Voice(sys.stdout)), redirect_stderr(_Voice(sys.stderr)):
        options = _parser().parse_args(arguments)
        try:
            from flowlib.command import run  # now, since it brings PyTorch, which takes seconds to load

            run(options)
            return 0
        except KeyboardInterrupt:
            code, words = 130, f"stopped; {options.out} holds what was written until then"
        except (ValueError, OSError) as error:  # what was asked for, or the machine
            code, words = 2 if isinstance(error, ValueError) else 1, error
        print(f"python -m flowlib: {words}", file=sys.stderr)
        return code


class _Voice:
    """A stream that need not have a listener: what can't be written is left out, and the work goes on."""

    def __init__(self, stream: Any):
        self.stream = stream or open(os.devnull, "w")  # noqa: SIM115 (a window without a console has none)
        self.flush = lambda: None  # nothing waits

    def __getattr__(self, name: str) -> Any:
        return getattr(self.stream, name)

    def write(self, words: str) -> int:
        encoding = self.stream.encoding or "utf-8"
        try:
            self.stream.write(words.encode(encoding, "replace").decode(encoding))
            self.stream.flush()
        except OSError:  # the pipe or the terminal has been closed; what comes now goes nowhere
            os.dup2(os.open(os.devnull, os.O_WRONLY), self.stream.fileno())
        return len(words)


class _Parser(argparse.ArgumentParser):
    def error(self, message: str):  # one line, without the usage above it
        self.exit(2, f"{self.prog}: {message}\n")


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="python -m flowlib", description=__doc__)
    option = parser.add_argument
    option("--seconds", type=_number(float, above=0), default=60, help="time to train (default %(default)s)")
    option(
        "--train-steps",
        type=_number(int, above=0),
        help="steps to train, in place of --seconds: on one machine, they give the same model every time",
    )
    option("--data", choices=("bundled", "full"), default="bundled", help="5,000 digits, or all 60,000")
    option(
        "--samples", type=_number(int, above=64), default=2000, help="digits to judge (default %(default)s)"
    )
    option("--steps", type=_number(int, above=0), default=25, help="solver steps (default %(default)s)")
    option("--seed", type=_number(int, above=-1, below=2**32), default=0, help="fixes the noise (default 0)")
    option("--device", choices=("cpu", "cuda", "mps", "auto"), default="cpu", help="where to compute")
    option("--out", type=expanded, default=Path("out"), help="folder for the results (default %(default)s)")
    return parser


def _number(kind: type, above: float, below: float = math.inf):
    """A parser of one number between `above` and `below`, both excluded."""

    def number(text: str):
        try:
            value = kind(text)
        except ValueError:
            value = math.nan
        if not above < value < below:
            finite = "a whole number" if kind is int else "a finite number"
            limit = "" if below == math.inf else f" and below {below}"
            raise argparse.ArgumentTypeError(f"needs {finite} above {above}{limit}, but is {text!r}")
        return value

    return number


if __name__ == "__main__":
    sys.exit(main())
