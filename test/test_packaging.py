"""What package.xml, CMakeLists.txt, pyproject.toml and the folders say of each other."""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from pathlib import Path
from xml.etree import ElementTree

import pytest

import any3dis_ros

ROOT = Path(__file__).resolve().parents[1]
CMAKE = (ROOT / "CMakeLists.txt").read_text()
PYPROJECT = (ROOT / "pyproject.toml").read_text()
INTERFACES = sorted(f for kind in ("msg", "srv", "action") for f in (ROOT / kind).glob("*"))
MANIFESTS = [ROOT / "package.xml", ROOT / "interfaces" / "tf2_msgs" / "package.xml"]
FORMAT_3 = {  # REP-149: element: how often
    "name": (1, 1), "version": (1, 1), "description": (1, 1), "maintainer": (1, None), "license": (1, None),
    "url": (0, None), "author": (0, None), "build_depend": (0, None), "build_export_depend": (0, None),
    "buildtool_depend": (0, None), "buildtool_export_depend": (0, None), "exec_depend": (0, None),
    "depend": (0, None), "doc_depend": (0, None), "test_depend": (0, None), "conflict": (0, None),
    "replace": (0, None), "group_depend": (0, None), "member_of_group": (0, None), "export": (0, 1),
}  # fmt: skip


def manifest(path: Path = MANIFESTS[0]) -> ElementTree.Element:
    return ElementTree.parse(path).getroot()


def texts(tag: str) -> list[str]:
    return [element.text for element in manifest().findall(tag)]


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.parent.name)
def test_manifest_follows_format_3(path):
    root = manifest(path)
    assert (root.tag, root.get("format")) == ("package", "3")
    count = Counter(element.tag for element in root)
    assert set(count) <= set(FORMAT_3)
    for tag, (least, most) in FORMAT_3.items():
        assert count[tag] >= least, tag
        assert most is None or count[tag] <= most, tag
    assert re.fullmatch(r"[a-z][a-z0-9_]*", root.findtext("name"))
    assert re.fullmatch(r"\d+\.\d+\.\d+", root.findtext("version"))
    assert all(re.fullmatch(r"[^@\s]+@[^@\s]+\.[a-z]+", m.get("email")) for m in root.findall("maintainer"))
    assert root.findtext("license") == "Apache-2.0"  # SPDX
    assert [e.tag for e in root.find("export")] == ["build_type"]
    assert root.findtext("export/build_type") == "ament_cmake"
    assert [e.text for e in root.findall("member_of_group")] == ["rosidl_interface_packages"]
    wanted = Counter(e.text for e in root if e.tag in ("depend", "build_depend", "exec_depend"))
    assert max(wanted.values()) == 1, wanted.most_common(1)  # <depend> is both: naming it twice is an error


@pytest.mark.parametrize("path", MANIFESTS, ids=lambda p: p.parent.name)
def test_manifest_is_accepted_by_catkin_pkg(path):
    package = pytest.importorskip("catkin_pkg.package", reason="catkin_pkg, which reads package.xml, is not installed")
    warnings: list[str] = []
    assert package.parse_package(str(path), warnings=warnings).package_format == 3
    assert warnings == []


def test_names_and_versions_agree():
    stated = {
        "package.xml": manifest().findtext("version"),
        "pyproject.toml": re.search(r'^version = "(.+)"$', PYPROJECT, re.MULTILINE)[1],
        "any3dis_ros": any3dis_ros.__version__,
    }
    assert len(set(stated.values())) == 1, stated
    assert manifest().findtext("name") == "any3dis_ros" == re.search(r"^project\((\w+)\)$", CMAKE, re.MULTILINE)[1]


def test_every_interface_is_generated():
    block = re.search(r"rosidl_generate_interfaces\(\$\{PROJECT_NAME\}(.*?)DEPENDENCIES", CMAKE, re.DOTALL)[1]
    assert sorted(block.split()) == sorted(str(f.relative_to(ROOT)) for f in INTERFACES)


def test_the_packages_that_the_interfaces_name_are_dependencies():
    named = {"action_msgs"}  # every action's
    for file in INTERFACES:
        code = [line.partition("#")[0] for line in file.read_text().splitlines()]
        named |= {m[1] for line in code if (m := re.match(r"\s*(\w+)/\w+", line))}
    assert (
        sorted(named) == re.search(r"set\(interface_dependencies (.*?)\)", CMAKE)[1].split() == sorted(texts("depend"))
    )


@pytest.mark.parametrize("file", INTERFACES, ids=lambda f: f.name)
def test_every_field_is_described(file):
    for block in re.split(r"\n\s*\n|^---$", file.read_text(), flags=re.MULTILINE):
        assert not block.strip() or block.lstrip().startswith("#"), f"no comment above: {block.strip()}"


def test_what_cmake_finds_is_in_the_manifest():
    stated = {e.text for e in manifest() if e.tag.endswith("depend")}
    for name in re.findall(r"find_package\((\w+)", CMAKE):
        assert name in stated, name


def test_what_the_node_and_the_launch_files_import_is_in_the_manifest():
    """RViz is not: a robot goes without, and rviz:=true says so."""
    named = {"cv2": "python3-opencv", "numpy": "python3-numpy", "scipy": "python3-scipy"}
    stated = {e.text for e in manifest() if e.tag in ("depend", "exec_depend")}
    files = [f for folder in ("any3dis_ros/ros", "launch") for f in (ROOT / folder).rglob("*.py")]
    imported = set()
    for node in (n for f in files for n in ast.walk(ast.parse(f.read_text()))):
        if isinstance(node, ast.Import):
            imported |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            imported.add(node.module.partition(".")[0])
    assert {"rclpy", "launch_ros"} <= imported
    for name in imported - set(sys.stdlib_module_names) - {"any3dis_ros"}:
        assert named.get(name, name) in stated, name


def test_every_program_has_a_module_with_a_main():
    programs = re.findall(r"^install_program\((\S+) (\S+)\)$", CMAKE, re.MULTILINE)
    assert ("any3dis", "any3dis_ros.cli") in programs
    for _, module in programs:
        source = (ROOT / module.replace(".", "/")).with_suffix(".py").read_text()
        assert re.search(r"^def main\(", source, re.MULTILINE), module


def test_folders_that_ros_looks_into_are_installed():
    installed = re.search(r"foreach\(folder (.*?)\)", CMAKE)[1].split()
    present = [
        name for name in ("config", "launch", "rviz", "urdf", "worlds", "meshes") if any((ROOT / name).glob("*.*"))
    ]
    assert set(present) <= set(installed)


def test_every_module_and_data_file_is_packed():
    files = [f for f in (ROOT / "any3dis_ros").rglob("*") if f.is_file() and "__pycache__" not in f.parts]
    for file in files:
        assert (file.parent / "__init__.py").is_file(), f"{file.parent} is no package: pip would leave it out"
    data = {f.relative_to(ROOT) for f in files if f.suffix != ".py"}
    section = PYPROJECT.partition("[tool.setuptools.package-data]")[2].partition("\n\n")[0]
    packed = set()
    for package, names in re.findall(r'^"([\w.]+)" = \[(.*)\]$', section, re.MULTILINE):
        packed |= {Path(package.replace(".", "/"), name) for name in re.findall(r'"(.+?)"', names)}
    assert data == packed
