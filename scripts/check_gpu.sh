#!/bin/sh
# What this project claims of a GPU, run on this machine in under eight minutes: scripts/check_gpu.sh --help
cd "$(dirname "$0")/.." || exit 2
exec "${PYTHON:-python}" scripts/check_gpu.py "$@"
