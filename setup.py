"""Build the ROS 2 interfaces with the package, where the ROS 2 wheels are; the metadata stands in pyproject.toml.

    pip install -e .                         the core alone: pip builds apart from the environment and sees no ROS
    pip install --no-build-isolation -e .    the interfaces too, where the wheels of the extra "ros" are installed

So nobody without ROS needs a compiler, nobody with it a switch, and pip removes what was generated with the package.
colcon does not read this file: it takes CMakeLists.txt, as this file does.
"""

import os
import shutil
import subprocess
import sys
import zlib
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

from setuptools import Distribution, setup
from setuptools.command.build_ext import build_ext

ROOT = Path(__file__).resolve().parent
STANDIN = ROOT / "interfaces" / "tf2_msgs"
BUILD = ROOT / "build" / f"interfaces-{zlib.crc32(sys.prefix.encode()):08x}"  # CMake's cache is one environment's
GENERATORS = ("ament_package", "catkin_pkg", "rclpy", "rosidl_generator_py")


class WithInterfaces(Distribution):
    """A distribution for one platform whose editable wheel has data files as well."""

    def has_ext_modules(self) -> bool:
        """Answer yes, so that the wheel names its platform and build_ext is run."""
        return True

    def has_data(self) -> bool:
        """Answer setuptools' editable_wheel, which asks by this name and otherwise leaves data files out."""
        return bool(self.has_data_files())


class BuildInterfaces(build_ext):
    """Build with CMake into a staging folder, and name what lies there as data files."""

    def run(self) -> None:
        """Generate, compile, stage."""
        stage = BUILD / "stage"
        shutil.rmtree(stage, ignore_errors=True)  # an interface that was taken away must not stay behind
        if not has_real_tf2_msgs():
            cmake_install(STANDIN, stage)
        cmake_install(ROOT, stage, "-DINSTALL_MODULES=OFF")
        self.distribution.data_files[:] = staged_files(stage)  # in place: install_data holds this very list

    def get_outputs(self) -> list[str]:
        """Return no file: data files are not build_ext's."""
        return []

    def get_output_mapping(self) -> dict[str, str]:
        """Return no file of the checkout to stand in for an output."""
        return {}


def ament_prefixes() -> list[str]:
    """Return the folders that ROS packages are looked for in: as the shell says, else this environment."""
    return (os.environ.get("AMENT_PREFIX_PATH") or sys.prefix).split(os.pathsep)


def has_real_tf2_msgs() -> bool:
    """Tell whether a tf2_msgs is installed that is not the stand-in of an earlier build."""

    def version(manifest: Path) -> str | None:
        return ElementTree.parse(manifest).getroot().findtext("version")

    manifests = [Path(prefix, "share", "tf2_msgs", "package.xml") for prefix in ament_prefixes()]
    return any(version(m) != version(STANDIN / "package.xml") for m in manifests if m.is_file())


def cmake_install(source: Path, stage: Path, *options: str) -> None:
    """Configure, build and install one CMake package into `stage`."""
    build = BUILD / ("tf2_msgs" if source == STANDIN else "any3dis_ros")
    scripts = str(Path(sys.executable).parent)  # cmake may be a package of the environment
    environment = os.environ | {"PATH": os.pathsep.join([scripts, os.environ.get("PATH", os.defpath)])}
    options = (
        *options,
        f"-DCMAKE_INSTALL_PREFIX={stage}",
        f"-DCMAKE_PREFIX_PATH={';'.join(ament_prefixes())}",
        "-DCMAKE_BUILD_TYPE=Release",
        "-DBUILD_TESTING=OFF",
        f"-DPython3_EXECUTABLE={sys.executable}",
    )
    for arguments in (
        ["-S", str(source), "-B", str(build), *options],
        ["--build", str(build), "--parallel", str(len(os.sched_getaffinity(0)))],
        ["--install", str(build)],
    ):
        subprocess.run(["cmake", *arguments], check=True, env=environment)


def staged_files(stage: Path) -> list[tuple[str, list[str]]]:
    """Return (folder, its files) of all that an installed package needs to run, relative to the prefix."""
    files: dict[str, list[str]] = {}
    for file in sorted(f for f in stage.rglob("*") if f.is_file()):
        parts = file.relative_to(stage).parts
        for_compilers = parts[0] == "include" or "cmake" in parts or file.suffix == ".c"
        from_pip = parts[-2:] == ("any3dis_ros", "__init__.py") or any(p.endswith(".egg-info") for p in parts)
        if not (for_compilers or from_pip or "__pycache__" in parts):
            files.setdefault(str(Path(*parts[:-1])), []).append(os.path.relpath(file, ROOT))
    return sorted(files.items())


if all(find_spec(name) for name in GENERATORS):
    setup(distclass=WithInterfaces, cmdclass={"build_ext": BuildInterfaces}, data_files=[])
else:
    setup()
