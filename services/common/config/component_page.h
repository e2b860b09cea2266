#pragma once

#include <string>
#include <string_view>

#include "services/common/config/components/registry.h"

namespace stoker::config {

// The reference page of a component in Markdown, made from its schema. Sections: usage, arguments,
// blocks, exported fields, component health, debug information, debug metrics, example: `example`
// is a whole configuration.
std::string ComponentPage(const ComponentSchema& component, std::string_view example);

// The file of testdata/ that shows a component at work, without its ending.
std::string_view ExampleOf(std::string_view component);

// The page that lists all of them.
std::string ComponentIndex();

}  // namespace stoker::config
