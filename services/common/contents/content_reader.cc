#include "services/common/contents/content_reader.h"

#include <utility>

#include <absl/strings/ascii.h>

#include "services/common/base/status.h"

namespace stoker::contents {
namespace {

// How soon a change of a watched file is seen, and how exact poll_frequency is.
constexpr absl::Duration kTick = absl::Seconds(1);

absl::Duration Pause(const config::LocalFile& file) {
  return file.detector == config::LocalFile::Detector::kPoll ? file.poll_frequency : kTick;
}
absl::Duration Pause(const config::RemoteHttp& remote) { return remote.poll_frequency; }

std::shared_ptr<http::Client> MakeClient(const config::LocalFile&) { return nullptr; }
std::shared_ptr<http::Client> MakeClient(const config::RemoteHttp& remote) {
  return http::Client::Make(remote.client);
}

absl::StatusOr<std::string> ReadFrom(const config::LocalFile& file, http::Client*,
                                     const config::Environment& environment) {
  return environment.ReadFile(file.filename, config::kMaxContentBytes);
}

absl::StatusOr<std::string> ReadFrom(const config::RemoteHttp& remote, http::Client* client,
                                     const config::Environment&) {
  http::ClientRequest request{.method = remote.method,
                              .url = remote.url,
                              .body = remote.body,
                              .timeout = remote.poll_timeout,
                              .max_body_bytes = config::kMaxContentBytes};
  for (const auto& [name, value] : remote.headers) request.headers.Set(name, value);
  STOKER_ASSIGN_OR_RETURN(const http::Response response, client->Do(std::move(request)));
  if (response.status != 200) return Unavailable("unexpected status code {}", response.status);
  return std::string(absl::StripAsciiWhitespace(response.body));
}

}  // namespace

ContentReader::ContentReader(const config::Environment& environment, Clock& clock, Events events)
    : environment_(environment),
      clock_(clock),
      events_(std::move(events)),
      thread_([this] { Run(); }) {}

ContentReader::~ContentReader() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
  }
  thread_.join();
}

absl::StatusOr<std::string> ContentReader::Read(const std::string& component_id,
                                                const config::LocalFile& file) {
  return ReadEntry(component_id, file);
}

absl::StatusOr<std::string> ContentReader::Read(const std::string& component_id,
                                                const config::RemoteHttp& remote) {
  return ReadEntry(component_id, remote);
}

absl::StatusOr<std::string> ContentReader::ReadEntry(const std::string& component_id,
                                                     const Arguments& arguments) {
  Entry fresh{.arguments = arguments};
  {
    absl::MutexLock lock(&mutex_);
    const auto known = entries_.find(component_id);
    if (known != entries_.end() && known->second.arguments == arguments) {
      known->second.used = true;
      if (!known->second.content) return known->second.status;
      return *known->second.content;
    }
    // With other arguments the last content stays until the first read succeeds.
    if (known != entries_.end()) fresh.content = known->second.content;
  }
  fresh.client = std::visit([](const auto& a) { return MakeClient(a); }, arguments);
  absl::StatusOr<std::string> read = Fetch(fresh);
  absl::MutexLock lock(&mutex_);
  Entry& entry = entries_[component_id];
  entry = std::move(fresh);
  Keep(component_id, entry, std::move(read));
  if (!entry.content) return entry.status;
  return *entry.content;
}

absl::StatusOr<std::string> ContentReader::Fetch(const Entry& entry) const {
  return std::visit([&](const auto& a) { return ReadFrom(a, entry.client.get(), environment_); },
                    entry.arguments);
}

void ContentReader::Keep(const std::string& component_id, Entry& entry,
                         absl::StatusOr<std::string> read) {
  entry.status = read.status();
  if (read.ok()) entry.content = *std::move(read);
  entry.next_read =
      clock_.Monotonic() + std::visit([](const auto& a) { return Pause(a); }, entry.arguments);
  events_.health(component_id, entry.status);
}

void ContentReader::ForgetUnused() {
  absl::MutexLock lock(&mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (std::exchange(entry->second.used, false)) {
      ++entry;
      continue;
    }
    events_.health(entry->first, std::nullopt);
    entry = entries_.erase(entry);
  }
}

void ContentReader::Run() {
  while (true) {
    {
      absl::MutexLock lock(&mutex_);
      if (mutex_.AwaitWithTimeout(absl::Condition(&stopping_), kTick)) return;
    }
    if (ReadDue()) events_.changed();
  }
}

std::vector<std::string> ContentReader::Due() const {
  const absl::Duration now = clock_.Monotonic();
  std::vector<std::string> due;
  absl::MutexLock lock(&mutex_);
  for (const auto& [id, entry] : entries_) {
    if (entry.next_read <= now) due.push_back(id);
  }
  return due;
}

bool ContentReader::ReadDue() {
  bool changed = false;
  for (const std::string& id : Due()) {
    Entry copy;
    {
      absl::MutexLock lock(&mutex_);
      const auto entry = entries_.find(id);
      if (stopping_ || entry == entries_.end()) continue;
      copy = entry->second;
    }
    absl::StatusOr<std::string> read = Fetch(copy);
    absl::MutexLock lock(&mutex_);
    const auto entry = entries_.find(id);
    if (entry == entries_.end() || entry->second.arguments != copy.arguments) continue;
    changed = changed || (read.ok() && entry->second.content != *read);
    Keep(id, entry->second, std::move(read));
  }
  return changed;
}

}  // namespace stoker::contents
