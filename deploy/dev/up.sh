#!/usr/bin/env bash
# Builds the processes and starts the lab: this whole host into the embedded store.
set -euo pipefail
cd "$(dirname "$0")/../.."

bazel build --show_progress_rate_limit=5 //services/...
stoker=out/bin/services/cli/stoker
if [ "$(id -u)" -ne 0 ]; then
  command -v sudo >/dev/null || { echo "up: profiling the host needs root, or sudo" >&2; exit 1; }
  exec sudo "$stoker" lab "$@"
fi
exec "$stoker" lab "$@"
