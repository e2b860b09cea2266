#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace stoker::ebpf::unwind {

// Writes Go's table of functions by hand, for tests.
class FakeGoTable {
 public:
  // 116, 118 or 120: the Go version that introduced the layout, without its dot.
  explicit FakeGoTable(int layout, std::uint64_t text_start = 0)
      : layout_(layout), text_start_(text_start) {}

  // A function of `size` bytes from `entry`, from runtime.text but in layout 116. `deltas`: pairs
  // of sp's distance and the number of bytes for which it holds; none: no table.
  void Function(std::uint64_t entry, std::string_view name, std::uint8_t flags,
                const std::vector<std::pair<int, unsigned>>& deltas) {
    functions_.push_back({entry, Put(names_, std::string(name) + '\0'), flags, Deltas(deltas)});
  }

  // `end`: where the last function ends.
  [[nodiscard]] std::string Bytes(std::uint64_t end) const {
    const bool relative = layout_ != 116;
    const std::uint64_t width = relative ? 4 : 8;
    std::string functions;
    const std::uint64_t index_bytes = (2 * functions_.size() + 1) * width;
    std::string bodies;
    for (const Described& function : functions_) {
      Pad(bodies, 8);
      Number(functions, function.entry, width);
      Number(functions, (index_bytes + 7) / 8 * 8 + bodies.size(), width);
      bodies += Body(function, width);
    }
    Number(functions, end, width);
    Pad(functions, 8);
    functions += bodies;

    std::string header;
    const std::uint32_t magic = layout_ == 116   ? 0xffff'fffa
                                : layout_ == 118 ? 0xffff'fff0
                                                 : 0xffff'fff1;
    Number(header, magic, 4);
    header += std::string("\0\0\1\x08", 4);
    Number(header, functions_.size(), 8);
    Number(header, 0, 8);
    if (relative) Number(header, text_start_, 8);
    const std::uint64_t names_at = header.size() + sizeof(std::uint64_t[5]);
    const std::uint64_t values_at = (names_at + names_.size() + 7) / 8 * 8;
    const std::uint64_t functions_at = (values_at + values_.size() + 7) / 8 * 8;
    for (const std::uint64_t at : {names_at, names_at, names_at, values_at, functions_at}) {
      Number(header, at, 8);
    }
    std::string bytes = header + names_;
    Pad(bytes, 8);
    bytes += values_;
    Pad(bytes, 8);
    return bytes + functions;
  }

  static void Number(std::string& to, std::uint64_t value, std::size_t width) {
    char bytes[8];
    std::memcpy(bytes, &value, sizeof value);
    to.append(bytes, width);
  }

 private:
  struct Described {
    std::uint64_t entry;
    std::uint32_t name;
    std::uint8_t flags;
    std::uint32_t values;
  };

  [[nodiscard]] std::string Body(const Described& function, std::size_t width) const {
    std::string body;
    Number(body, function.entry, width);
    Number(body, function.name, 4);
    body += std::string(8, '\0');  // args, deferreturn
    Number(body, function.values, 4);
    body += std::string(layout_ == 120 ? 20 : 16, '\0');
    body += '\0';
    body += static_cast<char>(function.flags);
    return body + std::string(2, '\0');
  }

  static std::uint32_t Put(std::string& to, std::string_view bytes) {
    const auto at = static_cast<std::uint32_t>(to.size());
    to += bytes;
    return at;
  }
  static void Pad(std::string& bytes, std::size_t to) {
    while (bytes.size() % to != 0) bytes += '\0';
  }
  static void Varint(std::string& to, std::uint32_t value) {
    for (; value >= 0x80; value >>= 7) to += static_cast<char>(value | 0x80);
    to += static_cast<char>(value);
  }

  std::uint32_t Deltas(const std::vector<std::pair<int, unsigned>>& deltas) {
    if (deltas.empty()) return 0;
    std::string table;
    int last = -1;
    for (const auto& [delta, size] : deltas) {
      const auto change = static_cast<std::uint32_t>(delta - last);
      Varint(table, (change << 1) ^ (delta < last ? ~0U : 0U));
      Varint(table, size);
      last = delta;
    }
    return Put(values_, table + '\0');
  }

  const int layout_;
  const std::uint64_t text_start_;
  std::string names_ = std::string(1, '\0');
  std::string values_ = std::string(1, '\0');
  std::vector<Described> functions_;
};

}  // namespace stoker::ebpf::unwind
