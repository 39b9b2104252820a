"""The node of the inputs over real DDS."""

from __future__ import annotations

import logging
import threading

import pytest
from installed import rclpy_or_skip

rclpy_or_skip()

from std_msgs.msg import String  # noqa: E402

from any3dis_ros.ros.input_node import InputNode  # noqa: E402

pytestmark = pytest.mark.dds


@pytest.fixture
def beside(wire):
    """Make an input node beside a node that was started with given arguments."""
    made = []

    def make(*arguments, topics=(), name="segmenter"):
        node = wire.node(name, cli_args=["--ros-args", *arguments] if arguments else None)
        made.append(InputNode(node, topics))
        return node, made[-1]

    yield make
    for one in made:
        one.close()


def test_it_has_the_name_the_namespace_and_the_remapped_transforms_of_the_node(wire, beside):
    rules = ("-r", "__ns:=/robot1", "-r", "__node:=eyes", "-r", "/tf:=/robot1/tf")
    node, own = beside(*rules, topics=("/tf", "/tf_static"))
    assert own.node.get_fully_qualified_name() == "/robot1/eyes_inputs"
    heard, told = threading.Event(), wire.node("localisation")
    own.node.create_subscription(String, "/tf", lambda _: heard.set(), 10)
    publisher = told.create_publisher(String, "/robot1/tf", 10)
    wire.until(publisher.get_subscription_count, "the subscription")
    publisher.publish(String())
    wire.until(heard.is_set, "the message")
    assert own.node.resolve_topic_name("/tf_static") == "/tf_static"
    assert node.get_name() == "eyes"


def test_a_message_that_fails_is_told_once_and_the_next_is_heard(wire, beside, caplog):
    _, own = beside()
    heard = []

    def take(message):
        heard.append(message.data)
        if message.data == "bad":
            raise ValueError("no image")

    own.node.create_subscription(String, "/camera", take, 10)
    publisher = wire.node("camera").create_publisher(String, "/camera", 10)
    wire.until(publisher.get_subscription_count, "the subscription")
    with caplog.at_level(logging.ERROR):
        for data in ("bad", "bad", "good"):
            publisher.publish(String(data=data))
        wire.until(lambda: len(heard) == 3, "three messages")
    assert heard == ["bad", "bad", "good"]
    assert [r.exc_info[1].args for r in caplog.records] == [("no image",)]


def test_closed_it_hears_nothing_and_its_thread_is_gone(wire, beside):
    _, own = beside()
    own.node.create_subscription(String, "/camera", lambda _: None, 10)
    publisher = wire.node("camera").create_publisher(String, "/camera", 10)
    wire.until(publisher.get_subscription_count, "the subscription")
    own.close()
    wire.until(lambda: not publisher.get_subscription_count(), "the subscription to go")
    assert "any3dis-inputs" not in [t.name for t in threading.enumerate()]
    own.close = lambda: None


def test_what_is_done_in_turn_is_done_by_the_thread_that_serves(beside):
    _, own = beside()
    by = []
    own.in_turn(lambda: by.append(threading.current_thread().name))
    assert by == ["any3dis-inputs"]


def test_it_is_done_at_once_where_that_thread_has_ended(wire, beside):
    _, own = beside()
    wire.rclpy.shutdown(context=wire.context)
    by = []
    own.in_turn(lambda: by.append(threading.current_thread()))
    assert by == [threading.current_thread()]
