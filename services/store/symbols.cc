#include "services/store/symbols.h"

#include <algorithm>
#include <array>

#define XXH_INLINE_ALL
#include <xxhash.h>

namespace stoker::store {
namespace {

template <typename... Words>
std::uint64_t HashOf(Words... words) {
  const std::array<std::uint64_t, sizeof...(words)> key = {static_cast<std::uint64_t>(words)...};
  return XXH3_64bits(key.data(), sizeof(key));
}

// Of one pair, for the index that is asked most.
std::uint64_t HashOfPair(std::uint32_t a, std::uint32_t b) {
  const unsigned __int128 product =
      static_cast<unsigned __int128>((std::uint64_t{a} << 32 | b) + 0x9e3779b97f4a7c15) *
      0xd6e8feb86659fd93;
  return static_cast<std::uint64_t>(product >> 64) ^ static_cast<std::uint64_t>(product);
}

template <typename T>
std::uint32_t Next(const std::vector<T>& all) {
  return static_cast<std::uint32_t>(all.size());
}

}  // namespace

std::uint32_t Symbols::InternMapping(const Mapping& mapping) {
  const auto found = mapping_index_.FindOrInsert(
      HashOf(mapping.filename, mapping.build_id, mapping.start, mapping.limit, mapping.offset,
             mapping.flags),
      Next(tables_.mappings), [&](std::uint32_t n) { return tables_.mappings[n] == mapping; });
  if (found.inserted) tables_.mappings.push_back(mapping);
  return found.number;
}

std::uint32_t Symbols::InternFunction(const Function& function) {
  const auto found = function_index_.FindOrInsert(
      HashOf(function.name, function.system_name, function.filename, function.start_line),
      Next(tables_.functions), [&](std::uint32_t n) { return tables_.functions[n] == function; });
  if (found.inserted) tables_.functions.push_back(function);
  return found.number;
}

std::uint32_t Symbols::InternLocation(std::uint32_t mapping, std::uint64_t address,
                                      std::span<const Line> lines) {
  std::uint64_t hash = HashOf(mapping, address);
  for (const Line& line : lines) hash = HashOf(hash, line.function, line.line);
  const auto found =
      location_index_.FindOrInsert(hash, Next(tables_.locations), [&](std::uint32_t n) {
        const Location& other = tables_.locations[n];
        return other.mapping == mapping && other.address == address &&
               std::ranges::equal(LinesOf(other), lines);
      });
  if (found.inserted) {
    tables_.locations.push_back({.mapping = mapping,
                                 .address = address,
                                 .first_line = Next(tables_.lines),
                                 .line_count = static_cast<std::uint32_t>(lines.size())});
    tables_.lines.insert(tables_.lines.end(), lines.begin(), lines.end());
  }
  return found.number;
}

std::uint32_t Symbols::InternStack(std::uint32_t parent, std::uint32_t location) {
  const auto found = stack_index_.FindOrInsert(
      HashOfPair(parent, location), Next(tables_.stacks), [&](std::uint32_t n) {
        return tables_.stacks[n].parent == parent && tables_.stacks[n].location == location;
      });
  if (found.inserted) tables_.stacks.push_back({.parent = parent, .location = location});
  return found.number;
}

std::uint32_t Symbols::InternStack(std::span<const std::uint32_t> locations) {
  std::uint32_t stack = kRoot;
  for (std::size_t i = locations.size(); i-- > 0;) stack = InternStack(stack, locations[i]);
  return stack;
}

std::size_t Symbols::bytes() const {
  constexpr std::size_t kIndexEntry = 24;
  return tables_.strings.bytes() + tables_.strings.size() * (8 + kIndexEntry) +
         tables_.mappings.size() * (sizeof(Mapping) + kIndexEntry) +
         tables_.functions.size() * (sizeof(Function) + kIndexEntry) +
         tables_.locations.size() * (sizeof(Location) + kIndexEntry) +
         tables_.lines.size() * sizeof(Line) +
         tables_.stacks.size() * (sizeof(Stack) + kIndexEntry);
}

}  // namespace stoker::store
