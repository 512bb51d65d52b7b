"""Ctrl-C, put off until what must not be left half done is done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def defer_interrupt() -> Iterator[list[Any]]:
    """Let a block finish before Ctrl-C takes effect; the list it is given fills up where one is waiting.

    Python delivers Ctrl-C in the main thread only, so elsewhere there is nothing to defer.
    """
    pending: list[Any] = []
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield pending
        return
    signal.signal(signal.SIGINT, lambda *received: pending.append(received))
    try:
        yield pending
    finally:
        signal.signal(signal.SIGINT, handler)
    if pending:
        handler(*pending[0])
