#!/usr/bin/env bash
# Makes .venv at the root if there is none, and installs the package into it:
# run_scripts/install.sh [EXTRA], where EXTRA is test or gpu. VENV=directory
# takes another one, PYTHON=python3.10 makes it of another Python.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${VENV:-.venv}
# A virtual environment that was cut short has a Python, but no pip.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  "${PYTHON:-python3}" -m venv --clear "$venv"
  # Early ones search for hours among versions that do not fit each other.
  "$venv/bin/python" -m pip install --quiet --upgrade 'pip>=24'
fi
echo "installing into $PWD/$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  --editable ".${1:+[$1]}"
