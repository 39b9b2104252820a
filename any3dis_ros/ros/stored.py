"""The last result, asked for after the run: the services ~/get_instance, ~/save and ~/load."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

from rclpy.callback_groups import ReentrantCallbackGroup

from any3dis_ros.errors import InputError
from any3dis_ros.io.results import load_results, write_results
from any3dis_ros.io.staging import check_writable
from any3dis_ros.objects.instances import Instances
from any3dis_ros.objects.report import render_report
from any3dis_ros.ros.conversions.objects import one_object
from any3dis_ros.ros.outputs import Outputs, Result
from any3dis_ros.srv import GetInstance, Load, Save

log = logging.getLogger(__name__)


class Stored:
    """The services.

    Args:
        node: whose they are.
        outputs: hold the last result.
        take: publishes a segmentation that was loaded; raises InputError where it cannot be taken now.
    """

    def __init__(self, node: Any, outputs: Outputs, take: Callable[[Instances], None]) -> None:
        self._outputs, self._take = outputs, take
        self._writing = threading.Lock()
        group = ReentrantCallbackGroup()
        for kind, name, answer in (
            (GetInstance, "~/get_instance", self._on_get),
            (Save, "~/save", self._on_save),
            (Load, "~/load", self._on_load),
        ):
            node.create_service(kind, name, answer, callback_group=group)

    def _on_get(self, request: Any, response: Any) -> Any:
        def get() -> str:
            r = self._last()
            head = (r.stamp_ns, r.frame_id)
            response.instance, response.cloud = one_object(r.found, request.id, r.frames, r.camera_frame, *head)
            return ""

        response.found, response.message = _answer("get_instance", get)
        return response

    def _on_save(self, request: Any, response: Any) -> Any:
        def save() -> str:
            if not request.folder:
                raise InputError("folder is empty; name one on the node's machine")
            r, folder = self._last(), Path(request.folder).expanduser()
            check_writable(folder)  # the report takes seconds
            report = render_report(r.found, r.frames, r.config, folder.name, [])
            with self._writing:
                write_results(r.found, folder, r.config, r.frames, folder.name, report)
            return f"{len(r.found.instances)} objects written to {folder}"

        response.success, response.message = _answer("save", save)
        return response

    def _on_load(self, request: Any, response: Any) -> Any:
        def load() -> str:
            if not request.path:
                raise InputError("path is empty; name a folder with instances.npz, or the file, on the node's machine")
            found = load_results(Path(request.path).expanduser())
            self._take(found)
            return f"{len(found.instances)} objects loaded from {request.path}"

        response.success, response.message = _answer("load", load)
        return response

    def _last(self) -> Result:
        if self._outputs.last is None:
            raise InputError("nothing has been segmented yet; call ~/segment or ~/trigger first, or ~/load")
        return self._outputs.last


def _answer(name: str, do: Callable[[], str]) -> tuple[bool, str]:
    """Return whether it was done, and what there is to say; whatever happens becomes an answer."""
    try:
        message = do()
    except (InputError, OSError) as error:
        log.warning("%s: %s", name, error)
        return False, str(error)
    except Exception as error:  # a defect must not end the node
        log.exception("%s failed", name)
        return False, f"unexpected {type(error).__name__}: {error}; the node's log has the details"
    if message:
        log.info("%s: %s", name, message)
    return True, message
