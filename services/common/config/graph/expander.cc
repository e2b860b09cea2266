#include "services/common/config/graph/expander.h"

#include <algorithm>
#include <array>
#include <filesystem>
#include <map>
#include <set>
#include <string_view>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "services/common/base/status.h"
#include "services/common/config/eval/conversion.h"
#include "services/common/config/eval/evaluator.h"
#include "services/common/config/graph/module_scope.h"
#include "services/common/config/syntax/parser.h"

namespace stoker::config {
namespace {

// Of modules in modules and of imports in imports.
constexpr int kMaxDepth = 32;

// The declare blocks that a body may use: its own and those around it, imports by namespace.
struct Library {
  struct Definition {
    const Block* block = nullptr;
    // Where the block stands: what its own body may use.
    const Library* library = nullptr;
    std::string module_path;
  };

  const Library* outer = nullptr;
  std::map<std::string, Definition, std::less<>> declared;
  std::map<std::string, const Library*, std::less<>> imported;
};

const Library::Definition* FindDefinition(const Library& library, std::string_view name) {
  const std::size_t dot = name.find('.');
  for (const Library* at = &library; at != nullptr; at = at->outer) {
    if (dot == std::string_view::npos) {
      const auto it = at->declared.find(name);
      if (it != at->declared.end()) return &it->second;
      continue;
    }
    const auto imported = at->imported.find(name.substr(0, dot));
    if (imported == at->imported.end()) continue;
    const auto it = imported->second->declared.find(name.substr(dot + 1));
    return it == imported->second->declared.end() ? nullptr : &it->second;
  }
  return nullptr;
}

// Accepted at the top, with a warning.
bool IsIgnoredBlock(std::string_view name) {
  return name == "http" || name == "tracing" || name == "livedebugging";
}

bool IsRefusedBlock(std::string_view name) {
  return name == "import.http" || name == "import.git" || name == "remotecfg";
}

bool IsDefinition(std::string_view name) {
  return name == "declare" || name.starts_with("import.");
}

const Attribute* FindAttribute(const Body& body, std::string_view name) {
  for (const Statement& statement : body.statements) {
    const Attribute* attribute = statement.attribute();
    if (attribute != nullptr && attribute->name == name) return attribute;
  }
  return nullptr;
}

class Expander {
 public:
  Expander(const Environment& environment, const ExpanderOptions& options, Program& program,
           Diagnostics& diagnostics)
      : environment_(environment),
        options_(options),
        program_(program),
        diagnostics_(diagnostics) {}

  void ExpandMain(const std::vector<const Body*>& bodies) {
    Module& main = program_.modules.emplace_back();
    main.variables.emplace("module_path", Value(options_.module_path));
    Library& library = libraries_.emplace_back();
    for (const Body* body : bodies) Define(*body, main, library, options_.module_path);
    for (const Body* body : bodies) ExpandBody(*body, main, library);
  }

 private:
  // Where an id was declared first, by module and id.
  using Declared = std::map<std::pair<const Module*, std::string>, Span>;

  // ---- declare and import ----

  void Define(const Body& body, const Module& module, Library& library,
              const std::string& module_path) {
    for (const Statement& statement : body.statements) {
      const Block* block = statement.block();
      if (block == nullptr || !IsDefinition(block->name) || IsRefusedBlock(block->name)) continue;
      if (block->label.empty()) {
        diagnostics_.Error(block->name_span,
                           fmt::format("block \"{}\" requires non-empty label", block->name));
      } else if (block->name == "declare") {
        const bool is_new =
            library.declared
                .emplace(block->label, Library::Definition{block, &library, module_path})
                .second;
        if (!is_new) Duplicate(*block, library.declared.at(block->label).block->name_span);
      } else {
        Import(*block, module, library, module_path);
      }
    }
  }

  void Import(const Block& block, const Module& module, Library& library,
              const std::string& module_path) {
    Library& imported = libraries_.emplace_back();
    if (!library.imported.emplace(block.label, &imported).second) {
      return diagnostics_.Error(
          block.name_span, fmt::format("block {}.{} already declared", block.name, block.label));
    }
    if (++import_depth_ > kMaxDepth) {
      diagnostics_.Error(block.name_span, fmt::format("imports deeper than {}", kMaxDepth));
    } else if (block.name == "import.file") {
      ImportFile(block, module, imported);
    } else if (block.name == "import.string") {
      const std::optional<std::string> content = TextArgument(block, module, "content");
      if (content) ImportText(block.label, *content, module_path, imported);
    } else {
      diagnostics_.Error(block.name_span,
                         fmt::format("cannot find the definition of \"{}\"", block.name));
    }
    --import_depth_;
  }

