#pragma once

#include <optional>

#include "services/common/config/environment.h"
#include "services/common/config/eval/scope.h"
#include "services/common/config/eval/value.h"
#include "services/common/config/graph/module.h"
#include "services/common/config/syntax/diagnostic.h"

namespace stoker::config {

// What components export, as far as it is known.
class Exports {
 public:
  virtual ~Exports() = default;

  // Nothing when it is not known, reported at `span`.
  virtual std::optional<Value> Get(const Component& component, const ExportSchema& exported,
                                   const Span& span, Diagnostics& diagnostics) const = 0;
};

// While the configuration is still read: no component gives anything.
class NoExports final : public Exports {
 public:
  std::optional<Value> Get(const Component& component, const ExportSchema& exported,
                           const Span& span, Diagnostics& diagnostics) const override;
};

// Evaluates an expression that sees the names of `module`. References must have been checked for
// cycles. Nothing after an error, which was reported.
std::optional<Value> EvaluateIn(const Module& module, const Expression& expression,
                                const Exports& exports, const Environment& environment,
                                Diagnostics& diagnostics);

}  // namespace stoker::config
