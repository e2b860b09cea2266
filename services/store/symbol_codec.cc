#include "services/store/symbol_codec.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "services/common/base/status.h"
#include "services/store/varint.h"

namespace stoker::store {
namespace {

// Numbers that may be Symbols::kNone are stored one higher.
std::uint64_t PutOptional(std::uint32_t number) {
  return number == Symbols::kNone ? 0 : std::uint64_t{number} + 1;
}

std::uint32_t GetOptional(VarintReader& reader, std::size_t limit) {
  const std::uint32_t number = reader.GetBelow(limit + 1);
  return number == 0 ? Symbols::kNone : number - 1;
}

// A count of entries of which each takes at least `bytes` bytes: no more than can follow.
std::size_t GetCount(VarintReader& reader, std::size_t bytes) {
  return reader.GetBelow(reader.left() / bytes + 1);
}

void EncodeStrings(const Symbols& symbols, std::string& out) {
  PutVarint(symbols.strings(), out);
  for (std::uint32_t n = 0; n < symbols.strings(); ++n) PutVarint(symbols.String(n).size(), out);
  for (std::uint32_t n = 0; n < symbols.strings(); ++n) out += symbols.String(n);
}

void DecodeStrings(VarintReader& reader, Symbols::Tables& tables) {
  const std::size_t count = GetCount(reader, 1);
  std::vector<std::size_t> ends = {0};
  ends.reserve(count + 1);
  for (std::size_t n = 0; n < count; ++n) {
    ends.push_back(ends.back() + reader.GetBelow(reader.left() + 1));
  }
  const std::string_view bytes = reader.GetBytes(ends.back());
  if (reader.ok()) tables.strings = pprof::StringTable(std::string(bytes), std::move(ends));
}

void EncodeMappings(const Symbols& symbols, std::string& out) {
  PutVarint(symbols.mappings().size(), out);
  for (const Symbols::Mapping& mapping : symbols.mappings()) {
    PutVarint(mapping.filename, out);
    PutVarint(mapping.build_id, out);
    PutVarint(mapping.start, out);
    PutVarint(mapping.limit, out);
    PutVarint(mapping.offset, out);
    PutVarint(mapping.flags, out);
  }
}

void DecodeMappings(VarintReader& reader, Symbols::Tables& tables) {
  tables.mappings.resize(GetCount(reader, 6));
  for (Symbols::Mapping& mapping : tables.mappings) {
    mapping.filename = reader.GetBelow(tables.strings.size());
    mapping.build_id = reader.GetBelow(tables.strings.size());
    mapping.start = reader.Get();
    mapping.limit = reader.Get();
    mapping.offset = reader.Get();
    mapping.flags = static_cast<std::uint32_t>(reader.Get());
  }
}

void EncodeFunctions(const Symbols& symbols, std::string& out) {
  PutVarint(symbols.functions().size(), out);
  for (const Symbols::Function& function : symbols.functions()) PutVarint(function.name, out);
  for (const Symbols::Function& function : symbols.functions()) {
    PutVarint(function.system_name, out);
  }
  for (const Symbols::Function& function : symbols.functions()) PutVarint(function.filename, out);
  for (const Symbols::Function& function : symbols.functions()) {
    PutSigned(function.start_line, out);
  }
}

void DecodeFunctions(VarintReader& reader, Symbols::Tables& tables) {
  const std::size_t strings = tables.strings.size();
  tables.functions.resize(GetCount(reader, 4));
  for (Symbols::Function& function : tables.functions) function.name = reader.GetBelow(strings);
  for (Symbols::Function& function : tables.functions) {
    function.system_name = reader.GetBelow(strings);
  }
  for (Symbols::Function& function : tables.functions) {
    function.filename = reader.GetBelow(strings);
  }
  for (Symbols::Function& function : tables.functions) function.start_line = reader.GetSigned();
}

void EncodeLocations(const Symbols& symbols, std::string& out) {
  PutVarint(symbols.locations().size(), out);
  for (const Symbols::Location& location : symbols.locations()) {
    PutVarint(PutOptional(location.mapping), out);
  }
  for (const Symbols::Location& location : symbols.locations()) PutVarint(location.address, out);
  for (const Symbols::Location& location : symbols.locations()) PutVarint(location.line_count, out);
  for (const Symbols::Line& line : symbols.lines()) PutVarint(line.function, out);
  for (const Symbols::Line& line : symbols.lines()) PutSigned(line.line, out);
}

void DecodeLocations(VarintReader& reader, Symbols::Tables& tables) {
  tables.locations.resize(GetCount(reader, 3));
  for (Symbols::Location& location : tables.locations) {
    location.mapping = GetOptional(reader, tables.mappings.size());
  }
  for (Symbols::Location& location : tables.locations) location.address = reader.Get();
  std::uint32_t lines = 0;
  for (Symbols::Location& location : tables.locations) {
    location.first_line = lines;
    location.line_count = reader.GetBelow(reader.left() - lines + 1);
    lines += location.line_count;
  }
  if (!reader.ok() || lines > reader.left()) lines = 0;
  tables.lines.resize(lines);
  for (Symbols::Line& line : tables.lines) line.function = reader.GetBelow(tables.functions.size());
  for (Symbols::Line& line : tables.lines) line.line = reader.GetSigned();
}

void EncodeStacks(const Symbols& symbols, std::string& out) {
  PutVarint(symbols.stacks().size(), out);
  for (std::uint32_t n = 1; n < symbols.stacks().size(); ++n) {
    PutVarint(n - symbols.stacks()[n].parent, out);
  }
  for (std::uint32_t n = 1; n < symbols.stacks().size(); ++n) {
    PutVarint(symbols.stacks()[n].location, out);
  }
}

void DecodeStacks(VarintReader& reader, Symbols::Tables& tables) {
  // The root is counted but takes no byte.
  const std::size_t count = reader.GetBelow(reader.left() / 2 + 2);
  tables.stacks.resize(std::max<std::size_t>(count, 1));
  for (std::uint32_t n = 1; n < tables.stacks.size(); ++n) {
    // At least one back, at most to the root.
    const std::uint32_t back = reader.GetBelow(std::uint64_t{n} + 1);
    tables.stacks[n].parent = back == 0 ? Symbols::kRoot : n - back;
  }
  for (std::uint32_t n = 1; n < tables.stacks.size(); ++n) {
    tables.stacks[n].location = reader.GetBelow(tables.locations.size());
  }
}

}  // namespace

std::string EncodeSymbols(const Symbols& symbols) {
  std::string out;
  EncodeStrings(symbols, out);
  EncodeMappings(symbols, out);
  EncodeFunctions(symbols, out);
  EncodeLocations(symbols, out);
  EncodeStacks(symbols, out);
  return out;
}

absl::StatusOr<Symbols> DecodeSymbols(std::string_view bytes) {
  VarintReader reader(bytes);
  Symbols::Tables tables;
  DecodeStrings(reader, tables);
  DecodeMappings(reader, tables);
  DecodeFunctions(reader, tables);
  DecodeLocations(reader, tables);
  DecodeStacks(reader, tables);
  if (!reader.ok()) return DataLoss("symbols are damaged");
  return Symbols(std::move(tables));
}

}  // namespace stoker::store
