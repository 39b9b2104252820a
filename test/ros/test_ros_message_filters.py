from __future__ import annotations

import itertools
import threading
from types import SimpleNamespace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from installed import package, stamped

from any3dis_ros.ros.standins import message_filters as standin

MS = 10**6
START = 100 * 10**9


class Bench:
    """A synchroniser under test; `got` lists the stamps of each set in milliseconds since the start."""

    def __init__(self, origin: str, count: int, queue_size: int, slop: float) -> None:
        self.origin, module = origin, package(origin, "message_filters")
        self.inputs = [module.SimpleFilter() for _ in range(count)]
        self.synchronizer = module.ApproximateTimeSynchronizer(self.inputs, queue_size, slop)
        self.got: list[tuple[int, ...]] = []
        self.synchronizer.registerCallback(lambda *ms: self.got.append(tuple((m.stamp_ns - START) // MS for m in ms)))

    def send(self, index: int, milliseconds: int) -> None:
        message = stamped(START + milliseconds * MS)
        if self.origin == "real":  # takes rclpy's stamps alone
            from rclpy.time import Time

            message.header.stamp = Time(nanoseconds=message.stamp_ns)
        self.inputs[index].signalMessage(message)


@pytest.fixture(params=["stand-in", "real"])
def bench(request):
    return lambda count=2, queue_size=10, slop=0.02: Bench(request.param, count, queue_size, slop)


several = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


@several
@given(
    count=st.integers(2, 3),
    queue_size=st.integers(1, 5),
    arrivals=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 120)), max_size=40),
)
def test_pairs_are_those_of_an_exhaustive_search(bench, count, queue_size, arrivals):
    """Of all sets that a new message completes, the first by nearness to it, filter by filter; at a tie the older."""
    under_test = bench(count, queue_size)
    queues: list[dict[int, int]] = [{} for _ in range(count)]  # stamp → order of arrival
    expected = []
    for order, (index, stamp) in enumerate(arrivals):
        index %= count
        under_test.send(index, stamp)
        queues[index].setdefault(stamp, order)
        if len(queues[index]) > queue_size:
            del queues[index][min(queues[index])]
        sets = [s for s in itertools.product(*queues) if s[index] == stamp and max(s) - min(s) < 20]
        if sets:
            best = min(sets, key=lambda s: [(abs(x - stamp), queues[i][x]) for i, x in enumerate(s)])
            expected.append(best)
            for queue, x in zip(queues, best, strict=True):
                del queue[x]
    assert under_test.got == expected


def test_the_maximal_interval_is_exclusive(bench):
    under_test = bench(slop=0.02)
    for index, stamp in ((0, 0), (1, 20), (0, 100), (1, 119), (1, 200), (0, 181)):
        under_test.send(index, stamp)
    assert under_test.got == [(100, 119), (181, 200)]


def test_three_inputs_must_lie_within_the_interval_together(bench):
    under_test = bench(count=3)
    for index, stamp in ((0, 0), (1, 15), (2, -15), (2, 1)):
        under_test.send(index, stamp)
    assert under_test.got == [(0, 15, 1)]


def test_nothing_is_used_twice(bench):
    under_test = bench()
    for index, stamp in ((0, 0), (1, 1), (1, 2), (0, 3)):
        under_test.send(index, stamp)
    assert under_test.got == [(0, 1), (3, 2)]


def test_queues_are_bounded_and_the_oldest_stamp_goes_first(bench):
    under_test = bench(queue_size=3)
    for stamp in range(0, 500, 50):
        under_test.send(0, stamp)
    assert [len(queue) for queue in under_test.synchronizer.queues] == [3, 0]
    under_test.send(1, 300)
    under_test.send(1, 450)
    assert under_test.got == [(450, 450)]


def test_after_a_jump_back_nothing_pairs_until_the_queues_are_emptied(bench):
    under_test = bench(queue_size=3)
    for stamp in (1000, 1050, 1100):
        under_test.send(0, stamp)
        under_test.send(1, stamp + 30)
    for stamp in (0, 50):  # older than all that waits: dropped on arrival
        under_test.send(0, stamp)
        under_test.send(1, stamp)
    assert under_test.got == []

    with under_test.synchronizer.lock:
        for queue in under_test.synchronizer.queues:
            queue.clear()
    under_test.send(0, 100)
    under_test.send(1, 100)
    assert under_test.got == [(100, 100)]


def test_callbacks_get_the_arguments_they_were_registered_with(bench):
    under_test, got = bench(), []
    under_test.synchronizer.registerCallback(lambda a, b, word: got.append(word), "word")
    under_test.send(0, 0)
    under_test.send(1, 0)
    assert got == ["word"]


def test_callbacks_run_under_the_lock_one_at_a_time(bench):
    under_test, locked = bench(), []
    under_test.synchronizer.registerCallback(lambda *_: locked.append(under_test.synchronizer.lock.locked()))
    under_test.send(0, 0)
    under_test.send(1, 0)
    assert locked == [True]
    assert not under_test.synchronizer.lock.locked()


def test_a_callback_that_raises_leaves_neither_lock_nor_messages_behind():
    under_test = Bench("stand-in", 2, 10, 0.02)
    failing = under_test.synchronizer.registerCallback(lambda *_: 1 / 0)
    under_test.send(0, 0)
    with pytest.raises(ZeroDivisionError):
        under_test.send(1, 0)
    assert not under_test.synchronizer.lock.locked()
    assert under_test.synchronizer.queues == [{}, {}]
    del under_test.synchronizer.callbacks[failing]
    under_test.send(0, 50)
    under_test.send(1, 50)
    assert under_test.got == [(0, 0), (50, 50)]


def test_two_threads_lose_and_double_nothing():
    under_test = Bench("stand-in", 2, 2000, 0.005)
    threads = [threading.Thread(target=lambda i=i: [under_test.send(i, 10 * k) for k in range(1000)]) for i in (0, 1)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(under_test.got) == [(10 * k, 10 * k) for k in range(1000)]


def test_a_subscriber_passes_on_what_its_node_gives_it():
    asked = {}

    def create_subscription(kind, topic, callback, **options):
        asked.update(kind=kind, topic=topic, callback=callback, **options)
        return "the subscription"

    subscriber = standin.Subscriber(
        SimpleNamespace(create_subscription=create_subscription),
        int,
        "rgb/image",
        qos_profile=7,
        callback_group="group",
    )
    got = []
    subscriber.registerCallback(got.append)
    asked["callback"]("message")
    assert got == ["message"]
    assert (asked["kind"], asked["topic"], asked["qos_profile"], asked["callback_group"]) == (
        int,
        "rgb/image",
        7,
        "group",
    )
    assert (subscriber.sub, subscriber.getTopic()) == ("the subscription", "rgb/image")
