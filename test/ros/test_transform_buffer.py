from __future__ import annotations

import threading

from any3dis_ros.ros.standins.transform_buffer import TransformBuffer

S = 10**9
REST = (0.0, 0.0, 0.0, 0.0, 0.0, 1.0)  # of an x: no other translation, no rotation


def test_a_stuck_clock_does_not_fill_the_memory():
    buffer = TransformBuffer(10 * S)
    for x in range(1000):
        buffer.set("map", "base", 5 * S, (x, *REST), static=False)
    assert len(buffer._caches["base"].stamps) == 2
    assert buffer.lookup("map", "base", 5 * S)[0][0, 3] == 999


def test_what_is_left_out_is_counted_and_said_once(caplog):
    buffer = TransformBuffer(1 * S)
    buffer.set("map", "base", 100 * S, (0.0, *REST), static=False)
    for _ in range(50):
        buffer.set("map", "base", 1 * S, (0.0, *REST), static=False)
    assert buffer.ignored == {"older than the buffer": 50}
    assert len([r for r in caplog.records if "older than the buffer" in r.message]) == 1


def test_threads_may_write_while_others_look():
    buffer, failures = TransformBuffer(10 * S), []
    buffer.set("map", "base", 1 * S, (0.0, *REST), static=False)
    buffer.set("map", "base", 2 * S, (0.0, *REST), static=False)

    def write():
        for k in range(2000):
            buffer.set("map", "base", 2 * S + k, (0.0, *REST), static=False)

    def look():
        for _ in range(2000):
            try:
                buffer.lookup("map", "base", 2 * S)
            except Exception as error:
                failures.append(error)

    threads = [threading.Thread(target=t) for t in (write, write, look, look)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