  void ImportFile(const Block& block, const Module& module, Library& imported) {
    const std::optional<std::string> path = TextArgument(block, module, "filename");
    if (!path) return;
    const auto listed = environment_.ListFolder(*path);
    const std::vector<std::string> files = listed.ok() ? *listed : std::vector{*path};
    for (const std::string& file : files) {
      const auto text = environment_.ReadFile(file, kMaxFileBytes);
      if (!text.ok()) {
        diagnostics_.Error(block.name_span, std::string(Message(text.status())));
        continue;
      }
      ImportText(file, *text, std::filesystem::path(file).parent_path().string(), imported);
    }
  }

  void ImportText(const std::string& name, const std::string& text, const std::string& module_path,
                  Library& imported) {
    const SourceFile& file = program_.files.emplace_back(name, text);
    const Body& body = program_.bodies.emplace_back(ParseFile(file, diagnostics_));
    for (const Statement& statement : body.statements) {
      const Block* block = statement.block();
      if (block == nullptr || !IsDefinition(block->name)) {
        diagnostics_.Error(statement.span(),
                           "only declare and import blocks are allowed in a module");
      }
    }
    Module& names = program_.modules.emplace_back();
    names.variables.emplace("module_path", Value(module_path));
    Define(body, names, imported, module_path);
  }

  // A text that is known now; reports when it is not.
  std::optional<std::string> TextArgument(const Block& block, const Module& module,
                                          std::string_view name) {
    const Attribute* attribute = FindAttribute(block.body, name);
    if (attribute == nullptr) {
      diagnostics_.Error(block.name_span, fmt::format("missing required attribute \"{}\"", name));
      return std::nullopt;
    }
    const std::optional<Value> value = EvaluateNow(attribute->value, module);
    std::string text;
    if (!value) return std::nullopt;
    if (const auto mismatch = ConvertTo(*value, text)) {
      diagnostics_.Error(attribute->value.span, mismatch->message);
      return std::nullopt;
    }
    return text;
  }

  std::optional<Value> EvaluateNow(const Expression& expression, const Module& module) {
    const NoExports exports;
    return EvaluateIn(module, expression, exports, environment_, diagnostics_);
  }

  // ---- components ----

  void ExpandBody(const Body& body, Module& module, const Library& library) {
    for (const Statement& statement : body.statements) {
      if (const Attribute* attribute = statement.attribute()) {
        diagnostics_.Error(attribute->name_span,
                           fmt::format("unrecognized attribute name \"{}\"", attribute->name));
      } else {
        ExpandBlock(*statement.block(), module, library);
      }
    }
  }

  void ExpandBlock(const Block& block, Module& module, const Library& library) {
    if (IsRefusedBlock(block.name)) {
      return diagnostics_.Error(block.name_span,
                                fmt::format("\"{}\" is not supported", block.name));
    }
    if (IsDefinition(block.name)) return;
    if (block.name == "foreach") return ExpandForeach(block, module, library);
    const bool is_setting =
        block.name == "stoker" || block.name == "logging" || IsIgnoredBlock(block.name);
    if (is_setting) return AddSetting(block, module);
    if (const ComponentSchema* schema = FindComponent(block.name)) {
      return AddComponent(block, *schema, module);
    }
    if (const auto* definition = FindDefinition(library, block.name)) {
      return Instantiate(block, *definition, module);
    }
    RefuseUnknown(block);
  }

  void RefuseUnknown(const Block& block) {
    if (!IsForeignFamily(block.name)) {
      return diagnostics_.Error(
          block.name_span,
          fmt::format("cannot find the definition of component name \"{}\"", block.name));
    }
    const std::string family = block.name.substr(0, block.name.find('.'));
    if (options_.skip_unknown) {
      return diagnostics_.Warn(
          block.name_span,
          fmt::format("component \"{}\" of the family {}.* is left out", block.name, family));
    }
    diagnostics_.Error(block.name_span,
                       fmt::format("component \"{}\" of the family {}.* is not part of Stoker; "
                                   "--skip-unknown runs the rest",
                                   block.name, family));
  }

