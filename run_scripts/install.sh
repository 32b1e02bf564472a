#!/usr/bin/env bash
# Creates .venv at the root if missing, and installs the package into it:
# run_scripts/install.sh [EXTRA], where EXTRA is test, docs or gpu. VENV=DIRECTORY
# selects another environment, PYTHON=python3.10 another interpreter.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${VENV:-.venv}
# An interrupted creation of the environment leaves Python without pip.
if ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
  "${PYTHON:-python3}" -m venv --clear "$venv"
  # The resolver of older versions can take hours.
  "$venv/bin/python" -m pip install --quiet --upgrade 'pip>=24'
fi
echo "installing into $PWD/$venv"
"$venv/bin/python" -m pip install --quiet --disable-pip-version-check \
  --editable ".${1:+[$1]}"
