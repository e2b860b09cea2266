#pragma once

#include <cstdint>
#include <string>

#include "proto/querier/v1/querier.pb.h"
#include "services/store/tree.h"

namespace stoker::store {

// The tree as Pyroscope's API has it: levels of {offset from the end of the node to the left,
// total, self, index of the name}, names numbered as a walk meets them that visits the last child
// first. Past `max_nodes` (0: all) the smallest nodes become one "other" under their parent.
querier::v1::FlameGraph EncodeFlameGraph(const Tree& tree, std::int64_t max_nodes);

// Format TREE: in the same order, of each node uvarint name length, name, uvarint self, uvarint
// number of children. The first is a root without name. "" for an empty tree.
std::string EncodeTree(const Tree& tree, std::int64_t max_nodes);

// Both trees over each other: levels of seven numbers, {offset, total, self} of the left, of the
// right, and the name. A node stays where either side has it among the largest.
querier::v1::FlameGraphDiff EncodeDiff(const Tree& left, const Tree& right, std::int64_t max_nodes);

}  // namespace stoker::store
