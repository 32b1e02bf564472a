#!/usr/bin/env bash
# Installs the package into .venv, trains a model on scikit-learn's handwritten
# digits, evaluates it and draws samples. The same command resumes.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

workdir=runs/digits
bash run_scripts/install.sh
.venv/bin/python -m vlae_tf.train --preset=quickstart --workdir="$workdir"
.venv/bin/python -m vlae_tf.evaluate --workdir="$workdir"
.venv/bin/python -m vlae_tf.sample --workdir="$workdir" --mode=prior \
  --num=64 --out="$workdir/samples.png"
.venv/bin/python -m vlae_tf.sample --workdir="$workdir" --mode=decompress \
  --num=32 --out="$workdir/decompressions.png"

cat <<END

The results are in $PWD/$workdir:
  eval/                scores of the 300 test images, 128 importance samples each
  samples.png          samples from the model
  decompressions.png   test images (framed), each beside lossy reconstructions
  logs/                curves: .venv/bin/tensorboard --logdir $workdir/logs
END
