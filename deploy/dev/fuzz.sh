#!/usr/bin/env bash
# Runs every fuzz target under ASan and UBSan: fuzz.sh SECONDS. What it finds stays in the scratch
# folder that is printed.
set -euo pipefail
cd "$(dirname "$0")/../.."
seconds=${1:?usage: fuzz.sh SECONDS}

mapfile -t targets < <(bazel query --noshow_progress 'attr(tags, "\bfuzz\b", tests(//...))')
bazel build --config=fuzz "${targets[@]}"
scratch=$(mktemp -d /tmp/stoker-fuzz.XXXXXX)
echo "fuzz: new inputs and crashes in $scratch"
export ASAN_SYMBOLIZER_PATH=/usr/bin/llvm-symbolizer-19
for target in "${targets[@]}"; do
  name=${target##*:}
  package=${target#//}
  package=${package%%:*}
  mkdir -p "$scratch/$name"
  seeds=()
  [ -d "$package/testdata/$name" ] && seeds=("$package/testdata/$name")
  echo "fuzz: $target for $seconds s"
  "out/bin/$package/$name" -max_total_time="$seconds" -timeout=10 -rss_limit_mb=2048 \
    -artifact_prefix="$scratch/$name/crash-" -print_final_stats=1 "$scratch/$name" "${seeds[@]}" \
    2> >(grep -E 'ERROR|SUMMARY|stat::number_of_executed_units' >&2)
done
