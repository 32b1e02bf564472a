#!/usr/bin/env bash
# Makes .venv at the root if there is none, and installs the package into it:
# run_scripts/install.sh [EXTRA], where EXTRA is test or gpu.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

# A virtual environment that was cut short has a Python, but no pip.
if ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
  "${PYTHON:-python3}" -m venv --clear .venv
fi
echo "installing into $PWD/.venv"
.venv/bin/python -m pip install --quiet --disable-pip-version-check \
  --editable ".${1:+[$1]}"
