"""Work that may wait, on a thread of its own."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable

from any3dis_ros.errors import InputError

log = logging.getLogger(__name__)


class Background:
    """Does a piece of work each time it is told to; told again meanwhile, it does it once more.

    Args:
        work: what to do; an InputError is no trouble yet (whoever needs the work says it), any other is logged once.
        name: of the thread.
    """

    def __init__(self, work: Callable[[], None], name: str) -> None:
        self._work = work
        self._told = threading.Event()
        self._stopped = False
        self._failed = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def tell(self) -> None:
        """Ask for the work; returns at once."""
        self._told.set()

    def close(self) -> None:
        """End after the piece under way."""
        self._stopped = True
        self._told.set()
        self._thread.join()

    def _run(self) -> None:
        while True:
            self._told.wait()
            self._told.clear()
            if self._stopped:
                return
            try:
                self._work()
            except InputError as error:
                log.debug("%s: %s", self._thread.name, error)
            except Exception:  # a defect here must not end the node
                if not self._failed:
                    log.exception("%s failed; later failures are not told", self._thread.name)
                self._failed = True
