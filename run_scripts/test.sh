#!/usr/bin/env bash
# Installs the package into .venv, checks style and types and runs all tests.
# Arguments go to pytest: run_scripts/test.sh tests/data -k digits
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash run_scripts/install.sh test
# Bad style or types do not hide what the tests say, but fail in the end.
status=0
.venv/bin/python -m ruff check . || status=1
.venv/bin/python -m ruff format --check . || status=1
.venv/bin/python -m mypy || status=1
# Three files at a time on two cores: a third of the time, tests wait for other
# processes that they start.
.venv/bin/python -m pytest -q -rs --durations=15 -n 3 --dist=loadfile "$@" ||
  status=$?
exit "$status"
