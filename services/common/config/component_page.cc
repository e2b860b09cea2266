#include "services/common/config/component_page.h"

#include <algorithm>
#include <set>
#include <vector>

#include <fmt/format.h>

namespace stoker::config {
namespace {

// A placeholder for a required value, as the usage shows it.
std::string Placeholder(const AttributeSchema& attribute) {
  if (attribute.type == "list(ProfilesReceiver)") return "RECEIVER_LIST";
  if (attribute.takes_targets) return "TARGET_LIST";
  std::string text = attribute.name;
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; });
  return attribute.type == "string" ? "\"" + text + "\"" : text;
}

std::string Usage(const ComponentSchema& component) {
  std::size_t width = 0;
  for (const AttributeSchema& attribute : component.arguments->attributes()) {
    if (attribute.required) width = std::max(width, attribute.name.size());
  }
  std::string text = fmt::format("## Usage\n\n```alloy\n{} \"LABEL\" {{\n", component.name);
  if (width == 0) text.replace(text.size() - 2, 2, "{ ");
  for (const AttributeSchema& attribute : component.arguments->attributes()) {
    if (!attribute.required) continue;
    text += fmt::format("\t{:<{}} = {}\n", attribute.name, width, Placeholder(attribute));
  }
  return text + "}\n```\n";
}

std::string Attributes(const Schema& schema) {
  std::vector<const AttributeSchema*> ignored;
  std::string rows;
  for (const AttributeSchema& attribute : schema.attributes()) {
    if (attribute.ignored) {
      ignored.push_back(&attribute);
      continue;
    }
    rows += fmt::format("| `{}` | `{}` | {} | {} | {} |\n", attribute.name, attribute.type,
                        attribute.description,
                        attribute.default_text.empty() ? "" : "`" + attribute.default_text + "`",
                        attribute.required ? "yes" : "no");
  }
  std::string text;
  if (!rows.empty()) {
    text = "| Name | Type | Description | Default | Required |\n|---|---|---|---|---|\n" + rows;
  }
  if (ignored.empty()) return text;
  text += rows.empty() ? "" : "\n";
  text += "Accepted without effect:";
  for (const AttributeSchema* attribute : ignored) text += " `" + attribute->name + "`";
  return text + ".\n";
}

// Blocks with their attributes, parents first; a schema that several share is described once.
class Blocks {
 public:
  std::string Describe(const Schema& schema) {
    Walk(schema, "");
    if (rows_.empty()) return "";
    return "\n## Blocks\n\n| Block | Description | Required | Repeated |\n|---|---|---|---|\n" +
           rows_ + details_;
  }

 private:
  void Walk(const Schema& schema, const std::string& parents) {
    for (const BlockSchema& block : schema.blocks()) {
      const std::string path = parents + block.name;
      rows_ += fmt::format("| `{}` | {} | {} | {} |\n", path, block.description,
                           block.required ? "yes" : "no",
                           block.labelled   ? "with a label"
                           : block.repeated ? "yes"
                                            : "no");
      const std::string attributes = Attributes(*block.schema);
      if (described_.insert(block.schema).second && !attributes.empty()) {
        details_ += fmt::format("\n### {}\n\n{}", path, attributes);
      }
      Walk(*block.schema, path + " > ");
    }
  }

  std::set<const Schema*> described_;
  std::string rows_;
  std::string details_;
};

std::string Exports(const ComponentSchema& component) {
  if (component.exports.empty()) {
    return fmt::format("`{}` does not export any fields.\n", component.name);
  }
  std::string text = "| Name | Type | Description |\n|---|---|---|\n";
  for (const ExportSchema& exported : component.exports) {
    std::string_view type = "string";
    if (exported.kind == ExportKind::kTargets) type = "list(map(string))";
    if (exported.kind == ExportKind::kReceiver) type = "ProfilesReceiver";
    if (exported.kind == ExportKind::kRules) type = "RelabelRules";
    text += fmt::format("| `{}` | `{}` | {} |\n", exported.name, type, exported.description);
  }
  return text;
}

