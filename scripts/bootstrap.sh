#!/bin/sh
# Make .venv and install what the goal needs: scripts/bootstrap.sh core|lint|dev
#   core: run it    lint: and the tools of development    dev: and torch and SAM 2, for all tests (1 GB more)
# A second call with nothing changed returns at once. System packages are installed where this user may, else named.
# pip's own configuration holds (PIP_INDEX_URL, pip.conf). Besides it,
#   ANY3DIS_TORCH_INDEX: package index for torch alone, e.g. PyTorch's index of CPU builds, which spares the CUDA libraries
set -eu
goal=${1:?usage: bootstrap.sh core|lint|dev}
cd "$(dirname "$0")/.."
venv=.venv
case $goal in  # goals that contain this one
    core) enough="core lint dev" ;;
    lint) enough="lint dev" ;;
    dev) enough="dev" ;;
    *) echo "unknown goal '$goal'; expected core, lint or dev" >&2; exit 1 ;;
esac
sum=$(cat pyproject.toml setup.py scripts/bootstrap.sh | cksum)
for larger in $enough; do
    [ -f "$venv/.any3dis-$larger" ] && [ "$(cat "$venv/.any3dis-$larger")" = "$sum" ] && exit 0
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

install_sam2() {
    if ! "$venv/bin/python" -c 'import torch' 2>/dev/null; then  # a torch that the user put there stays
        [ -n "${ANY3DIS_TORCH_INDEX:-}" ] || command -v nvidia-smi >/dev/null ||
            echo "torch may bring gigabytes of CUDA libraries; ANY3DIS_TORCH_INDEX can name PyTorch's index of CPU builds" >&2
        install ${ANY3DIS_TORCH_INDEX:+--index-url "$ANY3DIS_TORCH_INDEX"} "torch==2.13.0"  # as the tests were run with
    fi
    install -e '.[dev,sam2-cpu]' setuptools wheel
    # Its metadata asks for torchvision, which tracking never imports; in an isolated build it pulls a second torch.
    sam2=$("$venv/bin/python" -c 'from importlib.metadata import requires
print(next(r.partition(";")[0].strip() for r in requires("any3dis-ros") if r.startswith("sam2")))')
    SAM2_BUILD_CUDA=0 install --no-deps --no-build-isolation "$sam2"
    "$venv/bin/python" -c 'import torch, sam2.build_sam'
}

case $goal in
    core) install -e . ;;
    lint) install -e '.[dev]' ;;
    dev) install_sam2 ;;
esac
"$venv/bin/python" -c 'import open3d' 2>/dev/null || {
    apt_install "Open3D lacks system libraries" libgl1 libgomp1 libx11-6
    "$venv/bin/python" -c 'import open3d'
}
echo "$sum" >"$venv/.any3dis-$goal"
