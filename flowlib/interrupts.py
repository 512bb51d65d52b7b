"""Ctrl-C, put off until what must not be left half done is done."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# a terminal that is closed, a system that shuts down or a cluster whose time is up
ENDS = [getattr(signal, name) for name in ("SIGHUP", "SIGTERM") if hasattr(signal, name)]


@contextmanager
def defer_interrupt(*others: signal.Signals) -> Iterator[list[Any]]:
    """Let a block finish before Ctrl-C takes effect; the list it is given fills up where one is waiting.

    So it does with `others` of the signals, such as `ENDS`. One that is ignored stays so (after `nohup`).
    Python delivers signals in the main thread only, so elsewhere there is nothing to defer.
    """
    pending: list[Any] = []
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, *others)}
    if threading.current_thread() is not threading.main_thread():
        handlers = {}
    handlers = {number: each for number, each in handlers.items() if each not in (None, signal.SIG_IGN)}
    try:
        for number in handlers:
            signal.signal(number, lambda *received: pending.append(received))
        yield pending
    finally:
        for number in reversed(handlers):  # Ctrl-C last, so that it can't come in between
            signal.signal(number, handlers[number])
    if pending:
        signal.raise_signal(pending[0][0])