  void AddSetting(const Block& block, const Module& module) {
    if (&module != &program_.modules.front()) {
      return diagnostics_.Error(
          block.name_span, fmt::format("block \"{}\" is not allowed inside a module", block.name));
    }
    if (!block.label.empty()) {
      return diagnostics_.Error(
          block.name_span,
          fmt::format("block \"{}\" does not support specifying labels", block.name));
    }
    if (!DeclareOnce(block, block.name, module)) return;
    if (block.name == "stoker") program_.stoker = &block;
    if (block.name == "logging") program_.logging = &block;
    if (IsIgnoredBlock(block.name)) {
      diagnostics_.Warn(block.name_span, fmt::format("block \"{}\" has no effect", block.name));
    }
  }

  bool DeclareOnce(const Block& block, const std::string& id, const Module& module) {
    const auto [it, is_new] = declared_.try_emplace({&module, id}, block.name_span);
    if (!is_new) {
      diagnostics_.Error(block.name_span,
                         fmt::format("block {} already declared at {}", id, it->second.Place()));
    }
    return is_new;
  }

  void Duplicate(const Block& block, const Span& first) {
    diagnostics_.Error(block.name_span, fmt::format("block {}.{} already declared at {}",
                                                    block.name, block.label, first.Place()));
  }

  bool CheckLabel(const Block& block) {
    if (!block.label.empty()) return true;
    diagnostics_.Error(block.name_span,
                       fmt::format("component \"{}\" must have a label", block.name));
    return false;
  }

  void AddComponent(const Block& block, const ComponentSchema& schema, Module& module) {
    if (!CheckLabel(block)) return;
    const std::string id = block.name + "." + block.label;
    if (!DeclareOnce(block, id, module)) return;
    if (program_.components.size() >= Program::kMaxComponents) {
      if (!too_many_) {
        diagnostics_.Error(block.name_span,
                           fmt::format("more than {} components", Program::kMaxComponents));
      }
      too_many_ = true;
      return;
    }
    module.components[id] =
        &program_.components.emplace_back(Component{module.prefix + id, &schema, &block, &module});
  }

  void Instantiate(const Block& block, const Library::Definition& definition, Module& module) {
    if (!CheckLabel(block)) return;
    const std::string id = block.name + "." + block.label;
    if (!DeclareOnce(block, id, module) || too_many_) return;
    if (++depth_ > kMaxDepth) {
      diagnostics_.Error(block.name_span, fmt::format("modules deeper than {}", kMaxDepth));
    } else {
      Module& inside = program_.modules.emplace_back();
      inside.prefix = module.prefix + id + "/";
      inside.variables.emplace("module_path", Value(definition.module_path));
      module.instances[id] = &inside;
      Bind(block, *definition.block, module, inside);
      Library& library = libraries_.emplace_back(Library{.outer = definition.library});
      Define(definition.block->body, inside, library, definition.module_path);
      ExpandDeclared(definition.block->body, inside, library);
    }
    --depth_;
  }

  // A declare's body: arguments and exports are bound already.
  void ExpandDeclared(const Body& body, Module& inside, const Library& library) {
    for (const Statement& statement : body.statements) {
      const Block* block = statement.block();
      if (block == nullptr) {
        diagnostics_.Error(statement.span(), fmt::format("unrecognized attribute name \"{}\"",
                                                         statement.attribute()->name));
      } else if (block->name != "argument" && block->name != "export") {
        ExpandBlock(*block, inside, library);
      }
    }
  }

