#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "services/store/tree.h"

namespace stoker::store {

// The tree as a graph of functions in Graphviz' language, drawn as pprof's -dot does: a box for
// each function with its own and its whole value, an arrow for each call. Only the `max_nodes`
// functions with the largest value are drawn (0: 100). "" for an empty tree.
std::string EncodeDot(const Tree& tree, std::string_view sample_type, std::string_view unit,
                      std::int64_t max_nodes);

}  // namespace stoker::store
