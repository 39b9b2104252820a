"""A wire of real DDS, isolated on this machine."""

from __future__ import annotations

import os
import time

import pytest
from installed import rclpy_or_skip


class Wire:
    """Nodes in a domain of their own, spun until something holds."""

    def __init__(self, rclpy, domain_id: int) -> None:
        from rclpy.context import Context
        from rclpy.executors import SingleThreadedExecutor

        self.rclpy, self.context = rclpy, Context()
        rclpy.init(context=self.context, domain_id=domain_id)
        self.executor = SingleThreadedExecutor(context=self.context)
        self.nodes = []

    def node(self, name: str, **options):
        node = self.rclpy.create_node(name, context=self.context, **options)
        self.executor.add_node(node)
        self.nodes.append(node)
        return node

    def until(self, condition, what: str, seconds: float = 20.0) -> None:
        """Spin until `condition` holds."""
        end = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < end, f"not within {seconds:g} s: {what}"
            self.executor.spin_once(timeout_sec=0.05)

    def close(self) -> None:
        self.executor.shutdown()
        for node in self.nodes:
            node.destroy_node()
        self.rclpy.try_shutdown(context=self.context)


@pytest.fixture
def wire(monkeypatch):
    rclpy = rclpy_or_skip()
    monkeypatch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
    wire = Wire(rclpy, 101 + os.getpid() % 100)
    yield wire
    wire.close()
