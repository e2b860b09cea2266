#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

namespace stoker::symbolizer {

// The functions of one binary, looked up in a mapped file (table_format.h). Immutable;
// thread-safe. The file is one of our own folder, which nobody else writes; what it says was
// computed from hostile bytes, so every offset in it is checked.
class Table {
 public:
  // DATA_LOSS when the file is damaged, of another version, or no table.
  static absl::StatusOr<std::shared_ptr<const Table>> Open(const std::string& path);
  // Checks bytes that a worker wrote.
  static absl::Status Check(std::string_view bytes);
  ~Table();

  // The index of the range that has `address`, or nothing.
  [[nodiscard]] std::optional<std::uint32_t> Find(std::uint64_t address) const;
  // The name of a range, mangled; empty when the table's offset is wrong.
  [[nodiscard]] std::string_view Name(std::uint32_t range) const;
  // Where its name begins: equal for ranges of one function.
  [[nodiscard]] std::uint32_t NameId(std::uint32_t range) const { return columns_.names[range]; }
  [[nodiscard]] std::uint64_t Begin(std::uint32_t range) const {
    return columns_.base_address + columns_.begins[range];
  }

  [[nodiscard]] std::size_t ranges() const { return columns_.begins.size(); }
  // Of the file, all of which may be in memory.
  [[nodiscard]] std::size_t size_bytes() const { return bytes_.size(); }

 private:
  struct Columns {
    std::uint64_t base_address = 0;
    std::span<const std::uint32_t> begins;
    std::span<const std::uint32_t> ends;
    std::span<const std::uint32_t> names;
    std::string_view strings;
  };
  static absl::StatusOr<Columns> Parse(std::string_view bytes);

  Table(std::string_view bytes, const Columns& columns) : bytes_(bytes), columns_(columns) {}

  const std::string_view bytes_;
  const Columns columns_;
};

}  // namespace stoker::symbolizer
