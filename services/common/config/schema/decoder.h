#pragma once

#include <functional>
#include <optional>

#include "services/common/config/eval/value.h"
#include "services/common/config/schema/schema.h"
#include "services/common/config/syntax/ast.h"
#include "services/common/config/syntax/diagnostic.h"

namespace stoker::config {

// The value of an attribute's expression; nothing when it is not known now, or after an error that
// was reported.
using EvaluateExpression =
    std::function<std::optional<Value>(const AttributeSchema&, const Expression&)>;

struct DecodeOptions {
  EvaluateExpression evaluate;
  // False: only names and types are checked, not what values say.
  bool check_values = true;
};

// Fills `object`, a struct with its defaults, from a block's body: attributes and blocks in source
// order, then what is missing, then the schema's own checks. A nested block is thus checked before
// its parent. Errors are reported with their places; `place` is that of the block itself. Returns
// false when the struct is not complete: after an error, or when a value is not known; checks of
// blocks that are not complete are left out.
bool DecodeBlock(const Body& body, const Span& place, const Schema& schema,
                 const DecodeOptions& options, void* object, Diagnostics& diagnostics);

// Reports that the value of `expression` does not convert: at the part that is wrong where the
// expression is written out, else with the way down to it ("x.list[2] should be number, …").
void ReportMismatch(const Expression& expression, const Mismatch& mismatch,
                    Diagnostics& diagnostics);

}  // namespace stoker::config
