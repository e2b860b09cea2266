#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "services/common/config/components/registry.h"
#include "services/common/config/eval/scope.h"
#include "services/common/config/eval/value.h"
#include "services/common/config/syntax/ast.h"

namespace stoker::config {

struct Module;

// One component of a configuration.
struct Component {
  // "pyroscope.write.local"; inside modules with the instance before it: "lib.app.one/…".
  std::string id;
  const ComponentSchema* schema = nullptr;
  const Block* block = nullptr;
  // The names that its expressions see.
  const Module* module = nullptr;
};

// A body with components: the main one, or an instance of a `declare` or `foreach` block.
struct Module {
  struct Argument {
    // Null: the default, or null when there is none.
    const Expression* expression = nullptr;
    // What the expression sees.
    const Module* module = nullptr;
  };

  // Before the ids of its components: "" for the main module.
  std::string prefix;
  // The module whose names are seen too; for foreach.
  const Module* outer = nullptr;
  // By what expressions call them: "pyroscope.write.local".
  std::map<std::string, const Component*, std::less<>> components;
  std::map<std::string, const Module*, std::less<>> instances;
  // Of a declare block, by name; exports are evaluated inside.
  std::map<std::string, Argument, std::less<>> arguments;
  std::map<std::string, const Expression*, std::less<>> exports;
  // The variable of foreach, module_path.
  std::map<std::string, Value, std::less<>> variables;
};

// What the names of an expression stand for.
struct Reference {
  enum class Kind {
    // No name of the configuration: the standard library's, or unknown.
    kNone,
    // An export of `component`.
    kExport,
    // `expression`, seen from `module`; null stands for the value null.
    kExpression,
    kVariable,
    kError,
  };

  Kind kind = Kind::kNone;
  // How many names of the chain it takes.
  std::size_t names = 0;
  const Component* component = nullptr;
  const ExportSchema* exported = nullptr;
  const Expression* expression = nullptr;
  const Module* module = nullptr;
  const Value* variable = nullptr;
  std::string error;
};

Reference FindReference(const Module& module, const Chain& chain);

}  // namespace stoker::config
