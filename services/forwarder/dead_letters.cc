#include "services/forwarder/dead_letters.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "services/common/base/status.h"
#include "services/common/log/log.h"

namespace stoker::forwarder {
namespace {

constexpr std::string_view kProfile = ".profile";
constexpr std::string_view kReason = ".reason";

}  // namespace

DeadLetters::DeadLetters(Env& env, const Clock& clock, std::string folder, std::uint64_t max_bytes)
    : env_(env), clock_(clock), folder_(std::move(folder)), max_bytes_(max_bytes) {
  Load();
}

void DeadLetters::Load() {
  const auto names = env_.List(folder_);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    if (!name.ends_with(kProfile)) continue;
    const auto file = env_.OpenForRead(folder_ + "/" + name);
    const auto size = file.ok() ? (*file)->Size() : file.status();
    letters_.push_back(
        {.name = name.substr(0, name.size() - kProfile.size()), .bytes = size.value_or(0)});
    bytes_ += letters_.back().bytes;
    const std::string& stem = letters_.back().name;
    std::from_chars(stem.data(), stem.data() + stem.size(), last_name_);
  }
}

void DeadLetters::Add(std::string_view profile, const std::string& reason) {
  last_name_ = std::max(last_name_ + 1, absl::ToUnixNanos(clock_.Now()));
  const std::string name = fmt::format("{:020}", last_name_);
  const std::uint64_t bytes = profile.size() + reason.size();
  if (bytes > max_bytes_ || !env_.MakeFolder(folder_).ok()) return;
  while (!letters_.empty() && bytes_ + bytes > max_bytes_) RemoveOldest();
  letters_.push_back({.name = name, .bytes = bytes});
  bytes_ += bytes;
  if (!Write(folder_ + "/" + name + std::string(kProfile), profile) ||
      !Write(folder_ + "/" + name + std::string(kReason), reason)) {
    log::Warn("dead letter not kept", {{"folder", folder_}, {"reason", reason}});
  }
}

bool DeadLetters::Write(const std::string& path, std::string_view contents) {
  auto file = env_.Create(path);
  return file.ok() && (*file)->Append(contents).ok();
}

void DeadLetters::RemoveOldest() {
  const Letter oldest = std::move(letters_.front());
  letters_.pop_front();
  bytes_ -= oldest.bytes;
  for (const std::string_view suffix : {kProfile, kReason}) {
    const absl::Status status = env_.Unlink(folder_ + "/" + oldest.name + std::string(suffix));
    if (!status.ok()) log::Warn("dead letter stays", {{"name", oldest.name}, {"error", status}});
  }
}

}  // namespace stoker::forwarder
