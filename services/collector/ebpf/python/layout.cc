#include "services/collector/ebpf/python/layout.h"

#include <algorithm>
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

// Of Include/internal/{pycore_runtime.h, pycore_interp.h, pycore_frame.h} and
// Include/cpython/{pystate.h, frameobject.h}.
constexpr stoker_python_layout ObjectFrames(std::uint16_t version, std::uint16_t instruction,
                                            std::uint16_t instruction_bytes) {
  return {.version = version,
          .frames = STOKER_PYTHON_OBJECTS,
          .interpreters = 32,
          .interpreter_next = 0,
          .interpreter_threads = 8,
          .thread_bytes = 184,
          .thread_next = 8,
          .thread_interpreter = 16,
          .thread_id = 176,
          .thread_frames = 24,
          .frame_bytes = static_cast<std::uint16_t>(instruction + 8),
          .frame_code = 32,
          .frame_previous = 24,
          .frame_instruction = instruction,
          .code_bytes = 48,
          .code_type = 8,
          .code_first_line = 40,
          .instruction_bytes = instruction_bytes};
}

constexpr std::array kWalkLayouts = {
    ObjectFrames(0x0308, 104, 1),
    ObjectFrames(0x0309, 104, 1),
    ObjectFrames(0x030a, 96, 2),
    stoker_python_layout{.version = 0x030b,
                         .frames = STOKER_PYTHON_MARKED_ENTRY,
                         .interpreters = 40,
                         .interpreter_next = 0,
                         .interpreter_threads = 16,
                         .thread_bytes = 160,
                         .thread_next = 8,
                         .thread_interpreter = 16,
                         .thread_id = 152,
                         .thread_frames = 56,
                         .has_control = 1,
                         .control_frame = 8,
                         .control_previous = 16,
                         .frame_bytes = 72,
                         .frame_code = 32,
                         .frame_previous = 48,
                         .frame_instruction = 56,
                         .frame_owner = 68,
                         .code_bytes = 184,
                         .code_type = 8,
                         .code_first_line = 72,
                         .code_first_traceable = 168,
                         .code_instructions = 184,
                         .instruction_bytes = 2},
    stoker_python_layout{.version = 0x030c,
                         .frames = STOKER_PYTHON_OWN_ENTRY,
                         .interpreters = 40,
                         .interpreter_next = 0,
                         .interpreter_threads = 72,
                         .thread_bytes = 144,
                         .thread_next = 8,
                         .thread_interpreter = 16,
                         .thread_id = 136,
                         .thread_frames = 56,
                         .has_control = 1,
                         .control_frame = 0,
                         .control_previous = 8,
                         .frame_bytes = 72,
                         .frame_code = 0,
                         .frame_previous = 8,
                         .frame_instruction = 56,
                         .frame_owner = 70,
                         .code_bytes = 192,
                         .code_type = 8,
                         .code_first_line = 68,
                         .code_first_traceable = 176,
                         .code_instructions = 192,
                         .instruction_bytes = 2},
};

// Where `_Py_DebugOffsets` has what, in words of 8 bytes: Include/internal/pycore_runtime.h
// of 3.13, pycore_debug_offsets.h of 3.14.
struct Places {
  std::uint16_t version;
  int thread;
  int frame;
  int code;
  int object;
  int bytes;
  int unicode;
};
constexpr std::array kPlaces = {Places{.version = 0x030d,
                                       .thread = 19,
                                       .frame = 28,
                                       .code = 34,
                                       .object = 44,
                                       .bytes = 64,
                                       .unicode = 67},
                                Places{.version = 0x030e,
                                       .thread = 22,
                                       .frame = 31,
                                       .code = 39,
                                       .object = 50,
                                       .bytes = 74,
                                       .unicode = 77}};
constexpr int kFreeThreaded = 2;
constexpr int kInterpretersHead = 5;
constexpr int kInterpreterNext = 8;
constexpr int kInterpreterThreads = 9;
constexpr std::string_view kCookie = "xdebugpy";

