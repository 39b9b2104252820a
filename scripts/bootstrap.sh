#!/bin/sh
# Make .venv and install what the goal needs: scripts/bootstrap.sh core|dev
# A second call with nothing changed returns at once. System packages are installed where this user may, else named.
set -eu
goal=${1:?usage: bootstrap.sh core|dev}
cd "$(dirname "$0")/.."
venv=.venv
stamp=$venv/.any3dis-$goal
sum=$(cat pyproject.toml setup.py | cksum)
[ -f "$stamp" ] && [ "$(cat "$stamp")" = "$sum" ] && exit 0

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
case $goal in
    core) "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e . ;;
    dev) "$venv/bin/python" -m pip install --quiet --disable-pip-version-check -e '.[dev]' ;;
    *) echo "unknown goal '$goal'; expected core or dev" >&2; exit 1 ;;
esac
"$venv/bin/python" -c 'import open3d' 2>/dev/null || {
    apt_install "Open3D lacks system libraries" libgl1 libgomp1 libx11-6
    "$venv/bin/python" -c 'import open3d'
}
echo "$sum" >"$stamp"
