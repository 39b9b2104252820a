"""What the ROS 2 node alone needs."""

from __future__ import annotations

from dataclasses import dataclass

from any3dis_ros.parameters import Section, param


@dataclass(frozen=True)
class NodeConfig(Section):
    """What the ROS 2 node alone needs; no part of a segmentation, hence not in Config."""

    autostart: bool = param(True, "configure and activate at the start, without a lifecycle manager")
    global_frame: str = param("map", "frame of the map and of all results")
    camera_frame: str = param("", "optical frame of the colour camera; empty = the images' frame_id")
    color_transport: str = param("raw", "how rgb/image is published", choices=("raw", "compressed"))
    depth_transport: str = param("raw", "how depth/image is published", choices=("raw", "compressedDepth"))
    sensor_reliability: str = param(
        "auto",
        "auto = as the publishers offer; best_effort loses most images at 30 Hz, reliable hears reliable ones alone",
        choices=("auto", "reliable", "best_effort"),
    )
    preload: bool = param(True, "load and warm up the engine when the node is configured, not at the first run")
    map_source: str = param(
        "fused", "fused = from the keyframes, topic = the last cloud on map_cloud", choices=("fused", "topic")
    )
    fuse_live: bool = param(True, "fuse keyframes as they come; off = all of them when a run begins")
    tf_timeout_s: float = param(1.0, "seconds to wait for the pose of an image", low=0.0, high=10.0)
    tf_buffer_s: float = param(10.0, "seconds of transforms kept", low=1.0, high=600.0)
    sync_queue_size: int = param(
        30, "messages of each topic that wait to be taken, and for their partner", low=2, high=1000
    )
    queue_size: int = param(90, "pairs of images that wait for their pose (1.5 MB a VGA pair)", low=1, high=10000)
    cloud_colors: str = param(
        "objects",
        "of ~/instance_cloud: one for each object as in ~/markers, or the camera's",
        choices=("objects", "camera"),
    )
    point_indices: bool = param(False, "list each object's points in ~/instances, 4 bytes a point")
    diagnostics_period_s: float = param(
        1.0, "seconds between two messages on /diagnostics, read once at the start", low=0.1, high=60.0
    )
