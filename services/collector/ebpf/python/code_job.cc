#include "services/collector/ebpf/python/code_job.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <limits>
#include <optional>
#include <vector>

#include <unistd.h>

#include "services/collector/ebpf/python/code_lines.h"
#include "services/common/base/status.h"
#include "services/common/base/utf8.h"

namespace stoker::ebpf {
namespace {

// No offset within an object lies farther out.
constexpr std::uint32_t kMaxOffset = 512;
constexpr std::uint64_t kMaxCharacters = 4096;
constexpr std::uint64_t kMaxTableBytes = std::uint64_t{1} << 20;

template <typename T>
T Number(std::string_view bytes, std::size_t offset) {
  T number = 0;
  if (offset + sizeof(T) <= bytes.size()) std::memcpy(&number, bytes.data() + offset, sizeof(T));
  return number;
}

// The parts of a code object that tell one from another.
struct Parts {
  std::uint64_t filename = 0;
  std::uint64_t name = 0;
  std::uint64_t line_table = 0;
  std::int32_t first_line = 0;
  bool operator==(const Parts&) const = default;
};

class CodeReader {
 public:
  CodeReader(const PythonCodeRequest& layout, const ReadMemory& memory)
      : layout_(layout), memory_(memory) {}

  std::optional<PythonCode> Read(std::uint64_t address, std::uint32_t check) const {
    const std::optional<Parts> parts = ReadParts(address);
    if (!parts || (static_cast<std::uint32_t>(parts->first_line) & 0x7fffffff) != check) {
      return std::nullopt;
    }
    std::optional<std::string> function = ReadStr(parts->name);
    std::optional<std::string> file = ReadStr(parts->filename);
    if (!function || !file || function->empty()) return std::nullopt;
    const std::string table = ReadTable(parts->line_table);
    // It may have been freed, and its memory become another's, meanwhile.
    if (ReadParts(address) != parts) return std::nullopt;
    PythonCode code;
    code.set_found(true);
    code.set_function(*std::move(function));
    code.set_file(*std::move(file));
    const auto first_line = static_cast<std::uint32_t>(std::max(parts->first_line, 0));
    code.set_first_line(first_line);
    const auto version = static_cast<std::uint16_t>(layout_.version());
    for (const LineRange& range : DecodeLines(version, table, first_line)) {
      code.add_range_start(range.start);
      code.add_range_line(range.line);
    }
    return code;
  }

 private:
  // Fewer where memory ends.
  [[nodiscard]] std::string Bytes(std::uint64_t address, std::size_t size) const {
    std::string bytes(size, '\0');
    bytes.resize(std::min(memory_(address, bytes.data(), size), size));
    return bytes;
  }

  [[nodiscard]] std::optional<Parts> ReadParts(std::uint64_t address) const {
    const std::uint32_t name = layout_.qualname() != 0 ? layout_.qualname() : layout_.name();
    const std::uint32_t last =
        std::max({layout_.filename(), name, layout_.line_table(), layout_.first_line()});
    if (last > kMaxOffset) return std::nullopt;
    const std::string bytes = Bytes(address, last + sizeof(std::uint64_t));
    if (bytes.size() < last + sizeof(std::uint32_t)) return std::nullopt;
    return Parts{.filename = Number<std::uint64_t>(bytes, layout_.filename()),
                 .name = Number<std::uint64_t>(bytes, name),
                 .line_table = Number<std::uint64_t>(bytes, layout_.line_table()),
                 .first_line = Number<std::int32_t>(bytes, layout_.first_line())};
  }

