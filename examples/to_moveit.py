"""Keep MoveIt's planning scene in step with any3dis_node: one box per object, named any3dis_<id>.

    python3 examples/to_moveit.py --ros-args -p padding_m:=0.02
    ros2 param set /any3dis_to_moveit target 7   # object 7 is about to be grasped; 0: none

Starting it is the opt-in: each segmentation is then applied as a diff. The target keeps its box, which keeps it out of
the octomap, but everything may touch it, the whole arm too: set it for the grasp alone.
"""

import re
import sys

import rclpy
from geometry_msgs.msg import Pose
from rclpy.executors import ExternalShutdownException
from rclpy.node import Node
from rclpy.qos import DurabilityPolicy, QoSProfile, ReliabilityPolicy

from any3dis_ros.msg import Instance3DArray

try:
    from moveit_msgs.msg import AllowedCollisionEntry, CollisionObject, PlanningScene
    from moveit_msgs.msg import PlanningSceneComponents as Parts
    from moveit_msgs.srv import ApplyPlanningScene, GetPlanningScene
    from shape_msgs.msg import SolidPrimitive
except ImportError as error:
    MISSING = f"{error}: sudo apt install ros-$ROS_DISTRO-moveit-msgs"
else:
    MISSING = ""

LATCHED = QoSProfile(depth=1, reliability=ReliabilityPolicy.RELIABLE, durability=DurabilityPolicy.TRANSIENT_LOCAL)
PARAMETERS = [("instances_topic", "/any3dis/instances"), ("min_score", 0.0), ("padding_m", 0.01), ("target", 0)]
PARAMETERS += [("min_size_m", 0.02), ("max_size_m", 2.0)]  # of the longest side: no crumbs, no box around the floor
OURS = re.compile(r"any3dis_\d+")


def wanted(instances, target, min_score, min_size_m, max_size_m):
    """Return the instances that are to be boxes by their names; the target always is."""
    longest = {i.id: max(i.size.x, i.size.y, i.size.z) for i in instances}
    fit = {i.id for i in instances if i.score >= min_score and min_size_m <= longest[i.id] <= max_size_m}
    return {f"any3dis_{i.id}": i for i in instances if i.id in fit or f"any3dis_{i.id}" == target}


def gone(there, now):
    """Return the boxes of ours in the scene that are wanted no more, those of earlier runs of this program too."""
    return sorted(name for name in there if OURS.fullmatch(name) and name not in now)


def let_touch(matrix, target):
    """Allow everything to touch `target` ("": nothing) and no earlier target; tell whether that is a change."""
    default = dict(zip(matrix.default_entry_names, matrix.default_entry_values, strict=True))
    earlier = {name for name, allowed in default.items() if allowed and OURS.fullmatch(name)}
    keep = [k for k, name in enumerate(matrix.entry_names) if name not in earlier | {target}]
    matrix.entry_names = [matrix.entry_names[k] for k in keep]
    rows = [[matrix.entry_values[a].enabled[b] for b in keep] for a in keep]
    matrix.entry_values = [AllowedCollisionEntry(enabled=row) for row in rows]
    default = {name: allowed for name, allowed in default.items() if name not in earlier}
    default |= {target: True} if target else {}
    matrix.default_entry_names, matrix.default_entry_values = list(default), list(default.values())
    return earlier != {target} - {""}


def box(name, instance, header, padding_m):
    """Return an instance as a collision object, padded on every side."""
    sides = (instance.size.x, instance.size.y, instance.size.z)
    solid = SolidPrimitive(type=SolidPrimitive.BOX, dimensions=[max(s + 2 * padding_m, 0.001) for s in sides])
    return CollisionObject(id=name, header=header, pose=instance.pose, primitives=[solid], primitive_poses=[Pose()])


class ToMoveIt(Node):
    """Applies each message, and each change of the parameter target."""

    def __init__(self):
        super().__init__("any3dis_to_moveit")
        self.declare_parameters("", PARAMETERS)
        self._get = self.create_client(GetPlanningScene, "get_planning_scene")
        self._apply = self.create_client(ApplyPlanningScene, "apply_planning_scene")
        self._message, self._target = None, ""  # what is to be sent; what was sent
        self.create_subscription(Instance3DArray, self._value("instances_topic"), self._take, LATCHED)

    def update(self):
        """Send what is new, if anything is."""
        message, target = self._message, f"any3dis_{self._value('target')}" if self._value("target") else ""
        if message is None and target == self._target:
            return
        parts = Parts.WORLD_OBJECT_NAMES | Parts.ROBOT_STATE_ATTACHED_OBJECTS | Parts.ALLOWED_COLLISION_MATRIX
        found = self._call(self._get, GetPlanningScene.Request(components=Parts(components=parts)))
        if found is None:
            return
        there = {o.id for o in found.scene.world.collision_objects}
        held = {o.object.id for o in found.scene.robot_state.attached_collision_objects}
        diff = PlanningScene(is_diff=True)
        diff.robot_state.is_diff = True
        matrix = found.scene.allowed_collision_matrix
        if let_touch(matrix, target) or target != self._target:
            diff.allowed_collision_matrix = matrix  # whole, as it replaces MoveIt's
        boxes, removed = [], []
        if message is not None:  # a new target alone moves nothing back to where it was seen
            now = wanted(message.instances, target, *map(self._value, ("min_score", "min_size_m", "max_size_m")))
            padding_m = self._value("padding_m")
            boxes = [box(name, i, message.header, padding_m) for name, i in now.items() if name not in held]
            removed = [CollisionObject(id=n, operation=CollisionObject.REMOVE) for n in gone(there, now)]
        diff.world.collision_objects = removed + boxes
        answer = self._call(self._apply, ApplyPlanningScene.Request(scene=diff))
        if answer is None:
            return
        self._message, self._target = None if self._message is message else self._message, target
        new = sum(b.id not in there for b in boxes)
        text = f"{new} boxes added, {len(boxes) - new} renewed, {len(removed)} removed; target: {target or 'none'}"
        if not answer.success:
            self.get_logger().error(f"refused, at least in part: {text}; move_group's log says why, e.g. unknown frame")
        elif target and target not in ({b.id for b in boxes} | there | held) - {r.id for r in removed}:
            self.get_logger().warning(f"{text}, which has no box")
        else:
            self.get_logger().info(text)

    def _call(self, client, request):
        """Return a service's answer, None where none came."""
        if client.wait_for_service(1.0):
            future = client.call_async(request)
            rclpy.spin_until_future_complete(self, future, timeout_sec=10.0)
            if future.done():
                return future.result()
            client.remove_pending_request(future)
        service = self.resolve_service_name(client.srv_name)
        text = f"waiting for the service {service}: does move_group run, in this namespace?"
        self.get_logger().warning(text, throttle_duration_sec=30.0)
        return None

    def _take(self, message):
        self._message = message

    def _value(self, name):
        return self.get_parameter(name).value


def main():
    """Run until told to end; the boxes stay in the scene."""
    if MISSING:
        sys.exit(MISSING)
    rclpy.init()
    node = ToMoveIt()
    try:
        while rclpy.ok():
            rclpy.spin_once(node, timeout_sec=0.5)
            node.update()
    except (KeyboardInterrupt, ExternalShutdownException):
        pass
    finally:
        rclpy.try_shutdown()


if __name__ == "__main__":
    main()
