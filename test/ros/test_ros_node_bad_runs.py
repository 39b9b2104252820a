from __future__ import annotations

import threading

import pytest
from boxes import PerfectTracker
from installed import rclpy_or_skip

rclpy_or_skip()
pytest.importorskip("any3dis_ros.msg", reason="the interfaces are not built", exc_type=ImportError)

from action_msgs.msg import GoalStatus  # noqa: E402
from node_robot import driven, keyframes  # noqa: E402
from std_srvs.srv import Trigger  # noqa: E402

from any3dis_ros.progress import silent  # noqa: E402
from any3dis_ros.ros import session  # noqa: E402
from any3dis_ros.srv import Save  # noqa: E402

pytestmark = pytest.mark.dds


@pytest.fixture
def ready(start, robot, two_boxes):
    """A node with keyframes."""
    node = start()
    driven(node, robot, two_boxes[0])
    return node


def works(robot):
    answer = robot.ask(Trigger, "/any3dis/trigger")
    assert answer.success, answer.message
    assert answer.message.startswith("3 objects in ")


class FailingOnce(PerfectTracker):
    """An engine that raises at one of its steps, the first time."""

    def __init__(self, hits, at, error) -> None:
        super().__init__(hits)
        self.errors = {at: error}

    def fail(self, at):
        if at in self.errors:
            raise self.errors.pop(at)

    def open(self, frames, progress=silent):
        self.fail("open")
        return super().open(frames, progress)

    def prompt(self, prompts, masks_per_prompt):
        self.fail("prompt")
        return super().prompt(prompts, masks_per_prompt)

    def track(self, requests):
        for done, track in enumerate(super().track(requests)):
            if done == 1:
                self.fail("track")
            yield track


@pytest.mark.parametrize(
    ("kind", "why"), [(RuntimeError, "the network gave NaN"), (MemoryError, "2 GB for the features")]
)
@pytest.mark.parametrize("at", ["make", "open", "prompt", "track"])
def test_an_engine_that_fails_is_told_and_the_next_run_works(ready, robot, two_boxes, monkeypatch, at, kind, why):
    engine = FailingOnce(two_boxes[1], at, kind(why))  # made here: raised, it holds on to the node by its traceback

    def make(_):
        engine.fail("make")
        return engine

    monkeypatch.setattr(session, "make_tracker", make)
    answer = robot.ask(Trigger, "/any3dis/trigger")
    assert not answer.success
    assert why in answer.message
    assert keyframes(ready) == 8
    works(robot)
    assert engine.closed == (2 if at in ("prompt", "track") else 1)  # what was opened is closed


STAGES = ("engine", "map", "superpoints", "visibility", "features", "tracking, round 1", "merging")


@pytest.mark.parametrize("stage", STAGES)
def test_a_run_cancelled_in_any_stage_ends_there_and_the_next_one_works(wire, ready, robot, asker, monkeypatch, stage):
    reached, go_on = threading.Event(), threading.Event()
    run = session.Segmenter.run

    def held(self, frames, given, request, progress):
        def waits(at, *done):
            if at == stage and not reached.is_set():
                reached.set()
                assert go_on.wait(20)
            progress(at, *done)

        return run(self, frames, given, request, waits)

    monkeypatch.setattr(session.Segmenter, "run", held)
    handle = asker.send()
    wire.until(reached.is_set, f"stage {stage}")
    cancelling = handle.cancel_goal_async()
    wire.until(cancelling.done, "the cancellation")
    assert len(cancelling.result().goals_canceling) == 1
    go_on.set()
    answer = asker.result(handle)
    assert (answer.status, answer.result.success) == (GoalStatus.STATUS_CANCELED, False)
    assert answer.result.message == f"cancelled in stage '{stage}'"
    works(robot)


def test_a_folder_that_cannot_be_written_is_named_and_another_works(ready, robot, tmp_path):
    works(robot)
    (tmp_path / "file").write_text("in the way")
    answer = robot.ask(Save, "/any3dis/save", Save.Request(folder=str(tmp_path / "file" / "out")))
    assert not answer.success
    assert str(tmp_path / "file") in answer.message
    answer = robot.ask(Save, "/any3dis/save", Save.Request(folder=str(tmp_path / "out")))
    assert answer.success, answer.message
    assert (tmp_path / "out" / "instances.ply").is_file()
    works(robot)
