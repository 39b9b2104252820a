"""Subscriptions that take what their publisher offers, whichever of the two comes first."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from rclpy.qos import QoSProfile, ReliabilityPolicy, qos_policy_name_from_kind

from any3dis_ros.ros import packages
from any3dis_ros.ros.quality import LATCHED

try:
    from rclpy.event_handler import SubscriptionEventCallbacks, UnsupportedEventTypeError
except ImportError:  # Humble
    from rclpy.qos_event import SubscriptionEventCallbacks, UnsupportedEventTypeError

log = logging.getLogger(__name__)

_LAST = QoSProfile(depth=1)


class ImageSubscription:
    """A subscription; with `reliability` auto it begins reliable and goes over to best effort where no more is offered.

    ROS's own "best available" looks at the publishers of the moment at which the subscription is made: a camera driver
    that starts later and offers best effort would never be heard.

    Args:
        node: the node.
        kind: message type.
        topic: full name.
        reliability: auto, reliable or best_effort.
        depth: messages that wait while the node is busy; beyond it the oldest is lost, without a word from DDS.
        group: callback group of the messages.

    Attributes:
        topic: its full name.
        filter: for a synchroniser.
        received: messages that came.
        lost: messages that a best-effort link lost, where the middleware tells.
    """

    def __init__(self, node: Any, kind: Any, topic: str, reliability: str, depth: int, group: Any) -> None:
        self._node, self._kind, self.topic, self._group = node, kind, topic, group
        self.received = self.lost = 0
        self._reliability = reliability
        self._open = True
        self._best_effort = QoSProfile(depth=depth, reliability=ReliabilityPolicy.BEST_EFFORT)
        reliable = QoSProfile(depth=depth, reliability=ReliabilityPolicy.RELIABLE)
        quality = self._best_effort if reliability == "best_effort" else reliable
        self.filter = self._tolerant(
            lambda events: packages.Subscriber(
                node, kind, topic, qos_profile=quality, callback_group=group, event_callbacks=events
            )
        )
        self.filter.registerCallback(self._count)

    def close(self) -> None:
        """End it."""
        self._open = False
        self._node.destroy_subscription(self.filter.sub)

    def _tolerant(self, create: Callable[[Any], Any]) -> Any:
        """Return what `create` makes with event callbacks; not every middleware tells of lost messages."""
        try:
            return create(
                SubscriptionEventCallbacks(incompatible_qos=self._on_incompatible, message_lost=self._on_lost)
            )
        except UnsupportedEventTypeError:
            return create(SubscriptionEventCallbacks(incompatible_qos=self._on_incompatible))

    def _count(self, _: Any) -> None:
        self.received += 1

    def _on_lost(self, info: Any) -> None:
        self.lost = info.total_count

    def _on_incompatible(self, info: Any) -> None:
        """Go over to best effort, or say what keeps the images away."""
        policy = qos_policy_name_from_kind(info.last_policy_kind)
        if policy != "RELIABILITY" or self._reliability == "reliable":
            log.warning(
                "a publisher of %s is not heard: its %s does not match (parameter sensor_reliability: auto takes what "
                "it offers)",
                self.topic,
                policy,
            )
        elif self._open and self._reliability == "auto":
            self._reliability = "best_effort"
            self._node.destroy_subscription(self.filter.sub)
            self.filter.sub = self._tolerant(
                lambda events: self._node.create_subscription(
                    self._kind,
                    self.topic,
                    self.filter.signalMessage,
                    self._best_effort,
                    callback_group=self._group,
                    event_callbacks=events,
                )
            )
            log.warning(
                "a publisher of %s offers best effort only: taken, but most images are lost where they are large and "
                "many; set the driver to reliable",
                self.topic,
            )


class LatchedSubscription:
    """A subscription that gets what was published before it, or, where its publisher does not keep that, what comes.

    Args:
        node: the node.
        kind: message type.
        topic: its name.
        callback: takes each message.
        group: callback group of the messages.
    """

    def __init__(self, node: Any, kind: Any, topic: str, callback: Callable[[Any], None], group: Any) -> None:
        self._node, self._arguments, self._group = node, (kind, topic, callback), group
        self._open = True
        self._events = SubscriptionEventCallbacks(incompatible_qos=self._on_incompatible)
        self._subscription = node.create_subscription(
            *self._arguments, LATCHED, callback_group=group, event_callbacks=self._events
        )

    def close(self) -> None:
        """End it."""
        self._open = False
        self._node.destroy_subscription(self._subscription)

    def _on_incompatible(self, _: Any) -> None:
        if self._open:
            self._node.destroy_subscription(self._subscription)
            self._subscription = self._node.create_subscription(*self._arguments, _LAST, callback_group=self._group)
