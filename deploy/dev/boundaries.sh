#!/usr/bin/env bash
# Fails where a service's code depends on another service's: they meet in proto/ and services/common only.
# The page is no part of the store's code: the command takes its report form from there.
set -euo pipefail
cd "$(dirname "$0")/../.."

services=()
for name in discovery collector/ebpf collector/java scraper symbolizer forwarder store cli; do
  [ -f "services/$name/BUILD.bazel" ] && services+=("$name")
done
failed=0
for from in "${services[@]}"; do
  for to in "${services[@]}"; do
    [ "$from" = "$to" ] && continue
    path=$(bazel query --noshow_progress "somepath(//services/$from/..., //services/$to/... except //services/store/page/...)" 2>/dev/null)
    [ -z "$path" ] && continue
    echo "boundaries: services/$from depends on services/$to:" >&2
    echo "$path" >&2
    failed=1
  done
done
[ "$failed" -ne 0 ] || echo "boundaries: no service depends on another"
exit "$failed"
