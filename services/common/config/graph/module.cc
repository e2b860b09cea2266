#include "services/common/config/graph/module.h"

#include <fmt/format.h>

#include "services/common/config/eval/standard_library.h"

namespace stoker::config {
namespace {

std::string JoinNames(const Chain& chain, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) text += (i == 0 ? "" : ".") + std::string(chain.names[i]);
  return text;
}

Reference Failed(std::string error) {
  return {.kind = Reference::Kind::kError, .error = std::move(error)};
}

Reference OfArgument(const Module& module, const Chain& chain) {
  const std::string_view name = chain.names.size() > 1 ? chain.names[1] : "";
  const auto it = module.arguments.find(name);
  if (it == module.arguments.end() || chain.names.size() < 3 || chain.names[2] != "value") {
    return Failed(fmt::format("component \"{}\" does not exist or is out of scope",
                              JoinNames(chain, chain.names.size())));
  }
  return {.kind = Reference::Kind::kExpression,
          .names = 3,
          .expression = it->second.expression,
          .module = it->second.module};
}

Reference OfComponent(const Component& component, const Chain& chain, std::size_t names) {
  if (names >= chain.names.size()) {
    if (component.schema->exports.empty()) {
      return Failed(fmt::format("component \"{}\" has no exports", JoinNames(chain, names)));
    }
    return Failed(fmt::format("component \"{}\" stands alone; an export such as {} is needed",
                              JoinNames(chain, names), component.schema->exports[0].name));
  }
  const ExportSchema* exported = component.schema->FindExport(chain.names[names]);
  if (exported == nullptr) {
    return Failed(fmt::format("field \"{}\" does not exist", chain.names[names]));
  }
  return {.kind = Reference::Kind::kExport,
          .names = names + 1,
          .component = &component,
          .exported = exported};
}

Reference OfInstance(const Module& instance, const Chain& chain, std::size_t names) {
  const std::string_view name = names < chain.names.size() ? chain.names[names] : "";
  const auto it = instance.exports.find(name);
  if (it == instance.exports.end()) {
    return Failed(fmt::format("field \"{}\" does not exist", name));
  }
  return {.kind = Reference::Kind::kExpression,
          .names = names + 1,
          .expression = it->second,
          .module = &instance};
}

// In this module alone.
Reference FindHere(const Module& module, const Chain& chain) {
  const auto variable = module.variables.find(chain.names[0]);
  if (variable != module.variables.end()) {
    return {.kind = Reference::Kind::kVariable, .names = 1, .variable = &variable->second};
  }
  // The longest id that is known.
  constexpr std::size_t kMaxNames = 4;
  for (std::size_t names = std::min(chain.names.size(), kMaxNames); names >= 1; --names) {
    const std::string id = JoinNames(chain, names);
    const auto component = module.components.find(id);
    if (component != module.components.end()) return OfComponent(*component->second, chain, names);
    const auto instance = module.instances.find(id);
    if (instance != module.instances.end()) return OfInstance(*instance->second, chain, names);
  }
  if (chain.names[0] == "argument" && !module.arguments.empty()) return OfArgument(module, chain);
  return {};
}

}  // namespace

Reference FindReference(const Module& module, const Chain& chain) {
  for (const Module* at = &module; at != nullptr; at = at->outer) {
    Reference reference = FindHere(*at, chain);
    if (reference.kind != Reference::Kind::kNone) return reference;
  }
  if (IsStandard(chain.names[0])) return {};
  return Failed(fmt::format("component \"{}\" does not exist or is out of scope",
                            JoinNames(chain, chain.names.size())));
}

}  // namespace stoker::config
