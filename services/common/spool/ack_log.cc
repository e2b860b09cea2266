#include "services/common/spool/ack_log.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <xxhash.h>

#include "services/common/base/status.h"

namespace stoker::spool {
namespace {

constexpr char kName[] = "/acks";
constexpr char kNewName[] = "/acks.new";
constexpr std::uint64_t kMaxBytes = 1 << 20;
constexpr std::size_t kChecksumDigits = 16;

std::string Line(const std::string& name, std::uint64_t sequence) {
  const std::string text = fmt::format("{} {}", sequence, name);
  return fmt::format("{:016x} {}\n", XXH3_64bits(text.data(), text.size()), text);
}

std::optional<std::pair<std::string, std::uint64_t>> ParseLine(std::string_view line) {
  if (line.size() < kChecksumDigits + 1) return std::nullopt;
  const std::string_view text = line.substr(kChecksumDigits + 1);
  std::uint64_t checksum = 0;
  std::uint64_t sequence = 0;
  std::from_chars(line.data(), line.data() + kChecksumDigits, checksum, 16);
  if (checksum != XXH3_64bits(text.data(), text.size())) return std::nullopt;
  const std::size_t space = text.find(' ');
  if (space == std::string_view::npos) return std::nullopt;
  std::from_chars(text.data(), text.data() + space, sequence);
  return std::pair(std::string(text.substr(space + 1)), sequence);
}

absl::StatusOr<std::string> ReadAll(Env& env, const std::string& path) {
  STOKER_ASSIGN_OR_RETURN(const std::unique_ptr<File> file, env.OpenForRead(path));
  STOKER_ASSIGN_OR_RETURN(const std::uint64_t size, file->Size());
  std::string text(std::min(size, 16 * kMaxBytes), '\0');
  STOKER_ASSIGN_OR_RETURN(const std::size_t got, file->Read(0, text.size(), text.data()));
  text.resize(got);
  return text;
}

}  // namespace

AckLog::AckLog(Env& env, std::string folder) : env_(env), folder_(std::move(folder)) {}

Cursors AckLog::Load(Env& env, const std::string& folder) {
  Cursors cursors;
  const auto text = ReadAll(env, folder + kName);
  std::string_view rest = text.ok() ? std::string_view(*text) : std::string_view();
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find('\n'), rest.size());
    if (auto line = ParseLine(rest.substr(0, end))) {
      std::uint64_t& cursor = cursors[line->first];
      cursor = std::max(cursor, line->second);
    }
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  return cursors;
}

absl::Status AckLog::Write(const Cursors& cursors) {
  if (cursors == written_) return absl::OkStatus();
  const bool gone = std::any_of(written_.begin(), written_.end(),
                                [&](const auto& entry) { return !cursors.contains(entry.first); });
  if (file_ == nullptr || gone || size_ > kMaxBytes) return Rewrite(cursors);
  std::string lines;
  for (const auto& [name, sequence] : cursors) {
    const auto before = written_.find(name);
    if (before == written_.end() || before->second != sequence) lines += Line(name, sequence);
  }
  if (absl::Status status = file_->Append(lines); !status.ok()) {
    file_.reset();
    return status;
  }
  size_ += lines.size();
  written_ = cursors;
  return absl::OkStatus();
}

absl::Status AckLog::Rewrite(const Cursors& cursors) {
  file_.reset();
  (void)env_.Unlink(folder_ + kNewName);
  STOKER_ASSIGN_OR_RETURN(std::unique_ptr<File> file, env_.Create(folder_ + kNewName));
  std::string lines;
  for (const auto& [name, sequence] : cursors) lines += Line(name, sequence);
  STOKER_RETURN_IF_ERROR(file->Append(lines));
  STOKER_RETURN_IF_ERROR(file->Sync());
  STOKER_RETURN_IF_ERROR(env_.Rename(folder_ + kNewName, folder_ + kName));
  STOKER_RETURN_IF_ERROR(env_.SyncFolder(folder_));
  file_ = std::move(file);
  size_ = lines.size();
  written_ = cursors;
  return absl::OkStatus();
}

}  // namespace stoker::spool
