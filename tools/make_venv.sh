#!/usr/bin/env bash
# Makes the virtual environment where it is missing, then installs Quarry (editable) and one dependency group.
#
#   usage: tools/make_venv.sh VENV GROUP
#
# Needs nothing but a Python with `venv`. Its own pip may be too old for dependency groups, so pip comes first.
set -eu
venv=$1 group=$2
python=${PYTHON:-python3}
cd "$(dirname "$0")/.."
fail() { echo "quarry: $*" >&2; exit 1; }

command -v "$python" >/dev/null || fail "$python is not on PATH; install Python 3.11, 3.12 or 3.13, or name one with PYTHON=..."
"$python" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))' ||
    fail "$("$python" -V) is not supported; install Python 3.11, 3.12 or 3.13, or name one with PYTHON=..."
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    CI=true tools/packages.sh "making $venv" python3-venv ||
        fail "$python has no venv module; as root: apt-get install python3-venv"
    "$python" -c 'import ensurepip, venv' || fail "$python still has no venv module"
fi

# A copied or moved folder leaves an environment whose scripts point to where it was.
if [ ! -x "$venv/bin/python" ] || ! "$venv/bin/python" -c '' 2>/dev/null || ! "$venv/bin/pip" --version >/dev/null 2>&1; then
    echo "making $venv with $("$python" -V)"
    rm -rf "$venv"
    "$python" -m venv "$venv"
    "$venv/bin/python" -m pip install -q --disable-pip-version-check --upgrade 'pip>=25.1'
fi
echo "installing quarry and its group '$group' into $venv"
"$venv/bin/python" -m pip install -q --disable-pip-version-check --editable . --group "$group"
touch "$venv/.group-$group"
