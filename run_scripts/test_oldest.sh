#!/usr/bin/env bash
# Runs the tests on the oldest versions allowed by setup.py, in .venv-oldest:
# PYTHON=python3.10 run_scripts/test_oldest.sh [PYTEST ARGUMENTS]
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

export VENV=.venv-oldest
PIP_CONSTRAINT=run_scripts/oldest.txt bash run_scripts/install.sh test
exec "$VENV/bin/python" -m pytest -q -rs --durations=15 -n 2 --dist=loadfile \
  "$@"
