#include "services/common/config/graph/module_scope.h"

#include <utility>

#include <fmt/format.h>

#include "services/common/config/eval/evaluator.h"

namespace stoker::config {
namespace {

class ModuleScope final : public Scope {
 public:
  ModuleScope(const Module& module, const Exports& exports, const Environment& environment)
      : module_(module), exports_(exports), environment_(environment) {}

  std::optional<Match> Resolve(const Chain& chain, Diagnostics& diagnostics,
                               bool& failed) const override {
    const Reference reference = FindReference(module_, chain);
    std::optional<Value> value;
    switch (reference.kind) {
      case Reference::Kind::kNone:
        return std::nullopt;
      case Reference::Kind::kVariable:
        value = *reference.variable;
        break;
      case Reference::Kind::kError:
        diagnostics.Error(chain.span, reference.error);
        break;
      case Reference::Kind::kExpression:
        value = reference.expression == nullptr
                    ? Value()
                    : EvaluateIn(*reference.module, *reference.expression, exports_, environment_,
                                 diagnostics);
        break;
      case Reference::Kind::kExport:
        value = exports_.Get(*reference.component, *reference.exported, chain.span, diagnostics);
        break;
    }
    failed = !value.has_value();
    if (failed) return std::nullopt;
    return Match{*std::move(value), reference.names};
  }

 private:
  const Module& module_;
  const Exports& exports_;
  const Environment& environment_;
};

}  // namespace

std::optional<Value> NoExports::Get(const Component& component, const ExportSchema& exported,
                                    const Span& span, Diagnostics& diagnostics) const {
  diagnostics.Error(span, fmt::format("{}.{} is not known when the configuration is loaded",
                                      component.id, exported.name));
  return std::nullopt;
}

std::optional<Value> EvaluateIn(const Module& module, const Expression& expression,
                                const Exports& exports, const Environment& environment,
                                Diagnostics& diagnostics) {
  const ModuleScope scope(module, exports, environment);
  return Evaluator(scope, environment, diagnostics).Evaluate(expression);
}

}  // namespace stoker::config
