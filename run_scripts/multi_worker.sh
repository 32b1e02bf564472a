#!/usr/bin/env bash
# Trains on two workers of this machine, as a cluster would on its machines.
# Arguments go to train: run_scripts/multi_worker.sh --dataset=digits
# The number of workers: WORKERS=3 run_scripts/multi_worker.sh ...
#
# The same command again goes on where it was stopped. When a worker dies, its
# peers end with a message, and so does this script.
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
