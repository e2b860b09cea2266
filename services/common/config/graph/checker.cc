#include "services/common/config/graph/checker.h"

#include <algorithm>
#include <memory>
#include <optional>

#include <fmt/format.h>

#include "services/common/config/eval/scope.h"
#include "services/common/config/eval/standard_library.h"
#include "services/common/config/graph/module_scope.h"
#include "services/common/config/schema/decoder.h"

namespace stoker::config {
namespace {

// Stands for what components export before they run: values of the right type.
class SampleExports final : public Exports {
 public:
  std::optional<Value> Get(const Component& component, const ExportSchema& exported, const Span&,
                           Diagnostics&) const override {
    switch (exported.kind) {
      case ExportKind::kTargets:
        return Value(Value::Array());
      case ExportKind::kReceiver:
        return Value(Receiver{component.id});
      case ExportKind::kRules:
        return Value(std::make_shared<const RelabelRules>());
      case ExportKind::kContent:
        break;
    }
    return std::nullopt;
  }
};

// How well samples stand for the real values of an expression.
enum class Known { kNo, kType, kValue };

bool IsConcat(const Expression& callee) {
  const auto chain = ChainOf(callee);
  if (!chain) return false;
  return chain->names.back() == "concat" && chain->names.size() <= 2;
}

// Whether an empty list of targets may stand for a full one: where it is handed on whole.
bool HandsOnWhole(const Expression& expression) {
  switch (expression.kind) {
    case Expression::Kind::kIdentifier:
    case Expression::Kind::kAccess:
    case Expression::Kind::kArray:
    case Expression::Kind::kParen:
      break;
    case Expression::Kind::kCall:
      if (!IsConcat(expression.operands[0])) return false;
      break;
    default:
      return false;
  }
  return std::all_of(expression.operands.begin(), expression.operands.end(),
                     [](const auto& operand) {
                       return operand.kind == Expression::Kind::kObject || HandsOnWhole(operand);
                     });
}

Known KnownOf(const Module& module, const Expression& expression) {
  Known known = Known::kValue;
  const auto limit = [&known](Known most) { known = std::min(known, most); };
  ForEachChain(expression, [&](const Chain& chain) {
    const Reference reference = FindReference(module, chain);
    switch (reference.kind) {
      case Reference::Kind::kNone:
        if (DependsOnMachine(chain.names[0])) limit(Known::kNo);
        break;
      case Reference::Kind::kVariable:
        break;
      case Reference::Kind::kError:
        limit(Known::kNo);
        break;
      case Reference::Kind::kExpression:
        if (reference.expression != nullptr) {
          limit(KnownOf(*reference.module, *reference.expression));
        }
        break;
      case Reference::Kind::kExport:
        if (reference.exported->kind == ExportKind::kContent) limit(Known::kNo);
        if (reference.exported->kind == ExportKind::kTargets) {
          limit(HandsOnWhole(expression) ? Known::kType : Known::kNo);
        }
        break;
    }
  });
  return known;
}

class Checker {
 public:
  Checker(const Environment& environment, const CheckOptions& options, Diagnostics& diagnostics)
      : environment_(environment), options_(options), diagnostics_(diagnostics) {}

  void Check(const Component& component) {
    const auto evaluate = [&](const AttributeSchema& attribute, const Expression& expression) {
      return Evaluate(component, attribute, expression);
    };
    const DecodeOptions options{.evaluate = evaluate, .check_values = options_.check_values};
    const Schema& schema = *component.schema->arguments;
    const std::shared_ptr<void> arguments = schema.Make();
    const Block& block = *component.block;
    DecodeBlock(block.body, Join(block.name_span, block.label_span), schema, options,
                arguments.get(), diagnostics_);
  }

 private:
  std::optional<Value> Evaluate(const Component& component, const AttributeSchema& attribute,
                                const Expression& expression) {
    WarnOfNames(expression);
    if (attribute.ignored) {
      diagnostics_.Warn(expression.span,
                        fmt::format("attribute \"{}\" has no effect", attribute.name));
    }
    if (KnownOf(*component.module, expression) == Known::kNo) return std::nullopt;
    return EvaluateIn(*component.module, expression, SampleExports(), environment_, diagnostics_);
  }

  void WarnOfNames(const Expression& expression) {
    ForEachChain(expression, [this](const Chain& chain) {
      const std::string_view replacement = ReplacementOf(chain.names[0]);
      if (replacement.empty() || chain.names.size() > 1) return;
      std::string message =
          fmt::format("function {} is deprecated, use {} instead", chain.names[0], replacement);
      if (options_.strict) {
        diagnostics_.Error(chain.span, std::move(message));
      } else {
        diagnostics_.Warn(chain.span, std::move(message));
      }
    });
  }

  const Environment& environment_;
  const CheckOptions& options_;
  Diagnostics& diagnostics_;
};

}  // namespace

void CheckComponents(const Program& program, const Environment& environment,
                     const CheckOptions& options, Diagnostics& diagnostics) {
  Checker checker(environment, options, diagnostics);
  for (const Component& component : program.components) checker.Check(component);
}

}  // namespace stoker::config
