"""A camera and a localisation as a process: `python -m benchmarks.node.camera` publishes a recorded scene for a while.

The images are those of a recording, walked forward and back without end, brought to the asked size, and serialised
beforehand: while it publishes, only stamps are written. One line of JSON at the end says what was sent.

Colour is followed by its camera_info, and depth comes a quarter of a period later, as from a device; poses are another
DDS participant's, as on a robot. Fast DDS delivers small messages that leave a participant just before large ones up
to three seconds late.
"""

from __future__ import annotations

import argparse
import json
import struct
import time
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import rclpy
from rclpy.context import Context
from rclpy.duration import Duration
from rclpy.impl.implementation_singleton import rclpy_implementation
from rclpy.qos import QoSProfile
from rclpy.serialization import serialize_message
from sensor_msgs.msg import CameraInfo, Image
from tf2_msgs.msg import TFMessage

from any3dis_ros.io.recording import ReadOptions
from any3dis_ros.io.scenes import read_scene
from any3dis_ros.ros.conversions.transforms import header, transform_message
from any3dis_ros.scene.frames import Frame
from benchmarks.node.process import ROOT

SAMPLE = ROOT / "sample" / "room"
RATE_HZ = 30.0
FRAME = "camera_optical"

_STRIDE = 3  # of the recording: a hundred VGA pairs are 154 MB
_STAMP = 4  # byte of the stamp in a serialised message that begins with a header, behind the encapsulation
_QUEUE = QoSProfile(depth=10)  # reliable


def scene_frames(scene: Path, width: int, height: int) -> list[Frame]:
    """Return frames of a recording, every third, resized (depth to the nearest pixel)."""
    out = []
    for f in read_scene(scene, ReadOptions(stride=_STRIDE)).frames:
        color = np.asarray(cv2.resize(f.color, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
        depth = np.asarray(cv2.resize(f.depth, (width, height), interpolation=cv2.INTER_NEAREST), np.uint16)
        out.append(Frame(f.stamp_ns, color, depth, f.camera.resized(width, height), f.T_map_camera))
    return out


def there_and_back(count: int) -> Iterator[int]:
    """Yield 0 … count-1 … 1 without end: neighbours stay neighbours."""
    while True:
        yield from range(count)
        yield from range(count - 2, 0, -1)


def image(pixels: Any, encoding: str) -> Image:
    """Return sensor_msgs/Image of H×W×3 uint8 or H×W uint16, stamp 0."""
    height, width = pixels.shape[:2]
    data = array("B", pixels.tobytes())
    return Image(
        header=header(0, FRAME), height=height, width=width, encoding=encoding, step=pixels.strides[0], data=data
    )


def camera_info(frame: Frame) -> CameraInfo:
    """Return sensor_msgs/CameraInfo of a frame, stamp 0, no distortion."""
    camera = frame.camera
    return CameraInfo(
        header=header(0, FRAME),
        width=camera.width,
        height=camera.height,
        distortion_model="plumb_bob",
        d=[0.0] * 5,
        k=camera.K.ravel(),
        p=np.hstack([camera.K, np.zeros((3, 1))]).ravel(),
    )


class Packed:
    """A serialised message whose stamp alone changes."""

    def __init__(self, message: Any) -> None:
        self._data = bytearray(serialize_message(message))

    def at(self, stamp_ns: int) -> bytes:
        """Return it with another stamp."""
        struct.pack_into("<iI", self._data, _STAMP, stamp_ns // 10**9, stamp_ns % 10**9)
        return bytes(self._data)


class Camera:
    """Publishes colour, depth, camera_info and the pose on /tf, all with one stamp.

    Args:
        frames: what is seen, one after the other, there and back.
        domain: ROS domain, None = the environment's.
    """

    def __init__(self, frames: Sequence[Frame], domain: int | None = None) -> None:
        self._contexts = [Context(), Context()]
        for context in self._contexts:
            rclpy.init(args=[], context=context, domain_id=domain)
        self._nodes = [
            rclpy.create_node(name, context=context)
            for name, context in zip(("camera", "localisation"), self._contexts, strict=True)
        ]
        self._color = self._nodes[0].create_publisher(Image, "rgb/image", _QUEUE)
        self._info = self._nodes[0].create_publisher(CameraInfo, "rgb/camera_info", _QUEUE)
        self._depth = self._nodes[0].create_publisher(Image, "depth/image", _QUEUE)
        self._tf = self._nodes[1].create_publisher(TFMessage, "/tf", QoSProfile(depth=100))
        self._frames = frames
        self._packed = [
            (Packed(camera_info(f)), Packed(image(f.depth, "16UC1")), Packed(image(f.color, "rgb8"))) for f in frames
        ]
        self._order = there_and_back(len(frames))
        self.sent = 0
        self.refused = 0

    @property
    def _publishers(self) -> tuple[Any, ...]:
        return (self._color, self._info, self._depth, self._tf)

    def heard(self) -> bool:
        """Whether every topic has a subscriber."""
        return all(p.get_subscription_count() for p in self._publishers)

    def send(self, stamp_ns: int, pause_s: float) -> None:
        """Publish the next frame, depth after a pause.

        The middleware refuses a message where a reliable subscriber has taken too little for too long: such a frame
        counts as refused, whole or in part.
        """
        i = next(self._order)
        info, depth, color = self._packed[i]
        pose = transform_message(self._frames[i].T_map_camera, stamp_ns, "map", FRAME)
        try:
            self._tf.publish(TFMessage(transforms=[pose]))
            self._color.publish(color.at(stamp_ns))
            self._info.publish(info.at(stamp_ns))
            time.sleep(pause_s)
            self._depth.publish(depth.at(stamp_ns))
        except rclpy_implementation.RCLError:
            self.refused += 1
        else:
            self.sent += 1

    def flush(self) -> None:
        """Wait until everything has been received."""
        for publisher in self._publishers:
            publisher.wait_for_all_acked(Duration(seconds=5))

    def close(self) -> None:
        """End the publishers."""
        for node, context in zip(self._nodes, self._contexts, strict=True):
            node.destroy_node()
            rclpy.try_shutdown(context=context)


def drive(camera: Camera, seconds: float, speed: float) -> float:
    """Publish at 30 Hz times `speed` and return the worst delay, s.

    Stamps are the present, or `speed` times as fast. It ends after `seconds`, even where it could not keep up.
    """
    start, start_ns, worst = time.monotonic(), time.time_ns(), 0.0
    period_s = 1 / (RATE_HZ * speed)
    for k in range(round(seconds / period_s)):
        due = start + k * period_s
        while (left := due - time.monotonic()) > 0:
            time.sleep(left)
        if due - left > start + seconds:
            break
        worst = max(worst, -left)
        camera.send(time.time_ns() if speed == 1 else start_ns + round(k / RATE_HZ * 1e9), period_s / 4)
    return worst


def main() -> None:
    """Publish as the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scene", type=Path, default=SAMPLE)
    parser.add_argument("--size", type=int, nargs=2, default=(640, 480), metavar=("WIDTH", "HEIGHT"))
    parser.add_argument("--seconds", type=float, default=120.0)
    parser.add_argument("--speed", type=float, default=1.0)
    args = parser.parse_args()
    frames = scene_frames(args.scene, *args.size)
    camera = Camera(frames)
    while not camera.heard():
        time.sleep(0.05)
    worst = drive(camera, args.seconds, args.speed)
    camera.flush()
    print(json.dumps({"sent": camera.sent, "refused": camera.refused, "worst_delay_s": worst}), flush=True)
    camera.close()


if __name__ == "__main__":
    main()
