#!/usr/bin/env bash
# Runs the tests.
#
#   run_scripts/test.sh                    install, style, types, default tier
#   run_scripts/test.sh --exhaustive       the same with every test
#   run_scripts/test.sh PATH [-k ...]      selected tests, without install;
#                                          arguments are passed to pytest
#
# Tiers: CONTRIBUTING.md. PYTHON=python3.10 selects the interpreter of .venv.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

venv=${VENV:-.venv}
pytest=("$venv/bin/python" -m pytest -q -rs --durations=15)
if (($# > 0)) && [[ $* != --exhaustive ]]; then
  if [[ ! -x $venv/bin/python ]]; then
    echo "$venv is missing: run_scripts/test.sh without arguments creates it" >&2
    exit 1
  fi
  exec "${pytest[@]}" "$@"
fi

bash run_scripts/install.sh test
# Style and type errors do not prevent the tests from running.
status=0
"$venv/bin/python" -m ruff check . || status=1
"$venv/bin/python" -m ruff format --check . || status=1
"$venv/bin/lint-imports" --no-cache || status=1
"$venv/bin/python" -m mypy || status=1
# One thread per worker, as the tests compute little. Two processes, because
# TensorFlow keeps XLA executables in memory until the process ends.
export TF_NUM_INTRAOP_THREADS=1 TF_NUM_INTEROP_THREADS=1
first=(tests/conformance tests/data tests/distributions tests/models tests/nn
  tests/runs tests/training)
run() { "${pytest[@]}" -n 2 --dist=loadfile "$@" || status=$?; }
run "${first[@]}" "$@"
run tests "${first[@]/#/--ignore=}" "$@"
exit "$status"
