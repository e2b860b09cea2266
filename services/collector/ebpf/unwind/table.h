#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include <absl/status/statusor.h>

#include "services/collector/ebpf/unwind/rule_set.h"
#include "services/collector/ebpf/unwind/table_format.h"

namespace stoker::ebpf::unwind {

// An unwind table, read from its file. Everything in it was checked: numbers lie within what they
// number, and the rules are of known kinds. Immutable; thread-safe.
class Table {
 public:
  // Maps the file, which nobody changes any more. `fd` may be closed afterwards. DATA_LOSS says
  // what does not hold together.
  static absl::StatusOr<std::shared_ptr<const Table>> Open(int fd);
  // Copies `bytes`.
  static absl::StatusOr<std::shared_ptr<const Table>> FromBytes(std::string_view bytes);

  Table(const Table&) = delete;
  Table& operator=(const Table&) = delete;
  ~Table();

  // A page's columns, as bpf/shared/unwind.h describes them.
  struct Page {
    std::span<const stoker_unwind_entry> entries;
    std::span<const std::uint16_t> low;
    // Parallel to `low`; one of the two is empty.
    std::span<const std::uint8_t> narrow_entry;
    std::span<const std::uint16_t> wide_entry;
    // All of it, as the kernel wants it: at most STOKER_UNWIND_MAX_PAGE_BYTES.
    std::span<const std::byte> body;

    // The number of the entry of a row.
    [[nodiscard]] std::uint16_t EntryOf(std::size_t row) const {
      return wide_entry.empty() ? narrow_entry[row] : wide_entry[row];
    }
  };

  [[nodiscard]] const TableHeader& header() const { return *header_; }
  [[nodiscard]] std::span<const Rule> rules() const { return rules_; }
  // Ascending by number.
  [[nodiscard]] std::span<const TablePage> pages() const { return pages_; }
  // The columns of one of pages().
  [[nodiscard]] Page Columns(const TablePage& page) const;
  // The page of that number (ELF virtual address / STOKER_UNWIND_PAGE_BYTES), or nullptr: no code
  // there is described.
  [[nodiscard]] const TablePage* FindPage(std::uint64_t number) const;
  // The rule at an ELF virtual address. For a return address ask one byte before.
  [[nodiscard]] const Rule& Lookup(std::uint64_t address) const;

 private:
  Table() = default;
  absl::Status Check();
  [[nodiscard]] absl::Status CheckPage(const TablePage& page) const;

  std::string_view bytes_;
  // What `bytes_` point into: a mapping or this.
  std::vector<std::uint64_t> copy_;
  bool is_mapped_ = false;
  const TableHeader* header_ = nullptr;
  std::span<const TablePage> pages_;
  std::span<const Rule> rules_;
};

}  // namespace stoker::ebpf::unwind
