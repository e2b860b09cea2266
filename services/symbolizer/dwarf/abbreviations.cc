#include "services/symbolizer/dwarf/abbreviations.h"

#include <algorithm>
#include <utility>

#include <dwarf.h>

#include "services/common/elf/cursor.h"

namespace stoker::symbolizer::dwarf {
namespace {

constexpr std::uint64_t kMaxCode = 1 << 16;

}  // namespace

std::optional<Abbreviations> Abbreviations::Read(std::string_view section, std::uint64_t offset) {
  elf::Cursor cursor(section, offset);
  Abbreviations table;
  while (true) {
    const std::uint64_t code = cursor.Unsigned();
    if (code == 0) break;
    if (code > kMaxCode) return std::nullopt;
    if (code >= table.shapes_.size()) table.shapes_.resize(code + 1);
    Shape shape = {.tag = static_cast<std::uint16_t>(cursor.Unsigned()),
                   .has_children = cursor.Byte() != 0,
                   .first = static_cast<std::uint32_t>(table.attributes_.size())};
    while (true) {
      Attribute attribute;
      attribute.name = static_cast<std::uint16_t>(cursor.Unsigned());
      attribute.form = static_cast<std::uint16_t>(cursor.Unsigned());
      if (attribute.form == DW_FORM_implicit_const) attribute.constant = cursor.Signed();
      if (!cursor.ok()) return std::nullopt;
      if (attribute.name == 0 && attribute.form == 0) break;
      shape.has_sibling |= attribute.name == DW_AT_sibling;
      table.attributes_.push_back(attribute);
    }
    shape.count = static_cast<std::uint32_t>(table.attributes_.size()) - shape.first;
    table.shapes_[code] = shape;
  }
  if (!cursor.ok()) return std::nullopt;
  return table;
}

std::shared_ptr<const Abbreviations> AbbreviationCache::Get(std::uint64_t offset) {
  if (const auto known = tables_.find(offset); known != tables_.end()) return known->second;
  std::optional<Abbreviations> table = Abbreviations::Read(section_, offset);
  if (!table.has_value()) return nullptr;
  const std::size_t bytes = table->size_bytes();
  if (bytes_ + bytes > kMaxBytes) {
    tables_.clear();
    bytes_ = 0;
  }
  bytes_ += bytes;
  return tables_[offset] = std::make_shared<const Abbreviations>(*std::move(table));
}

}  // namespace stoker::symbolizer::dwarf
