#pragma once

#include <string>
#include <string_view>

#include "services/common/config/components/registry.h"

namespace stoker::config {

// The reference page of a component in Markdown, made from its schema. Sections: usage, arguments,
// blocks, exported fields, component health, debug information, debug metrics, example: `example`
// is a whole configuration. `notes`: sections in Markdown, each from its "## " line, that follow
// the exported fields and take the place of those of their titles; may be empty.
std::string ComponentPage(const ComponentSchema& component, std::string_view example,
                          std::string_view notes);

// Where the notes of a component are, if there are any; in the workspace.
std::string NotesPath(std::string_view component);

// The file of testdata/ that shows a component at work, without its ending.
std::string_view ExampleOf(std::string_view component);

// The page that lists all of them.
std::string ComponentIndex();

}  // namespace stoker::config
