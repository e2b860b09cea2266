#include "services/store/tree.h"

#include <algorithm>
#include <numeric>

#include <xxhash.h>

namespace stoker::store {
namespace {

// Names of a block's locations in a tree's numbering, each asked for once.
class FrameNames {
 public:
  FrameNames(const Symbols& symbols, pprof::StringTable& names)
      : symbols_(symbols),
        names_(names),
        of_function_(symbols.functions().size(), Symbols::kNone),
        of_unresolved_(symbols.locations().size(), Symbols::kNone) {}

  std::uint32_t OfFunction(std::uint32_t function) {
    std::uint32_t& name = of_function_[function];
    if (name == Symbols::kNone) {
      name = names_.Intern(symbols_.String(symbols_.functions()[function].name));
    }
    return name;
  }

  std::uint32_t OfUnresolved(std::uint32_t location) {
    std::uint32_t& name = of_unresolved_[location];
    if (name == Symbols::kNone) {
      name = names_.Intern(UnresolvedName(symbols_, symbols_.locations()[location]));
    }
    return name;
  }

 private:
  const Symbols& symbols_;
  pprof::StringTable& names_;
  std::vector<std::uint32_t> of_function_;
  std::vector<std::uint32_t> of_unresolved_;
};

// The stacks that have a value or lie under one that has.
std::vector<bool> Needed(const std::vector<Symbols::Stack>& stacks,
                         std::span<const std::int64_t> values) {
  std::vector<bool> needed(stacks.size());
  for (std::size_t n = std::min(stacks.size(), values.size()); n-- > 1;) {
    if (values[n] != 0) needed[n] = true;
    if (needed[n]) needed[stacks[n].parent] = true;
  }
  return needed;
}

}  // namespace

std::string UnresolvedName(const Symbols& symbols, const Symbols::Location& location) {
  if (location.mapping == Symbols::kNone) return "[unknown]";
  const std::string_view path = symbols.String(symbols.mappings()[location.mapping].filename);
  const std::string_view base = path.substr(path.rfind('/') + 1);
  if (base.empty()) return "[unknown]";
  // The kernel's own names are bracketed already: [vdso].
  return base.front() == '[' ? std::string(base) : "[" + std::string(base) + "]";
}

std::uint32_t Tree::Child(std::uint32_t parent, std::uint32_t name) {
  const std::uint64_t key = static_cast<std::uint64_t>(parent) << 32 | name;
  const auto found = index_.FindOrInsert(
      XXH3_64bits(&key, sizeof(key)), static_cast<std::uint32_t>(nodes_.size()),
      [&](std::uint32_t n) { return nodes_[n].parent == parent && nodes_[n].name == name; });
  if (found.inserted) nodes_.push_back({.name = name, .parent = parent});
  return found.number;
}

void Tree::Add(const Symbols& symbols, std::span<const std::int64_t> values) {
  const std::vector<Symbols::Stack>& stacks = symbols.stacks();
  const std::vector<bool> needed = Needed(stacks, values);
  FrameNames names(symbols, names_);
  // Stack n ends at this node.
  std::vector<std::uint32_t> node_of(stacks.size(), kRoot);
  for (std::uint32_t n = 1; n < stacks.size(); ++n) {
    if (!needed[n]) continue;
    std::uint32_t node = node_of[stacks[n].parent];
    const Symbols::Location& location = symbols.locations()[stacks[n].location];
    const std::span<const Symbols::Line> lines = symbols.LinesOf(location);
    if (lines.empty()) node = Child(node, names.OfUnresolved(stacks[n].location));
    for (std::size_t i = lines.size(); i-- > 0;) {
      node = Child(node, names.OfFunction(lines[i].function));
    }
    node_of[n] = node;
    nodes_[node].self += values[n];
  }
  if (!values.empty()) nodes_[kRoot].self += values[Symbols::kRoot];
}

void Tree::AddStack(std::span<const std::string_view> names, std::int64_t value) {
  std::uint32_t node = kRoot;
  for (const std::string_view name : names) node = Child(node, names_.Intern(name));
  nodes_[node].self += value;
}

void Tree::Restrict(std::span<const std::string> call_site) {
  // Depth of the common path with the call site, of each node; kOff once it left it.
  constexpr std::uint32_t kOff = UINT32_MAX;
  std::vector<std::uint32_t> depth(nodes_.size(), kOff);
  depth[kRoot] = 0;
  const auto size = static_cast<std::uint32_t>(call_site.size());
  for (std::size_t n = 1; n < nodes_.size(); ++n) {
    const std::uint32_t above = depth[nodes_[n].parent];
    if (above == kOff) continue;
    if (above == size) {
      depth[n] = size;
    } else if (Name(nodes_[n]) == call_site[above]) {
      depth[n] = above + 1;
    }
  }
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    if (depth[n] != size) nodes_[n].self = 0;
  }
}

void Tree::Finish() {
  for (Node& node : nodes_) node.total = node.self;
  for (std::size_t n = nodes_.size(); n-- > 1;) {
    nodes_[nodes_[n].parent].total += nodes_[n].total;
  }
  // What Restrict emptied is not there at all.
  first_child_.assign(nodes_.size() + 1, 0);
  for (std::size_t n = 1; n < nodes_.size(); ++n) {
    if (nodes_[n].total != 0) ++first_child_[nodes_[n].parent + 1];
  }
  std::partial_sum(first_child_.begin(), first_child_.end(), first_child_.begin());
  children_.resize(first_child_.back());
  std::vector<std::uint32_t> next(first_child_.begin(), first_child_.end() - 1);
  for (std::uint32_t n = 1; n < nodes_.size(); ++n) {
    if (nodes_[n].total != 0) children_[next[nodes_[n].parent]++] = n;
  }
  for (std::size_t n = 0; n < nodes_.size(); ++n) {
    std::sort(children_.begin() + first_child_[n], children_.begin() + first_child_[n + 1],
              [&](std::uint32_t a, std::uint32_t b) { return Name(nodes_[a]) < Name(nodes_[b]); });
  }
}

}  // namespace stoker::store
