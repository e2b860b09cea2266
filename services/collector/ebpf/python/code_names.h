#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include <absl/time/time.h>

#include "services/collector/ebpf/python/code_lines.h"
#include "services/collector/ebpf/python/frame_words.h"
#include "services/collector/ebpf/python/python_code.pb.h"

namespace stoker::ebpf {

// The code objects of one Python process that were sampled. Bounded: past kMaxCodes or kMaxBytes
// those that were not sampled since the bound was last reached are forgotten. Used by one thread.
class PythonNames {
 public:
  enum class State {
    // Nobody asked for it, or its answer is not there.
    kUnread,
    kFound,
    // It was freed, or its memory became another's, before it could be read.
    kGone,
    // The process ended before.
    kProcessEnded,
  };
  struct Name {
    State state = State::kUnread;
    // Set when it was found; valid until the next Use.
    const std::string* function = nullptr;
    const std::string* file = nullptr;
    // 0: unknown.
    std::uint32_t line = 0;
  };

  // What a sample brings. True: it is to be asked for now.
  [[nodiscard]] bool Use(const PythonFrame::Code& code, absl::Duration now);

  // What became of asking. A code object that was read before and is not found now keeps its name:
  // what was sampled is what was there.
  void Set(const PythonFrame::Code& code, const PythonCode& read, absl::Duration now);
  // `state` but kFound. True: it keeps its name.
  bool SetMissing(const PythonFrame::Code& code, State state, absl::Duration now);

  [[nodiscard]] Name Find(const PythonFrame& frame) const;

  [[nodiscard]] std::size_t size() const { return young_.codes.size() + old_.codes.size(); }
  [[nodiscard]] std::size_t bytes() const { return young_.bytes + old_.bytes; }

  // Forgets what was not sampled since the last time.
  void Age();

  static constexpr std::size_t kMaxCodes = 16'384;
  static constexpr std::size_t kMaxBytes = std::size_t{16} << 20;

 private:
  struct Entry {
    State state = State::kUnread;
    // Until when an answer is waited for, or what is known is good.
    absl::Duration next_ask;
    std::string function;
    std::shared_ptr<const std::string> file;
    std::uint32_t first_line = 0;
    std::vector<LineRange> lines;
  };
  struct Hash {
    std::size_t operator()(const PythonFrame::Code& code) const {
      return std::hash<std::uint64_t>()(code.address * 31 + code.check);
    }
  };
  struct Generation {
    std::unordered_map<PythonFrame::Code, Entry, Hash> codes;
    // Many code objects are of one file.
    std::unordered_map<std::string, std::shared_ptr<const std::string>> files;
    std::size_t bytes = 0;
  };

  [[nodiscard]] const Entry* Peek(const PythonFrame::Code& code) const;
  Entry& Young(const PythonFrame::Code& code);
  static std::size_t BytesOf(const Entry& entry);

  Generation young_;
  Generation old_;
};

}  // namespace stoker::ebpf
