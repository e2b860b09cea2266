#include "services/common/procfs/process.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <memory>
#include <optional>
#include <string_view>
#include <utility>

#include <dirent.h>
#include <fcntl.h>
#include <unistd.h>

#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"
#include "services/common/base/utf8.h"
#include "services/common/procfs/container_id.h"

namespace stoker::procfs {
namespace {

constexpr std::size_t kMaxStatus = 4 << 10;
constexpr std::size_t kMaxText = 32 << 10;

// Nothing where `text` is no number, or more than one.
template <typename T>
std::optional<T> ParseNumber(std::string_view text) {
  T number{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return number;
}

// At most `max` bytes of a file in `folder`; nothing and errno where it cannot be read.
std::optional<std::string> ReadText(int folder, const char* name, std::size_t max) {
  const UniqueFd file(openat(folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW));
  if (!file.valid()) return std::nullopt;
  std::string text(std::min<std::size_t>(max, 1024), '\0');
  std::size_t size = 0;
  while (true) {
    const ssize_t got = read(file.get(), text.data() + size, text.size() - size);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return std::nullopt;
    size += static_cast<std::size_t>(got);
    if (got == 0 || size == max) break;
    if (size == text.size()) text.resize(std::min(max, 4 * size));
  }
  text.resize(size);
  return text;
}

std::optional<std::string> ReadLink(int folder, const char* name) {
  std::array<char, PATH_MAX> target;
  const ssize_t size = readlinkat(folder, name, target.data(), target.size());
  if (size < 0) return std::nullopt;
  return ToValidUtf8({target.data(), static_cast<std::size_t>(size)});
}

// Field 22 of a stat line. The name in field 2 may hold blanks and parentheses: count from its end.
std::optional<std::uint64_t> StartTicks(std::string_view stat) {
  constexpr int kFieldsBetween = 19;
  std::size_t begin = stat.rfind(')');
  if (begin == std::string_view::npos) return std::nullopt;
  begin = stat.find(' ', begin);
  for (int i = 0; i < kFieldsBetween && begin != std::string_view::npos; ++i) {
    begin = stat.find(' ', begin + 1);
  }
  if (begin == std::string_view::npos) return std::nullopt;
  const std::string_view field = stat.substr(begin + 1);
  return ParseNumber<std::uint64_t>(field.substr(0, field.find_first_of(" \n")));
}

// The first number of the line "Uid:" of /proc/PID/status: the real one.
std::optional<uid_t> RealUid(std::string_view status) {
  constexpr std::string_view kLine = "\nUid:\t";
  const std::size_t begin = status.find(kLine);
  if (begin == std::string_view::npos) return std::nullopt;
  const std::string_view field = status.substr(begin + kLine.size());
  return ParseNumber<uid_t>(field.substr(0, field.find_first_of("\t\n")));
}

// Arguments end with a zero byte each; a process may have overwritten them with anything.
std::string JoinArguments(std::string arguments) {
  while (!arguments.empty() && arguments.back() == '\0') arguments.pop_back();
  std::replace(arguments.begin(), arguments.end(), '\0', ' ');
  return ToValidUtf8(arguments);
}

std::string JoinLines(std::string lines) {
  while (!lines.empty() && lines.back() == '\n') lines.pop_back();
  std::replace(lines.begin(), lines.end(), '\n', '|');
  return ToValidUtf8(lines);
}

// Reads the wanted fields of one process through its folder, which stays the folder of that process
// whatever becomes of its pid.
class FieldReader {
 public:
  FieldReader(int folder, ProcessFields wanted, Process& process)
      : folder_(folder), wanted_(wanted), process_(process) {}

  void Exe() {
    if (!Wants(kExe)) return;
    if (auto exe = Check(kExe, ReadLink(folder_, "exe"))) process_.exe = *std::move(exe);
  }
  void Cwd() {
    if (!Wants(kCwd)) return;
    if (auto cwd = Check(kCwd, ReadLink(folder_, "cwd"))) process_.cwd = *std::move(cwd);
  }
  void Commandline() {
    if (!Wants(kCommandline)) return;
    if (auto arguments = Check(kCommandline, ReadText(folder_, "cmdline", kMaxText))) {
      process_.commandline = JoinArguments(*std::move(arguments));
    }
  }
  void Cgroup() {
    if (!Wants(kCgroup)) return;
    if (auto lines = Check(kCgroup, ReadText(folder_, "cgroup", kMaxText))) {
      process_.container_id = FindContainerId(*lines);
      process_.cgroup = JoinLines(*std::move(lines));
    }
  }
  void Uid() {
    if (!Wants(kUid)) return;
    if (const auto status = Check(kUid, ReadText(folder_, "status", kMaxStatus))) {
      if (const auto uid = RealUid(*status)) {
        process_.uid = *uid;
      } else {
        process_.missing |= kUid;
      }
    }
  }

 private:
  [[nodiscard]] bool Wants(ProcessFields field) const { return (wanted_ & field) != 0; }

  std::optional<std::string> Check(ProcessFields field, std::optional<std::string> value) {
    if (!value) {
      process_.missing |= field;
      if (errno == EACCES || errno == EPERM) process_.denied |= field;
    }
    return value;
  }

  const int folder_;
  const ProcessFields wanted_;
  Process& process_;
};

}  // namespace

absl::StatusOr<std::vector<ProcessReader::Entry>> ProcessReader::List() const {
  const std::unique_ptr<DIR, int (*)(DIR*)> folder(opendir(root_.c_str()), closedir);
  if (folder == nullptr) return ErrnoError(errno, "listing processes in " + root_);
  std::vector<Entry> entries;
  errno = 0;
  while (const dirent* entry = readdir(folder.get())) {
    const char* name = static_cast<const char*>(entry->d_name);
    if (*name < '1' || *name > '9') continue;
    if (const auto pid = ParseNumber<pid_t>(name)) entries.push_back({*pid, entry->d_ino});
  }
  if (errno != 0) return ErrnoError(errno, "listing processes in " + root_);
  return entries;
}

absl::StatusOr<Process> ProcessReader::Read(pid_t pid, ProcessFields wanted) const {
  const std::string path = root_ + '/' + std::to_string(pid);
  const UniqueFd folder(open(path.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
  if (!folder.valid()) return ErrnoError(errno, path);
  const auto stat = ReadText(folder.get(), "stat", kMaxStatus);
  if (!stat)
    return errno == ESRCH ? NotFound("{} is gone", path) : ErrnoError(errno, path + "/stat");
  const auto start_ticks = StartTicks(*stat);
  if (!start_ticks) return DataLoss("{}/stat has no start time", path);
  Process process{.key = {pid, *start_ticks}};
  FieldReader reader(folder.get(), wanted, process);
  reader.Exe();
  reader.Cwd();
  reader.Commandline();
  reader.Cgroup();
  reader.Uid();
  return process;
}

}  // namespace stoker::procfs
