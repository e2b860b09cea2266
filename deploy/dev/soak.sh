#!/usr/bin/env bash
# The pipeline under load, its processes killed one after another: soak.sh SECONDS (as root).
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:?usage: soak.sh SECONDS}

bazel build //services/... //tests/fixtures/...
exec tests/perf/soak.py "$seconds" --services out/bin/services --fixtures out/bin/tests/fixtures
