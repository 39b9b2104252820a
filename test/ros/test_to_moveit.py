"""examples/to_moveit.py with MoveIt's own messages, and a planning scene of the test that takes them as MoveIt does."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from installed import rclpy_or_skip

rclpy_or_skip()
pytest.importorskip("any3dis_ros.msg", reason="the messages of this package are not generated", exc_type=ImportError)

from rcl_interfaces.msg import Parameter, ParameterType, ParameterValue  # noqa: E402
from rcl_interfaces.srv import SetParameters  # noqa: E402
from rclpy.qos import DurabilityPolicy, QoSProfile  # noqa: E402

from any3dis_ros.msg import Instance3D, Instance3DArray  # noqa: E402

EXAMPLE = Path(__file__).parents[2] / "examples" / "to_moveit.py"
LATCHED = QoSProfile(depth=1, durability=DurabilityPolicy.TRANSIENT_LOCAL)
WITHOUT_MOVEIT = importlib.util.find_spec("moveit_msgs") is None
needs_moveit = pytest.mark.skipif(WITHOUT_MOVEIT, reason="moveit_msgs is not installed")
ROBOT = ["hand", "wrist"]


@pytest.fixture(scope="module")
def example():
    spec = importlib.util.spec_from_file_location("to_moveit", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def instance(number, side=0.2, score=0.9):
    one = Instance3D(id=number, score=score)
    one.size.x, one.size.y, one.size.z = side, 0.1, 0.05
    one.pose.position.x, one.pose.position.z = float(number), 0.5
    one.pose.orientation.z, one.pose.orientation.w = 0.6, 0.8
    return one


def array(*instances):
    message = Instance3DArray(instances=list(instances))
    message.header.frame_id = "map"
    message.header.stamp.sec = 12
    return message


def test_which_objects_become_boxes(example):
    objects = [instance(1), instance(2, score=0.1), instance(3, side=0.11), instance(4, side=3.0)]
    assert list(example.wanted(objects, "", 0.5, 0.15, 2.0)) == ["any3dis_1"]
    assert list(example.wanted(objects, "any3dis_4", 0.5, 0.15, 2.0)) == ["any3dis_1", "any3dis_4"]
    assert list(example.wanted(objects, "", 0.0, 0.0, 5.0)) == [f"any3dis_{n}" for n in (1, 2, 3, 4)]
    assert example.wanted([], "any3dis_4", 0.0, 0.0, 5.0) == {}


def test_which_boxes_are_removed(example):
    there = {"table", "any3dis_1", "any3dis_2", "any3dis_30", "any3dis_2/handle", "my_any3dis_3", "any3dis_"}
    assert example.gone(there, {"any3dis_2": None, "any3dis_5": None}) == ["any3dis_1", "any3dis_30"]


@pytest.mark.skipif(not WITHOUT_MOVEIT, reason="moveit_msgs is installed")
def test_it_says_what_is_missing():
    done = subprocess.run([sys.executable, EXAMPLE], capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "'moveit_msgs': sudo apt install ros-$ROS_DISTRO-moveit-msgs" in done.stderr
    assert "Traceback" not in done.stderr


class MoveIt:
    """A planning scene that takes diffs as MoveIt does, with a table and a robot of two links.

    Attributes:
        diffs: all that were asked for.
        world: names of its objects.
        held: names of those attached to the robot.
        entries: {name: {name: allowed}}, the allowed collision matrix.
        default: {name: allowed}.
    """

    def __init__(self, wire):
        from moveit_msgs.srv import ApplyPlanningScene, GetPlanningScene

        self.diffs, self.world, self.held = [], {"table"}, set()
        self.entries = {a: {b: a != b for b in ROBOT} for a in ROBOT}
        self.default = {"wrist": False}
        node = wire.node("move_group")
        node.create_service(GetPlanningScene, "get_planning_scene", self.tell)
        node.create_service(ApplyPlanningScene, "apply_planning_scene", self.apply)

    def tell(self, request, response):
        from moveit_msgs.msg import AllowedCollisionEntry, AttachedCollisionObject, CollisionObject

        assert request.components.components == 8 + 4 + 128  # names, attached objects, matrix: nothing larger
        matrix = response.scene.allowed_collision_matrix
        matrix.entry_names = list(self.entries)
        matrix.entry_values = [
            AllowedCollisionEntry(enabled=[row[b] for b in self.entries]) for row in self.entries.values()
        ]
        matrix.default_entry_names, matrix.default_entry_values = list(self.default), list(self.default.values())
        response.scene.world.collision_objects = [CollisionObject(id=name) for name in sorted(self.world)]
        attached = [AttachedCollisionObject(object=CollisionObject(id=name)) for name in self.held]
        response.scene.robot_state.attached_collision_objects = attached
        return response

    def apply(self, request, response):
        from moveit_msgs.msg import CollisionObject

        scene = request.scene
        self.diffs.append(scene)
        matrix, response.success = scene.allowed_collision_matrix, scene.is_diff
        if matrix.entry_names:
            rows = [dict(zip(matrix.entry_names, row.enabled, strict=True)) for row in matrix.entry_values]
            self.entries = dict(zip(matrix.entry_names, rows, strict=True))
            self.default = dict(zip(matrix.default_entry_names, matrix.default_entry_values, strict=True))
        for one in scene.world.collision_objects:
            if one.operation == CollisionObject.ADD:
                response.success &= one.header.frame_id == "map" and len(one.primitives) == 1
                self.world.add(one.id)
            else:
                response.success &= one.operation == CollisionObject.REMOVE and one.id in self.world
                self.world.discard(one.id)
        return response

    def asked(self, number=-1):
        """Return the names that a diff adds and those that it removes."""
        objects = self.diffs[number].world.collision_objects
        return tuple({o.id for o in objects if o.operation == operation} for operation in (b"\0", b"\1"))


@pytest.fixture
def run(wire, tmp_path):
    """Start the example as a process of its own in the domain of the wire, with something to publish to it."""
    publisher = wire.node("any3dis").create_publisher(Instance3DArray, "~/instances", LATCHED)
    started = []

    def start(*parameters):
        log = tmp_path / f"log{len(started)}"
        words = [word for p in parameters for word in ("-p", p)]
        environment = {**os.environ, "ROS_DOMAIN_ID": str(wire.context.get_domain_id()), "ROS_LOG_DIR": str(tmp_path)}
        with log.open("w") as stream:
            process = subprocess.Popen(
                [sys.executable, EXAMPLE, "--ros-args", *words], env=environment, stdout=stream, stderr=stream
            )
        started.append(process)
        return SimpleNamespace(process=process, said=log.read_text, publish=publisher.publish)

    yield start
    for process in started:
        process.kill()
        process.wait()


def set_target(wire, number):
    client = wire.nodes[0].create_client(SetParameters, "/any3dis_to_moveit/set_parameters")
    wire.until(client.service_is_ready, "the parameters of the example")
    value = ParameterValue(type=ParameterType.PARAMETER_INTEGER, integer_value=number)
    future = client.call_async(SetParameters.Request(parameters=[Parameter(name="target", value=value)]))
    wire.until(future.done, "the target to be set")
    assert future.result().results[0].successful


@needs_moveit
@pytest.mark.dds
def test_each_message_is_a_diff_of_boxes(wire, run):
    moveit_to = run("padding_m:=0.02", "min_score:=0.5")
    moveit_to.publish(array(instance(1), instance(2), instance(3, score=0.25), instance(4, side=5.0)))
    waiting = "waiting for the service /get_planning_scene: does move_group run, in this namespace?"
    wire.until(lambda: waiting in moveit_to.said(), "the sentence about the service")
    moveit = MoveIt(wire)
    moveit.world.add("any3dis_99")  # of an earlier run
    wire.until(lambda: moveit.diffs, "the first diff")

    first = moveit.diffs[0]
    assert (first.is_diff, first.robot_state.is_diff) == (True, True)
    assert moveit.asked() == ({"any3dis_1", "any3dis_2"}, {"any3dis_99"})
    one = next(o for o in first.world.collision_objects if o.id == "any3dis_1")
    assert (one.header.frame_id, one.header.stamp.sec, one.pose) == ("map", 12, instance(1).pose)
    assert (one.primitives[0].type, list(one.primitives[0].dimensions)) == (1, pytest.approx([0.24, 0.14, 0.09]))
    p, q = one.primitive_poses[0].position, one.primitive_poses[0].orientation
    assert (p.x, p.y, p.z, q.x, q.y, q.z, q.w) == (0, 0, 0, 0, 0, 0, 1)
    assert not first.allowed_collision_matrix.entry_names
    assert not first.world.octomap.octomap.data
    wire.until(lambda: "2 boxes added, 0 renewed, 1 removed; target: none" in moveit_to.said(), "the line")

    moveit.held, moveit.world = {"any3dis_2"}, moveit.world - {"any3dis_2"}  # the robot has it in its hand
    moveit_to.publish(array(instance(2), instance(5), instance(1)))
    wire.until(lambda: len(moveit.diffs) == 2, "the second diff")
    assert moveit.asked() == ({"any3dis_1", "any3dis_5"}, set())
    wire.until(lambda: "1 boxes added, 1 renewed, 0 removed" in moveit_to.said(), "the line")

    moveit_to.publish(array())  # as any3dis_node does when it is reset
    wire.until(lambda: len(moveit.diffs) == 3, "the third diff")
    assert moveit.asked() == (set(), {"any3dis_1", "any3dis_5"})
    assert (moveit.world, moveit.held) == ({"table"}, {"any3dis_2"})

    moveit_to.process.send_signal(signal.SIGINT)
    assert moveit_to.process.wait(20) == 0
    assert moveit_to.said().count("waiting") == 1
    assert "Traceback" not in moveit_to.said()


@needs_moveit
@pytest.mark.dds
def test_everything_may_touch_the_target_while_it_is_the_target(wire, run):
    moveit, moveit_to = MoveIt(wire), run()
    before = moveit.entries, moveit.default
    moveit_to.publish(array(instance(1), instance(2)))
    wire.until(lambda: moveit.diffs, "the boxes")
    for number in (1, 2):
        set_target(wire, number)
        wire.until(lambda n=number: len(moveit.diffs) == n + 1, "the target")
        assert moveit.asked() == (set(), set())  # nothing is put back to where it was seen
        assert moveit.entries == before[0]
        assert moveit.default == {"wrist": False, f"any3dis_{number}": True}
    names = [*ROBOT, "any3dis_2"]
    moveit.entries = {name: dict.fromkeys(names, True) for name in names}  # MoveIt tells of defaults as entries, too
    set_target(wire, 0)
    wire.until(lambda: len(moveit.diffs) == 4, "no target")
    assert moveit.entries == {name: dict.fromkeys(ROBOT, True) for name in ROBOT}
    assert moveit.default == before[1]
    set_target(wire, 77)
    wire.until(lambda: "target: any3dis_77, which has no box" in moveit_to.said(), "the warning")


@needs_moveit
@pytest.mark.dds
def test_a_target_from_the_start_is_a_box_whatever_its_size(wire, run):
    moveit, moveit_to = MoveIt(wire), run("target:=3", "min_size_m:=0.5")
    moveit_to.publish(array(instance(1), instance(3)))
    wire.until(lambda: any(d.world.collision_objects for d in moveit.diffs), "the box")
    assert moveit.asked() == ({"any3dis_3"}, set())
    assert moveit.default["any3dis_3"]


@needs_moveit
@pytest.mark.dds
def test_it_says_when_moveit_refuses(wire, run):
    moveit, moveit_to = MoveIt(wire), run()
    message = array(instance(1))
    message.header.frame_id = "nowhere"
    moveit_to.publish(message)
    wire.until(lambda: "refused, at least in part: 1 boxes added" in moveit_to.said(), "the refusal")
    moveit_to.publish(array(instance(1)))
    wire.until(lambda: len(moveit.diffs) == 2, "the next message")
    wire.until(lambda: "0 boxes added, 1 renewed, 0 removed" in moveit_to.said(), "the line")
