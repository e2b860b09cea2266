#!/usr/bin/env bash
# Rewrites golden files from what the code gives now. Tests that compare with one leave the new text
# among their outputs; review the difference before committing it.
set -euo pipefail
cd "$(dirname "$0")/../.."

bazel test --keep_going --test_output=errors //tests/golden/... || true
outputs=out/testlogs/tests/golden/proto/descriptor_test/test.outputs/outputs.zip
python3 - "$outputs" tests/golden/proto <<'PY'
import sys
import zipfile

zipfile.ZipFile(sys.argv[1]).extract("descriptors.txt", sys.argv[2])
PY
git diff --stat -- tests/golden
