"""How a run ends at a signal: it unwinds as at Ctrl-C, except within the few steps that must not be torn apart."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


class Terminated(BaseException):
    """A request to end, by signal `number`; like KeyboardInterrupt no Exception, so that nothing swallows it."""

    def __init__(self, number: int) -> None:
        super().__init__(signal.Signals(number).name)
        self.number = number


@contextmanager
def termination_raises() -> Iterator[None]:
    """Raise Terminated at SIGTERM and SIGHUP, unless whoever started the process set them otherwise (nohup)."""

    def stop(number: int, _: FrameType | None) -> None:
        raise Terminated(number)

    taken = []
    if threading.current_thread() is threading.main_thread():
        taken = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is signal.SIG_DFL]
    for number in taken:
        signal.signal(number, stop)
    try:
        yield
    finally:
        for number in taken:
            signal.signal(number, signal.SIG_DFL)


@contextmanager
def asked_to_end() -> Iterator[threading.Event]:
    """Give an event that Ctrl-C and requests to terminate set, in place of ending what the main thread does.

    SIGINT and SIGTERM are taken even where whoever started the process ignored them: ``&`` in a script ignores SIGINT.
    """
    ending = threading.Event()
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # nohup
        numbers.append(signal.SIGHUP)
    former = {number: signal.signal(number, lambda *_: ending.set()) for number in numbers}
    try:
        yield ending
    finally:
        for number, handler in former.items():
            signal.signal(number, signal.SIG_DFL if handler is None else handler)


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put off Ctrl-C and requests to terminate until the block has ended (in the main thread, which gets them)."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    pending: list[int] = []
    former = {
        number: signal.signal(number, lambda n, _: pending.append(n))
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
    }
    try:
        yield
    finally:
        for which, handler in former.items():
            signal.signal(which, signal.SIG_DFL if handler is None else handler)
        for number in pending:
            signal.raise_signal(number)
