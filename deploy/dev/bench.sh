#!/usr/bin/env bash
# Runs every benchmark, then the agent's cost under load (as root; SECONDS_OF_LOAD, 600 by default).
# What is printed belongs into docs/operations/performance.md.
set -euo pipefail
cd "$(dirname "$0")/../.."

mapfile -t benchmarks < <(bazel query --noshow_progress 'attr(tags, "\bbenchmark\b", //...)')
bazel build "${benchmarks[@]}" //services/...
for target in "${benchmarks[@]}"; do
  package=${target#//}
  echo "== $target"
  "out/bin/${package%%:*}/${target##*:}" --benchmark_min_time=0.5
done
if [ "$(id -u)" -eq 0 ]; then
  echo "== cost under tests/perf/load.sh"
  tests/perf/cost.py --services out/bin/services --seconds "${SECONDS_OF_LOAD:-600}"
else
  echo "bench: the cost under load needs root; left out" >&2
fi
