#include "services/collector/ebpf/python/layout.h"

#include <array>
#include <cstring>

#include "services/common/base/status.h"

namespace stoker::ebpf {
namespace {

// Of Include/cpython/{code.h, unicodeobject.h, bytesobject.h} of each version.
constexpr std::array kCodeLayouts = {
    PythonCodeLayout{.version = 0x0308,
                     .filename = 104,
                     .name = 112,
                     .first_line = 40,
                     .line_table = 120,
                     .str_state = 32,
                     .str_length = 16,
                     .str_ascii = 48,
                     .str_other = 72,
                     .bytes_size = 16,
                     .bytes_data = 32},
    PythonCodeLayout{.version = 0x0309,
                     .filename = 104,
                     .name = 112,
                     .first_line = 40,
                     .line_table = 120,
                     .str_state = 32,
                     .str_length = 16,
                     .str_ascii = 48,
                     .str_other = 72,
                     .bytes_size = 16,
                     .bytes_data = 32},
    PythonCodeLayout{.version = 0x030a,
                     .filename = 104,
                     .name = 112,
                     .first_line = 40,
                     .line_table = 120,
                     .str_state = 32,
                     .str_length = 16,
                     .str_ascii = 48,
                     .str_other = 72,
                     .bytes_size = 16,
                     .bytes_data = 32},
    PythonCodeLayout{.version = 0x030b,
                     .filename = 112,
                     .name = 120,
                     .qualname = 128,
                     .first_line = 72,
                     .line_table = 136,
                     .instructions = 184,
                     .str_state = 32,
                     .str_length = 16,
                     .str_ascii = 48,
                     .str_other = 72,
                     .bytes_size = 16,
                     .bytes_data = 32},
    PythonCodeLayout{.version = 0x030c,
                     .filename = 112,
                     .name = 120,
                     .qualname = 128,
                     .first_line = 68,
                     .line_table = 136,
                     .instructions = 192,
                     .str_state = 32,
                     .str_length = 16,
                     .str_ascii = 40,
                     .str_other = 56,
                     .bytes_size = 16,
                     .bytes_data = 32},
};

// Where `_Py_DebugOffsets` has what, in words of 8 bytes: Include/internal/pycore_runtime.h
// of 3.13, pycore_debug_offsets.h of 3.14.
struct Places {
  std::uint16_t version;
  int code;
  int bytes;
  int unicode;
};
constexpr std::array kPlaces = {Places{.version = 0x030d, .code = 34, .bytes = 64, .unicode = 67},
                                Places{.version = 0x030e, .code = 39, .bytes = 74, .unicode = 77}};
constexpr std::string_view kCookie = "xdebugpy";

// No member of what is read lies further into its object.
constexpr std::uint64_t kMaxOffset = 248;

// Takes words, and remembers when one is no offset.
class Words {
 public:
  explicit Words(std::string_view bytes) : bytes_(bytes) {}

  std::uint64_t At(int index) const {
    std::uint64_t word = 0;
    std::memcpy(&word, bytes_.data() + static_cast<std::size_t>(index) * sizeof word, sizeof word);
    return word;
  }
  std::uint16_t Offset(int index) {
    const std::uint64_t word = At(index);
    if (word > kMaxOffset) failed_ = true;
    return static_cast<std::uint16_t>(word);
  }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  const std::string_view bytes_;
  bool failed_ = false;
};

}  // namespace

std::optional<PythonCodeLayout> FindPythonCodeLayout(std::uint16_t version) {
  for (const PythonCodeLayout& layout : kCodeLayouts) {
    if (layout.version == version) return layout;
  }
  return std::nullopt;
}

absl::StatusOr<PythonCodeLayout> ReadPythonCodeLayout(std::string_view bytes) {
  if (bytes.size() < kPythonDebugOffsetsBytes) return InvalidArgument("the runtime is too small");
  if (!bytes.starts_with(kCookie)) return InvalidArgument("the runtime does not tell its offsets");
  Words words(bytes);
  // 0x030d00f0 is 3.13.0 final.
  const auto version = static_cast<std::uint16_t>(words.At(1) >> 16);
  for (const Places& at : kPlaces) {
    if (at.version != version) continue;
    const PythonCodeLayout layout{
        .version = version,
        .filename = words.Offset(at.code + 1),
        .name = words.Offset(at.code + 2),
        .qualname = words.Offset(at.code + 3),
        .first_line = words.Offset(at.code + 5),
        .line_table = words.Offset(at.code + 4),
        .instructions = words.Offset(at.code + 9),
        .str_state = words.Offset(at.unicode + 1),
        .str_length = words.Offset(at.unicode + 2),
        .str_ascii = words.Offset(at.unicode + 3),
        // PyCompactUnicodeObject adds a length and a pointer.
        .str_other = static_cast<std::uint16_t>(words.Offset(at.unicode + 3) + 16),
        .bytes_size = words.Offset(at.bytes + 1),
        .bytes_data = words.Offset(at.bytes + 2)};
    if (words.failed()) return InvalidArgument("offsets that are none");
    return layout;
  }
  return InvalidArgument("offsets of Python {}.{}, which is not known", version >> 8,
                         version & 0xff);
}

}  // namespace stoker::ebpf
