#!/usr/bin/env bash
# Installs the package into .venv and builds the guide into site/index.html.
# Arguments are passed to mkdocs: run_scripts/docs.sh -q
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash run_scripts/install.sh docs
NO_MKDOCS_2_WARNING=1 .venv/bin/python -m mkdocs build --strict "$@"
echo "built $PWD/site/index.html"
