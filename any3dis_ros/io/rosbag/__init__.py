"""ROS 1 and ROS 2 bags, by `rosbags`, with no ROS installed: a survey of stamps and TF, then the images that count."""

from any3dis_ros.io.rosbag.reading import read_bag

__all__ = ["read_bag"]