std::string RunBy(const ComponentSchema& component) {
  if (component.process.empty()) return "Every process that refers to it runs it itself.";
  return fmt::format("It is run by `{}`.", component.process);
}

struct Section {
  std::string title;
  // What follows the line of the title, to the end of its last line.
  std::string text;
};

// The sections of a text that begins with the first's "## " line.
std::vector<Section> SectionsOf(std::string_view text) {
  constexpr std::string_view kMark = "## ";
  std::vector<Section> sections;
  while (text.starts_with(kMark)) {
    const std::size_t line = std::min(text.find('\n'), text.size() - 1);
    const std::size_t end = std::min(text.find("\n## ", line), text.size() - 1);
    Section& section = sections.emplace_back();
    section.title = text.substr(kMark.size(), line - kMark.size());
    section.text = text.substr(line + 1, end - line);
    // The empty line before the next title.
    if (section.text.ends_with("\n\n")) section.text.pop_back();
    text.remove_prefix(end + 1);
  }
  return sections;
}

}  // namespace

std::string NotesPath(std::string_view component) {
  return fmt::format("services/common/config/notes/{}.md", component);
}

std::string ComponentPage(const ComponentSchema& component, std::string_view example,
                          std::string_view notes) {
  std::vector<Section> noted = SectionsOf(notes);
  std::string text = fmt::format("# {0}\n\n`{0}` {1} {2}\n\n", component.name,
                                 component.description, RunBy(component));
  text += Usage(component);
  text += "\n## Arguments\n\n" + Attributes(*component.arguments);
  text += Blocks().Describe(*component.arguments);
  text += "\n## Exported fields\n\n" + Exports(component);
  const std::vector<Section> made = {
      {"Component health",
       fmt::format(
           "\n`{}` is unhealthy when its arguments are refused or what it does fails; it keeps "
           "its last good arguments and exported fields.\n",
           component.name)},
      {"Debug information",
       "\n`/debug/state` of its process and `stoker status` show its health and state.\n"},
      {"Debug metrics", "\n`/metrics` of its process; the label `component_id` names it.\n"}};
  // In the order of the notes; what they do not have follows at the end.
  for (const Section& section : made) {
    if (std::ranges::find(noted, section.title, &Section::title) == noted.end()) {
      noted.push_back(section);
    }
  }
  for (const Section& section : noted) {
    text += fmt::format("\n## {}\n{}", section.title, section.text);
  }
  text += fmt::format("\n## Example\n\n```alloy\n{}```\n", example);
  return text;
}

std::string_view ExampleOf(std::string_view component) {
  static constexpr std::pair<std::string_view, std::string_view> kExamples[] = {
      {"discovery.docker", "docker_containers"},   {"discovery.http", "scrape_targets"},
      {"discovery.kubernetes", "kubernetes_pods"}, {"discovery.process", "process_discovery"},
      {"discovery.relabel", "kubernetes_pods"},    {"local.file", "local_file"},
      {"pyroscope.ebpf", "process_discovery"},     {"pyroscope.java", "java_processes"},
      {"pyroscope.scrape", "scrape_targets"},      {"pyroscope.write", "static_targets"},
  };
  for (const auto& [name, file] : kExamples) {
    if (name == component) return file;
  }
  return "all_components";
}

std::string ComponentIndex() {
  std::string text =
      "# Components\n\nGenerated from the schemas in services/common/config/components by "
      "`bazel run //services/common/config:component_pages -- docs/reference/components`.\n\n"
      "| Component | What it does | Process |\n|---|---|---|\n";
  for (const ComponentSchema& component : AllComponents()) {
    text += fmt::format("| [{0}]({0}.md) | {1} | {2} |\n", component.name, component.description,
                        component.process.empty() ? "each" : component.process);
  }
  return text;
}

}  // namespace stoker::config
