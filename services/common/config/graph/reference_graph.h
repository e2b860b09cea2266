#pragma once

#include <functional>
#include <map>
#include <string>
#include <vector>

#include "services/common/config/graph/module.h"
#include "services/common/config/graph/program.h"
#include "services/common/config/syntax/diagnostic.h"

namespace stoker::config {

// Calls `visit` for each export that an expression names, through the arguments and exports of
// modules too. Reports names that do not exist.
using VisitExport = std::function<void(const Component&, const ExportSchema&)>;
void ForEachExport(const Module& module, const Expression& expression, const VisitExport& visit,
                   Diagnostics& diagnostics);

// Checks all references of a program: names that do not exist, deprecated functions, components
// that need themselves. Returns the components, what they depend on first; when there are errors
// the order means nothing.
std::vector<const Component*> OrderComponents(const Program& program, Diagnostics& diagnostics);

}  // namespace stoker::config
