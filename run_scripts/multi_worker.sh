#!/usr/bin/env bash
# Trains with two workers on this machine, as on a cluster.
# Arguments are passed to train: run_scripts/multi_worker.sh --dataset=digits
# Number of workers: WORKERS=3 run_scripts/multi_worker.sh ...
#
# The same command resumes an interrupted run. If a worker fails, the other
# workers and this script exit with an error message.
set -euo pipefail

workers=${WORKERS:-2}
first_port=${PORT:-20070}
python=${PYTHON:-.venv/bin/python}
[[ -x $python ]] || python=python3

addresses=()
for ((i = 0; i < workers; i++)); do
  addresses+=("\"localhost:$((first_port + i))\"")
done
cluster=$(IFS=,; echo "{\"worker\": [${addresses[*]}]}")

pids=()
trap '((${#pids[@]})) && kill "${pids[@]}" 2>/dev/null || true' EXIT
trap 'kill -TERM "${pids[@]}" 2>/dev/null || true' INT TERM
for ((i = 0; i < workers; i++)); do
  task="{\"type\": \"worker\", \"index\": $i}"
  TF_CONFIG="{\"cluster\": $cluster, \"task\": $task}" \
    "$python" -m vlae_tf.train --strategy=multi_worker "$@" &
  pids+=($!)
done

status=0
for pid in "${pids[@]}"; do
  wait "$pid" || status=$?
done
exit "$status"
