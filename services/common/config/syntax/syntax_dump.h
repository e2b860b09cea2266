#pragma once

#include <string>

#include "services/common/config/syntax/ast.h"

namespace stoker::config {

// A syntax tree as text without places, for tests: equal trees give equal texts.
std::string Dump(const Body& body);
std::string Dump(const Expression& expression);

}  // namespace stoker::config
