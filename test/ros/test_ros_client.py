from __future__ import annotations

import threading

import pytest
from installed import rclpy_or_skip

rclpy_or_skip()
pytest.importorskip("any3dis_ros.msg", reason="the interfaces are not built", exc_type=ImportError)

from lifecycle_msgs.srv import GetState  # noqa: E402
from rclpy.client import Client  # noqa: E402
from rclpy.node import Node  # noqa: E402
from rclpy.task import Future  # noqa: E402

from any3dis_ros.errors import InputError  # noqa: E402
from any3dis_ros.ros.replay.client import NodeClient  # noqa: E402

pytestmark = pytest.mark.dds


@pytest.fixture
def asked(wire):
    """Make a client of /late, closed at the end; `look` is called while it waits."""
    clients = []

    def make(look):
        node = wire.node("asking")
        wire.executor.remove_node(node)  # the client spins it
        clients.append(NodeClient(node, "/late", look))
        return clients[-1]

    yield make
    for client in clients:
        client.close()


def test_a_node_that_starts_is_waited_for_until_it_spins_and_answers(wire, asked):
    late, looks, answered = wire.node("late"), [], []

    def answer(_, response):
        answered.append(len(looks))
        return response

    def look():
        looks.append(len(looks))
        if len(looks) == 3:
            late.create_service(GetState, "/late/get_state", answer)
        if len(looks) > 6:  # there for a while, but busy
            wire.executor.spin_once(timeout_sec=0.05)

    asked(look).wait_until_ready()
    assert len(answered) == 1
    assert answered[0] > 6


def test_a_question_that_is_lost_is_asked_again(wire, asked, monkeypatch):
    send, lost = Client.call_async, []

    def call_async(client, request):
        if lost:
            return send(client, request)
        lost.append(request)
        return Future()

    monkeypatch.setattr(Client, "call_async", call_async)
    wire.node("late").create_service(GetState, "/late/get_state", lambda _, response: response)
    asked(lambda: wire.executor.spin_once(timeout_sec=0.05)).wait_until_ready()
    assert lost


def test_what_it_is_done_with_is_destroyed_by_the_thread_that_spins(wire, asked, monkeypatch):
    destroy, by = Node.destroy_client, []

    def destroy_client(node, client):
        by.append(threading.current_thread().name)
        return destroy(node, client)

    monkeypatch.setattr(Node, "destroy_client", destroy_client)
    wire.node("late").create_service(GetState, "/late/get_state", lambda _, response: response)
    asked(lambda: wire.executor.spin_once(timeout_sec=0.05)).wait_until_ready()
    wire.until(lambda: by, "the client's end")
    assert by == ["any3dis-client"]


def test_a_node_that_ends_before_it_answers_is_told(asked):
    def look():
        raise InputError("the node is gone")

    with pytest.raises(InputError, match="the node is gone"):
        asked(look).wait_until_ready()
