"""flowlib: small helpers for learning flow matching on 16×16 MNIST.

Nothing loads before it is named: the mathematics all at once, since it brings PyTorch with it; `plots` and
`animations`, with matplotlib and Pillow, each by itself. What belongs to the lessons alone is in
`flowlib.lessons`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from flowlib.api import *  # noqa: F403

__version__ = "0.1.0"

_LATER = ("animations", "plots")


def __getattr__(name: str) -> Any:
    if name in _LATER:
        return import_module(f"flowlib.{name}")
    _load()
    if name not in globals():
        raise AttributeError(f"module 'flowlib' has no attribute {name!r}")
    return globals()[name]


def __dir__() -> list[str]:
    _load()
    return sorted({*globals(), *_LATER})


def _load() -> None:
    mathematics = vars(import_module("flowlib.api"))
    globals().update({name: mathematics[name] for name in mathematics if not name.startswith("_")})
