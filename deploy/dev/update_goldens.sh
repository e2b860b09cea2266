#!/usr/bin/env bash
# Rewrites golden files from what the code gives now. Tests that compare with one leave the new text
# among their outputs; review the difference before committing it.
set -euo pipefail
cd "$(dirname "$0")/../.."

targets=(//tests/golden/... //services/store:golden_test)
bazel test --keep_going --test_output=errors "${targets[@]}" || true
python3 - <<'PY'
import zipfile

GOLDENS = [
    ("tests/golden/proto/descriptor_test", "descriptors.txt", "tests/golden/proto"),
    ("services/store/golden_test", "requests.golden", "services/store/testdata"),
]
for test, name, folder in GOLDENS:
    with zipfile.ZipFile(f"out/testlogs/{test}/test.outputs/outputs.zip") as outputs:
        outputs.extract(name, folder)
PY
git diff --stat -- tests/golden services/store/testdata
