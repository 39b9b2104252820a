from __future__ import annotations

import importlib
import subprocess
import sys
from types import SimpleNamespace

import pytest
from installed import package, rclpy_or_skip, stamped

from any3dis_ros.ros.standins import message_filters as standin_filters

NAMES = {"message_filters", "tf2_ros", "cv_bridge"}


def run(code: str, path: str = "") -> str:
    """Run code in a Python of its own, which has imported nothing yet."""
    lines = f"import sys; sys.path.insert(0, {path!r})\n{code}" if path else code
    done = subprocess.run([sys.executable, "-c", lines], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_it_says_what_is_used():
    rclpy_or_skip()
    packages = importlib.import_module("any3dis_ros.ros.packages")
    said = packages.which()
    assert said.keys() == NAMES
    for name, origin in said.items():
        module = getattr(packages, name)
        if origin.startswith("stand-in"):
            assert module.__name__ == f"any3dis_ros.ros.standins.{name}"
        else:
            assert module.__name__ == name
    for name in ("Subscriber", "ApproximateTimeSynchronizer", "Buffer", "TransformListener", "CvBridge"):
        assert callable(getattr(packages, name))
    for name in ("LookupException", "ConnectivityException", "ExtrapolationException"):
        assert issubclass(getattr(packages, name), packages.TransformException)


def test_a_real_package_comes_first_and_a_broken_one_not_at_all(tmp_path):
    rclpy_or_skip()
    (tmp_path / "message_filters.py").write_text("Subscriber = ApproximateTimeSynchronizer = 'real'\n")
    (tmp_path / "cv_bridge").mkdir()
    (tmp_path / "cv_bridge" / "__init__.py").write_text("CvBridge = CvBridgeError = 'real'\n")
    (tmp_path / "cv_bridge" / "boost").mkdir()
    (tmp_path / "cv_bridge" / "boost" / "__init__.py").write_text("")
    (tmp_path / "cv_bridge" / "boost" / "cv_bridge_boost.py").write_text("raise AttributeError('_ARRAY_API not found')")
    out = run(
        "from any3dis_ros.ros import packages as p\n"
        "print(p.Subscriber, p.CvBridge.__module__)\n"
        "print(p.which()['message_filters'])\n"
        "print(p.which()['cv_bridge'])",
        str(tmp_path),
    ).splitlines()
    assert out[0] == "real any3dis_ros.ros.standins.cv_bridge"
    assert out[1] == str(tmp_path / "message_filters.py")
    assert out[2] == "stand-in (_ARRAY_API not found)"


def test_all_but_this_room_imports_without_ros():
    """Even where ROS is installed: an import of it is an error here."""
    out = run(
        "import importlib, pkgutil, sys\n"
        "class Refuse:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        top = name.partition('.')[0]\n"
        "        if top in ('rclpy', 'builtin_interfaces') or top.endswith('_msgs'):\n"
        "            raise ImportError('no ROS: ' + name)\n"
        "sys.meta_path.insert(0, Refuse())\n"
        "import any3dis_ros\n"
        "count = 0\n"
        "for found in pkgutil.walk_packages(any3dis_ros.__path__, 'any3dis_ros.', onerror=lambda name: None):\n"
        "    if found.name.split('.')[1] in ('ros', 'msg', 'srv', 'action') or '.sam2' in found.name: continue\n"
        "    importlib.import_module(found.name)\n"
        "    count += 1\n"
        "for name in ('message_filters', 'transform_buffer', 'cv_bridge'):\n"
        "    importlib.import_module('any3dis_ros.ros.standins.' + name)\n"
        "print(count)"
    )
    assert int(out) > 30


@pytest.mark.parametrize("origin", ["stand-in", "real"])
def test_a_synchroniser_is_emptied(origin):
    rclpy_or_skip()
    from any3dis_ros.ros.packages import empty

    module, got = package(origin, "message_filters"), []
    inputs = [module.SimpleFilter(), module.SimpleFilter()]
    synchronizer = module.ApproximateTimeSynchronizer(inputs, 2, 0.02)
    synchronizer.registerCallback(lambda *messages: got.append(messages))

    def send(index, seconds):
        from rclpy.time import Time

        message = stamped(seconds * 10**9)
        message.header.stamp = Time(seconds=seconds) if origin == "real" else SimpleNamespace(sec=seconds, nanosec=0)
        inputs[index].signalMessage(message)

    for second in (100, 101):
        send(0, second)
    empty(synchronizer)
    send(0, 1)
    send(1, 1)
    assert len(got) == 1


def test_filters_can_be_chained():
    first, second, got = standin_filters.SimpleFilter(), standin_filters.SimpleFilter(), []
    first.registerCallback(second.signalMessage)
    second.registerCallback(got.append)
    first.signalMessage("message")
    assert got == ["message"]