  // Binds the attributes of the use to the arguments of the declare block, and finds its exports.
  void Bind(const Block& use, const Block& declare, const Module& outside, Module& inside) {
    std::set<std::string, std::less<>> given;
    for (const Statement& statement : use.body.statements) {
      const Attribute* attribute = statement.attribute();
      if (attribute == nullptr) {
        diagnostics_.Error(statement.block()->name_span,
                           fmt::format("unrecognized block name \"{}\"", statement.block()->name));
        continue;
      }
      if (!given.insert(attribute->name).second) {
        diagnostics_.Error(
            attribute->name_span,
            fmt::format("attribute \"{}\" may only be provided once", attribute->name));
      }
      inside.arguments[attribute->name] = {&attribute->value, &outside};
    }
    std::set<std::string, std::less<>> known;
    for (const Statement& statement : declare.body.statements) {
      const Block* block = statement.block();
      if (block != nullptr && block->name == "argument") {
        known.insert(block->label);
        BindDefault(use, *block, inside);
      } else if (block != nullptr && block->name == "export") {
        const Attribute* value = FindAttribute(block->body, "value");
        if (value == nullptr) {
          diagnostics_.Error(block->name_span, "missing required attribute \"value\"");
        } else {
          inside.exports[block->label] = &value->value;
        }
      }
    }
    for (const Statement& statement : use.body.statements) {
      const Attribute* attribute = statement.attribute();
      if (attribute == nullptr || known.contains(attribute->name)) continue;
      diagnostics_.Error(attribute->name_span,
                         fmt::format("unrecognized attribute name \"{}\"", attribute->name));
    }
  }

  void BindDefault(const Block& use, const Block& argument, Module& inside) {
    if (inside.arguments.contains(argument.label)) return;
    const Attribute* optional = FindAttribute(argument.body, "optional");
    const Attribute* fallback = FindAttribute(argument.body, "default");
    if (optional == nullptr || optional->value.text != "true") {
      diagnostics_.Error(use.name_span,
                         fmt::format("missing required attribute \"{}\"", argument.label));
    }
    inside.arguments[argument.label] = {fallback == nullptr ? nullptr : &fallback->value, &inside};
  }

  // ---- foreach ----

  void ExpandForeach(const Block& block, Module& module, const Library& library) {
    if (!CheckLabel(block) || !DeclareOnce(block, "foreach." + block.label, module)) return;
    const Attribute* collection = FindAttribute(block.body, "collection");
    const std::optional<std::string> variable = TextArgument(block, module, "var");
    const Block* body = nullptr;
    for (const Statement& statement : block.body.statements) {
      if (statement.block() != nullptr && statement.block()->name == "template") {
        body = statement.block();
      }
    }
    if (collection == nullptr) {
      diagnostics_.Error(block.name_span, "missing required attribute \"collection\"");
    }
    if (body == nullptr) diagnostics_.Error(block.name_span, "missing required block \"template\"");
    if (collection == nullptr || body == nullptr || !variable) return;
    const std::optional<Value> items = EvaluateNow(collection->value, module);
    if (!items) return;
    if (items->array() == nullptr) {
      return diagnostics_.Error(collection->value.span, fmt::format("{} should be array, got {}",
                                                                    collection->value.span.text(),
                                                                    TypeName(items->type())));
    }
    if (++depth_ > kMaxDepth) {
      diagnostics_.Error(block.name_span, fmt::format("modules deeper than {}", kMaxDepth));
    } else {
      Unroll(block, *items->array(), *variable, body->body, module, library);
    }
    --depth_;
  }

  void Unroll(const Block& block, const Value::Array& items, const std::string& variable,
              const Body& body, Module& module, const Library& library) {
    std::set<std::string> keys;
    for (std::size_t i = 0; i < items.size() && !too_many_; ++i) {
      // By what it is rather than where it stands, so that ids outlive changes of the list.
      const bool plain = items[i].As<std::string>() != nullptr || items[i].number();
      std::string key = plain ? Print(items[i]) : fmt::to_string(i);
      if (!keys.insert(key).second) key += fmt::format("#{}", i);
      Module& inside = program_.modules.emplace_back();
      inside.prefix = fmt::format("{}foreach.{}/{}/", module.prefix, block.label, key);
      inside.outer = &module;
      inside.variables.emplace(variable, items[i]);
      ExpandBody(body, inside, library);
    }
  }

  const Environment& environment_;
  const ExpanderOptions& options_;
  Program& program_;
  Diagnostics& diagnostics_;
  std::deque<Library> libraries_;
  Declared declared_;
  int depth_ = 0;
  int import_depth_ = 0;
  bool too_many_ = false;
};

}  // namespace

void Expand(const std::vector<const Body*>& bodies, const Environment& environment,
            const ExpanderOptions& options, Program& program, Diagnostics& diagnostics) {
  Expander(environment, options, program, diagnostics).ExpandMain(bodies);
}

}  // namespace stoker::config
