"""Signals end a run by unwinding it, at once or after the steps that belong together."""

from __future__ import annotations

import os
import signal

import pytest

from any3dis_ros.interrupts import Terminated, asked_to_end, termination_raises, uninterrupted


@pytest.fixture(autouse=True)
def hang_ups_are_heard():
    """`nohup make test` ignores SIGHUP from the start."""
    former = signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    signal.signal(signal.SIGHUP, former)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_requests_to_end_unwind_the_block(number):
    with pytest.raises(Terminated, match=number.name) as caught, termination_raises():
        os.kill(os.getpid(), number)
    assert caught.value.number == number
    assert signal.getsignal(number) is signal.SIG_DFL


@pytest.mark.parametrize("manager", [termination_raises, uninterrupted, asked_to_end])
def test_ignored_signals_stay_ignored(manager):
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with manager():
            os.kill(os.getpid(), signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, former)


def test_signals_wait_for_the_end_of_the_block_and_then_come():
    steps = []

    def block() -> None:
        with uninterrupted():
            os.kill(os.getpid(), signal.SIGINT)
            steps.append("went on")

    with pytest.raises(KeyboardInterrupt):
        block()
    assert steps == ["went on"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_request_to_end_sets_the_event_and_nothing_else(number):
    former = signal.getsignal(number)
    with asked_to_end() as ending:
        assert not ending.is_set()
        os.kill(os.getpid(), number)
        assert ending.wait(5)
    assert signal.getsignal(number) is former


def test_ctrl_c_is_heard_where_a_script_ignored_it():
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with asked_to_end() as ending:
            os.kill(os.getpid(), signal.SIGINT)
            assert ending.wait(5)
        assert signal.getsignal(signal.SIGINT) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGINT, former)
