#pragma once

#include "services/common/config/eval/value.h"

namespace stoker::config {

// The namespace `encoding`: JSON, YAML, base64 (padded; standard and URL alphabet) and URL query
// escapes, from text and to text.
Value::Object EncodingFunctions();

// json_path(text, path): the list of matches. Of JSONPath it knows $ .name ['name'] [n] [*] .* ..
Value JsonPathFunction();

}  // namespace stoker::config
