#pragma once

#include <cstddef>
#include <deque>

#include "services/common/config/graph/module.h"
#include "services/common/config/syntax/ast.h"
#include "services/common/config/syntax/source.h"

namespace stoker::config {

// A configuration after expansion: all that modules and components point into. Addresses are
// stable.
struct Program {
  // Refused above: copies of modules multiply.
  static constexpr std::size_t kMaxComponents = 100'000;

  std::deque<SourceFile> files;
  std::deque<Body> bodies;
  std::deque<Module> modules;
  std::deque<Component> components;
  // Null where the block is left out.
  const Block* stoker = nullptr;
  const Block* logging = nullptr;
};

}  // namespace stoker::config