// No member of what is read lies further into its object; nor into those that are not read whole.
constexpr std::uint64_t kMaxOffset = STOKER_PYTHON_READ_BYTES - 16;
constexpr std::uint64_t kMaxFarOffset = std::uint64_t{16} << 20;

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
  std::uint32_t FarOffset(int index) {
    const std::uint64_t word = At(index);
    if (word > kMaxFarOffset) failed_ = true;
    return static_cast<std::uint32_t>(word);
  }
  [[nodiscard]] bool failed() const { return failed_; }

 private:
  const std::string_view bytes_;
  bool failed_ = false;
};

// Where `bytes`, the head of a runtime, has what.
absl::StatusOr<Places> FindPlaces(std::string_view bytes) {
  if (bytes.size() < kPythonDebugOffsetsBytes) return InvalidArgument("the runtime is too small");
  if (!bytes.starts_with(kCookie)) return InvalidArgument("the runtime does not tell its offsets");
  // 0x030d00f0 is 3.13.0 final.
  const auto version = static_cast<std::uint16_t>(Words(bytes).At(1) >> 16);
  for (const Places& at : kPlaces) {
    if (at.version == version) return at;
  }
  return InvalidArgument("offsets of Python {}.{}, which is not known", version >> 8,
                         version & 0xff);
}

template <typename Layout>
std::optional<Layout> FindVersion(const auto& layouts, std::uint16_t version) {
  for (const Layout& layout : layouts) {
    if (layout.version == version) return layout;
  }
  return std::nullopt;
}

}  // namespace

std::optional<PythonCodeLayout> FindPythonCodeLayout(std::uint16_t version) {
  return FindVersion<PythonCodeLayout>(kCodeLayouts, version);
}

std::optional<stoker_python_layout> FindPythonWalkLayout(std::uint16_t version) {
  return FindVersion<stoker_python_layout>(kWalkLayouts, version);
}

absl::StatusOr<PythonCodeLayout> ReadPythonCodeLayout(std::string_view bytes) {
  STOKER_ASSIGN_OR_RETURN(const Places at, FindPlaces(bytes));
  Words words(bytes);
  const PythonCodeLayout layout{
      .version = at.version,
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

absl::StatusOr<stoker_python_layout> ReadPythonWalkLayout(std::string_view bytes) {
  STOKER_ASSIGN_OR_RETURN(const Places at, FindPlaces(bytes));
  Words words(bytes);
  if (at.version == 0x030e && words.At(kFreeThreaded) != 0) {
    return InvalidArgument("Python 3.14 without a GIL is not supported");
  }
  const std::uint16_t instructions = words.Offset(at.code + 9);
  stoker_python_layout layout{.version = at.version,
                              .frames = STOKER_PYTHON_OWN_ENTRY,
                              .interpreters = words.FarOffset(kInterpretersHead),
                              .interpreter_next = words.FarOffset(kInterpreterNext),
                              .interpreter_threads = words.FarOffset(kInterpreterThreads),
                              .thread_next = words.Offset(at.thread + 2),
                              .thread_interpreter = words.Offset(at.thread + 3),
                              .thread_id = words.Offset(at.thread + 5),
                              .thread_frames = words.Offset(at.thread + 4),
                              .frame_code = words.Offset(at.frame + 2),
                              .frame_previous = words.Offset(at.frame + 1),
                              .frame_instruction = words.Offset(at.frame + 3),
                              .frame_owner = words.Offset(at.frame + 5),
                              .code_bytes = instructions,
                              .code_type = words.Offset(at.object + 1),
                              .code_first_line = words.Offset(at.code + 5),
                              // Before the first instruction: an int, its padding, and a pointer.
                              .code_first_traceable = static_cast<std::uint16_t>(instructions - 16),
                              .code_instructions = instructions,
                              .instruction_bytes = 2};
  const auto end = [](auto... offsets) {
    // Each is of a word that is read as a whole.
    return static_cast<std::uint16_t>(std::max({offsets...}) / 8 * 8 + 8);
  };
  layout.thread_bytes =
      end(layout.thread_next, layout.thread_interpreter, layout.thread_id, layout.thread_frames);
  layout.frame_bytes =
      end(layout.frame_code, layout.frame_previous, layout.frame_instruction, layout.frame_owner);
  if (words.failed() || instructions < 64 || instructions % 8 != 0 ||
      layout.code_first_line + 4 > instructions || layout.code_type + 8 > instructions) {
    return InvalidArgument("offsets that are none");
  }
  return layout;
}

}  // namespace stoker::ebpf
