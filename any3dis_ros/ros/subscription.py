"""One topic of images as a filter that takes what its publisher offers, whichever of the two comes first."""

from __future__ import annotations

import logging
from typing import Any

from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind

from any3dis_ros.ros import packages

try:
    from rclpy.event_handler import SubscriptionEventCallbacks
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks

log = logging.getLogger(__name__)

_DEPTH = 10
_BEST_EFFORT = QoSProfile(depth=_DEPTH, reliability=ReliabilityPolicy.BEST_EFFORT)
_RELIABLE = QoSProfile(depth=_DEPTH, reliability=ReliabilityPolicy.RELIABLE)


class ImageSubscription:
    """A subscription; with `reliability` auto it begins reliable and goes over to best effort where no more is offered.

    ROS's own "best available" looks at the publishers of the moment at which the subscription is made: a camera driver
    that starts later and offers best effort would never be heard.

    Args:
        node: the node.
        kind: message type.
        topic: full name.
        reliability: auto, reliable or best_effort.
        group: callback group of the messages.

    Attributes:
        filter: for a synchroniser.
    """

    def __init__(self, node: Any, kind: Any, topic: str, reliability: str, group: Any) -> None:
        self._node, self._kind, self._topic, self._group = node, kind, topic, group
        self._reliability = reliability
        self._open = True
        self._events = SubscriptionEventCallbacks(incompatible_qos=self._on_incompatible)
        quality = _BEST_EFFORT if reliability == "best_effort" else _RELIABLE
        self.filter = packages.Subscriber(
            node, kind, topic, qos_profile=quality, callback_group=group, event_callbacks=self._events
        )

    def close(self) -> None:
        """End it."""
        self._open = False
        self._node.destroy_subscription(self.filter.sub)

    def _on_incompatible(self, info: Any) -> None:
        """Go over to best effort, or say what keeps the images away."""
        policy = qos_policy_name_from_kind(info.last_policy_kind)
        if policy != "RELIABILITY" or self._reliability == "reliable":
            log.warning(
                "a publisher of %s is not heard: its %s does not match (parameter sensor_reliability: auto takes what "
                "it offers)",
                self._topic,
                policy,
            )
        elif self._open and self._reliability == "auto":
            self._reliability = "best_effort"
            self._node.destroy_subscription(self.filter.sub)
            self.filter.sub = self._node.create_subscription(
                self._kind, self._topic, self.filter.signalMessage, _BEST_EFFORT, callback_group=self._group
            )
            log.warning(
                "a publisher of %s offers best effort only: taken, but most images are lost where they are large and "
                "many; set the driver to reliable",
                self._topic,
            )
