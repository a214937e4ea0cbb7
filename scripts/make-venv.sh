#!/bin/sh
# Make .venv in the current folder from a Python of 3.11 or newer: make-venv.sh [PYTHON]
# Without an argument the first of python3, python3.13, python3.12, python3.11 that is new enough is taken.
set -eu

new_enough() {
    "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null
}

pick() {
    if [ -n "$1" ]; then
        set -- "$1"
    else
        set -- python3 python3.13 python3.12 python3.11
    fi
    for candidate; do
        if new_enough "$candidate"; then
            echo "$candidate"
            return
        fi
    done
    if ! command -v "$1" >/dev/null; then
        echo "Logwarden needs Python 3.11 or newer; there is no $1 here. On Debian or Ubuntu: apt-get install python3 python3-venv" >&2
        exit 1
    fi
    found=$("$1" -c 'import platform; print("Python " + platform.python_version())' 2>/dev/null) || found="not a Python that runs"
    echo "Logwarden needs Python 3.11 or newer; $1 is $found." >&2
    echo "Install a newer one and name it: make install PYTHON=/path/to/python3.12" >&2
    exit 1
}

fits_here() {
    grep -qF "$PWD/.venv" .venv/bin/activate 2>/dev/null && new_enough .venv/bin/python && .venv/bin/python -m pip --version >/dev/null 2>&1
}

if ! fits_here; then
    python=$(pick "${1:-}")
    if ! "$python" -c 'import venv, ensurepip' 2>/dev/null; then
        package=$("$python" -c 'import sys; print("python3.%d-venv" % sys.version_info[1])')
        echo "$python lacks the venv module with ensurepip. On Debian or Ubuntu: apt-get install $package" >&2
        exit 1
    fi
    "$python" -m venv --clear .venv
fi
printf '%s\n' "$PWD" >.venv/.made
