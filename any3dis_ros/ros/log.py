"""What our modules log, handed on to ROS."""

from __future__ import annotations

import logging
from typing import Any


class RosLog(logging.Handler):
    """Hands on what our modules log to a logger of ROS, and thereby to /rosout."""

    def __init__(self, logger: Any) -> None:
        super().__init__()
        self._logger = logger

    def emit(self, record: logging.LogRecord) -> None:
        """Log a record; each severity has a line of its own, as rclpy knows callers by their lines."""
        message = self.format(record)
        if record.levelno >= logging.ERROR:
            self._logger.error(message)
        elif record.levelno >= logging.WARNING:
            self._logger.warning(message)
        elif record.levelno >= logging.INFO:
            self._logger.info(message)
        else:
            self._logger.debug(message)
