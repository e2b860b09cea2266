#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

namespace stoker::elf {

// Bytes at offsets, of a file that may be anything and may change while it is read.
class ByteSource {
 public:
  virtual ~ByteSource() = default;

  // As it was when the source was opened.
  [[nodiscard]] virtual std::uint64_t size() const = 0;

  // Fills `bytes` from `offset`. OUT_OF_RANGE when the range is not whole within size(), DATA_LOSS
  // when the file has become shorter.
  virtual absl::Status ReadAt(std::uint64_t offset, std::span<char> bytes) const = 0;

  // `size` bytes from `offset`; nothing is allocated for a range that is not within size().
  [[nodiscard]] absl::StatusOr<std::string> Read(std::uint64_t offset, std::uint64_t size) const;

  // True when [offset, offset + size) lies within size().
  [[nodiscard]] bool Contains(std::uint64_t offset, std::uint64_t size) const;
};

// Reads a descriptor by pread: a mapping would kill the reader when the file is truncated. Borrows
// the descriptor. FAILED_PRECONDITION for what is no regular file (a FIFO, a device).
absl::StatusOr<std::unique_ptr<ByteSource>> OpenFdSource(int fd);

// Borrows `bytes`.
class MemorySource final : public ByteSource {
 public:
  explicit MemorySource(std::string_view bytes) : bytes_(bytes) {}

  [[nodiscard]] std::uint64_t size() const override { return bytes_.size(); }
  absl::Status ReadAt(std::uint64_t offset, std::span<char> bytes) const override;

 private:
  const std::string_view bytes_;
};

}  // namespace stoker::elf
