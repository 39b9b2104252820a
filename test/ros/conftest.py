"""A wire of real DDS, isolated on this machine."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import threading
import time

import pytest
from boxes import PerfectTracker
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
    gc.collect()  # a node of an earlier test, in a cycle of references, would be seen
    wire = Wire(rclpy, 101 + os.getpid() % 100)
    yield wire
    wire.close()


@pytest.fixture
def start(wire, monkeypatch, two_boxes):
    """Start a node with given parameters, whose engine knows the boxes, spun by threads of its own."""
    from rclpy.executors import MultiThreadedExecutor
    from rclpy.parameter import Parameter

    from any3dis_ros.ros import session
    from any3dis_ros.ros.node import THREADS, Any3disNode

    stride = 1
    monkeypatch.setattr(  # keyframes may come more than once
        session, "make_tracker", lambda _: PerfectTracker(two_boxes[1][::stride] * 3)
    )
    started = []

    def run(**more):
        nonlocal stride
        given = {"keyframes.stride": 1, "preload": False, "map.voxel_size_m": 0.03}
        given |= {name.replace("__", "."): value for name, value in more.items()}
        stride = max(given["keyframes.stride"], 1)
        overrides = [Parameter(name, value=value) for name, value in given.items()]
        node = Any3disNode(context=wire.context, parameter_overrides=overrides)
        executor = MultiThreadedExecutor(THREADS, context=wire.context)
        executor.add_node(node)
        thread = threading.Thread(target=executor.spin)
        thread.start()
        started.append((node, executor, thread))
        return node

    yield run
    for node, executor, thread in started:
        node.close()
        executor.shutdown()
        thread.join(20)
        assert not thread.is_alive()
        node.destroy_node()


@pytest.fixture
def robot(wire):
    from node_robot import Robot

    return Robot(wire)


@pytest.fixture
def asker(robot):
    from node_robot import Asker

    asker = Asker(robot)
    yield asker
    asker.client.destroy()


@pytest.fixture
def program(wire, tmp_path):
    """Start a program in the domain of the wire; it is gone at the end."""
    started = []

    def run(module, *arguments):
        domain = {"ROS_DOMAIN_ID": str(wire.context.get_domain_id()), "ROS_LOG_DIR": str(tmp_path)}
        command = [sys.executable, "-m", f"any3dis_ros.ros.{module}", *map(str, arguments)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
        started.append(subprocess.Popen(command, env={**os.environ, **domain}, **pipes))
        return started[-1]

    yield run
    for one in started:
        if one.poll() is None:
            one.kill()
        one.communicate()