  // A str object's characters; a long one's first ones. None: there is no compact str.
  [[nodiscard]] std::optional<std::string> ReadStr(std::uint64_t address) const {
    const std::uint32_t head = std::max({layout_.str_state(), layout_.str_length(),
                                         layout_.str_ascii(), layout_.str_other()}) +
                               8;
    if (address == 0 || head > kMaxOffset) return std::nullopt;
    // Most strings are short: one read has them.
    const std::string bytes = Bytes(address, std::size_t{head} + 192);
    if (bytes.size() < std::max(layout_.str_state() + 4, layout_.str_length() + 8)) {
      return std::nullopt;
    }
    // Without a global lock `interned` is a byte, else two bits; then come the size of a character,
    // compact and ascii. Such builds have a longer header, too.
    constexpr std::uint32_t kLengthWithoutLock = 32;
    const int shift = layout_.str_length() == kLengthWithoutLock ? 8 : 2;
    const std::uint32_t state = Number<std::uint32_t>(bytes, layout_.str_state()) >> shift;
    const std::uint32_t width = state & 7;
    const bool compact = (state & 8) != 0;
    const bool ascii = (state & 16) != 0;
    if (!compact || (width != 1 && width != 2 && width != 4) || (ascii && width != 1)) {
      return std::nullopt;
    }
    const auto length = Number<std::uint64_t>(bytes, layout_.str_length());
    if (length > std::numeric_limits<std::int32_t>::max()) return std::nullopt;
    const std::uint32_t begin = ascii ? layout_.str_ascii() : layout_.str_other();
    const std::uint64_t size = std::min(length, kMaxCharacters) * width;
    std::string characters;
    if (begin + size <= bytes.size()) {
      characters = bytes.substr(begin, size);
    } else {
      characters = Bytes(address + begin, size);
    }
    if (characters.size() < size) return std::nullopt;
    return ToUtf8(characters, width);
  }

  static std::string ToUtf8(std::string_view characters, std::uint32_t width) {
    std::string text;
    for (std::size_t at = 0; at + width <= characters.size(); at += width) {
      char32_t point = 0;
      std::memcpy(&point, characters.data() + at, width);
      const bool surrogate = point >= 0xD800 && point <= 0xDFFF;
      // A file name that is not UTF-8 has surrogates for its bytes.
      if (surrogate || point > 0x10FFFF) point = kReplacementCharacter;
      AppendCodePoint(point, text);
    }
    return text;
  }

  // A bytes object's content; a long one's beginning. Empty: there is none.
  [[nodiscard]] std::string ReadTable(std::uint64_t address) const {
    if (address == 0 || layout_.bytes_size() > kMaxOffset || layout_.bytes_data() > kMaxOffset) {
      return {};
    }
    const std::string head = Bytes(address + layout_.bytes_size(), 8);
    const auto size = Number<std::uint64_t>(head, 0);
    if (size > std::numeric_limits<std::int32_t>::max()) return {};
    return Bytes(address + layout_.bytes_data(), std::min(size, kMaxTableBytes));
  }

  const PythonCodeRequest& layout_;
  const ReadMemory& memory_;
};

}  // namespace

void FillRequest(const PythonCodeLayout& layout, PythonCodeRequest& request) {
  request.set_version(layout.version);
  request.set_filename(layout.filename);
  request.set_name(layout.name);
  request.set_qualname(layout.qualname);
  request.set_first_line(layout.first_line);
  request.set_line_table(layout.line_table);
  request.set_str_state(layout.str_state);
  request.set_str_length(layout.str_length);
  request.set_str_ascii(layout.str_ascii);
  request.set_str_other(layout.str_other);
  request.set_bytes_size(layout.bytes_size);
  request.set_bytes_data(layout.bytes_data);
}

PythonCodes ReadPythonCodes(const PythonCodeRequest& request, const ReadMemory& memory) {
  const CodeReader reader(request, memory);
  const int count = std::min({request.code_size(), request.check_size(), int{kMaxCodes}});
  PythonCodes answer;
  for (int i = 0; i < count; ++i) {
    std::optional<PythonCode> code = reader.Read(request.code(i), request.check(i));
    *answer.add_codes() = code ? *std::move(code) : PythonCode();
  }
  return answer;
}

absl::StatusOr<std::string> PythonCodeJob(std::span<const int> fds, std::string_view bytes) {
  PythonCodeRequest request;
  if (fds.size() != 1 || !request.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) {
    return InvalidArgument("want one process' memory");
  }
  const ReadMemory memory = [fd = fds[0]](std::uint64_t address, char* into, std::size_t size) {
    if (address > std::numeric_limits<std::int64_t>::max()) return std::size_t{0};
    std::size_t done = 0;
    while (done < size) {
      const ssize_t count = pread(fd, into + done, size - done, static_cast<off_t>(address + done));
      if (count < 0 && errno == EINTR) continue;
      if (count <= 0) break;
      done += static_cast<std::size_t>(count);
    }
    return done;
  };
  return ReadPythonCodes(request, memory).SerializeAsString();
}

}  // namespace stoker::ebpf
