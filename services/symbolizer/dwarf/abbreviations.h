#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

namespace stoker::symbolizer::dwarf {

// The shapes of the entries of a unit (DWARF 5, 7.5.3): tag, and attributes with their forms.
class Abbreviations {
 public:
  struct Attribute {
    std::uint16_t name = 0;
    std::uint16_t form = 0;
    // Of DW_FORM_implicit_const.
    std::int64_t constant = 0;
  };
  struct Shape {
    std::uint16_t tag = 0;
    bool has_children = false;
    // DW_AT_sibling is among the attributes.
    bool has_sibling = false;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };

  // The table at `offset` of .debug_abbrev. Nothing when it is malformed.
  static std::optional<Abbreviations> Read(std::string_view section, std::uint64_t offset);

  // The shape of a code, or nullptr.
  [[nodiscard]] const Shape* Find(std::uint64_t code) const {
    if (code >= shapes_.size() || shapes_[code].tag == 0) return nullptr;
    return &shapes_[code];
  }
  [[nodiscard]] std::span<const Attribute> Attributes(const Shape& shape) const {
    return std::span(attributes_).subspan(shape.first, shape.count);
  }
  [[nodiscard]] std::size_t size_bytes() const {
    return shapes_.size() * sizeof(Shape) + attributes_.size() * sizeof(Attribute);
  }

 private:
  // By code: compilers number from 1.
  std::vector<Shape> shapes_;
  std::vector<Attribute> attributes_;
};

// Tables by their offsets, read once, as long as they are not too many. Used by one thread.
class AbbreviationCache {
 public:
  explicit AbbreviationCache(std::string_view section) : section_(section) {}

  // Null when the table is malformed.
  std::shared_ptr<const Abbreviations> Get(std::uint64_t offset);

 private:
  static constexpr std::size_t kMaxBytes = std::size_t{32} << 20;

  const std::string_view section_;
  std::map<std::uint64_t, std::shared_ptr<const Abbreviations>> tables_;
  std::size_t bytes_ = 0;
};

}  // namespace stoker::symbolizer::dwarf
