"""Approximate synchronisation of topics by their stamps, as message_filters for rclpy does it.

Pairing, bounds and the strict inequality are those of the Python ApproximateTimeSynchronizer, which is greedy; the C++
one, which waits for the best set, pairs differently.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Sequence
from typing import Any


class SimpleFilter:
    """Something that hands messages on to callbacks."""

    def __init__(self) -> None:
        self.callbacks: dict[int, tuple[Callable[..., None], tuple[Any, ...]]] = {}

    def registerCallback(self, cb: Callable[..., None], *args: Any) -> int:
        """Call ``cb(*messages, *args)`` for every output from now on; return the number of the connection."""
        number = len(self.callbacks)
        self.callbacks[number] = (cb, args)
        return number

    def signalMessage(self, *msg: Any) -> None:
        """Hand messages to all callbacks."""
        for callback, args in self.callbacks.values():
            callback(*msg, *args)


class Subscriber(SimpleFilter):
    """A subscription of `node` as a filter; further arguments are those of ``Node.create_subscription``.

    Attributes:
        sub: the subscription, for ``Node.destroy_subscription``.
        topic: as asked for.
    """

    def __init__(self, node: Any, msg_type: Any, topic: str, *, qos_profile: Any = 10, **options: Any) -> None:
        super().__init__()
        self.node, self.topic = node, topic
        self.sub = node.create_subscription(msg_type, topic, self.signalMessage, qos_profile=qos_profile, **options)

    def getTopic(self) -> str:
        """Return the topic."""
        return self.topic


class ApproximateTimeSynchronizer(SimpleFilter):
    """Hands on sets of messages, one of each filter, whose stamps lie less than `slop` seconds apart.

    A message that arrives is matched at once with the nearest of those that wait, or waits itself. No message is used
    twice. A queue holds `queue_size` messages; the oldest stamp is dropped first, so after a jump back in time the
    queues must be emptied. Callbacks run one at a time, under the lock: they must be short and must not come back in.

    Attributes:
        queues: waiting messages by stamp in nanoseconds, one dictionary a filter.
        lock: guards `queues`.
    """

    def __init__(self, fs: Sequence[SimpleFilter], queue_size: int, slop: float) -> None:
        super().__init__()
        self.queue_size = queue_size
        self.lock = threading.Lock()
        self.queues: list[dict[int, Any]] = [{} for _ in fs]
        self._slop_ns = int(slop * 1_000_000_000)  # rclpy's Duration cuts off as well
        for i, one in enumerate(fs):
            one.registerCallback(self.add, self.queues[i], i)

    def add(self, msg: Any, my_queue: dict[int, Any], my_queue_index: int) -> None:
        """Take a message of one filter; called by the filters."""
        new = msg.header.stamp.sec * 1_000_000_000 + msg.header.stamp.nanosec
        with self.lock:
            my_queue[new] = msg
            while len(my_queue) > self.queue_size:
                del my_queue[min(my_queue)]
            stamps = self._match(new, my_queue_index) if new in my_queue else None
            if stamps is not None:  # removed first: a callback that raises must not leave the set behind
                self.signalMessage(*[queue.pop(stamp) for queue, stamp in zip(self.queues, stamps, strict=True)])

    def _match(self, new: int, index: int) -> tuple[int, ...] | None:
        """Return the stamps of the set that `new` completes, the nearest candidates first, or None."""
        candidates = []
        for i, queue in enumerate(self.queues):
            near = [new] if i == index else [s for s in queue if abs(s - new) <= self._slop_ns]
            candidates.append(sorted(near, key=lambda stamp: abs(stamp - new)))
        for stamps in itertools.product(*candidates):
            if max(stamps) - min(stamps) < self._slop_ns:
                return stamps
        return None
