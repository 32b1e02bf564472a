#!/usr/bin/env bash
# Installs the package into .venv, checks the style and runs all tests.
# Arguments go to pytest: run_scripts/test.sh tests/data -k digits
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash run_scripts/install.sh test
.venv/bin/python -m ruff check .
.venv/bin/python -m ruff format --check .
exec .venv/bin/python -m pytest -q -rs --durations=15 "$@"
