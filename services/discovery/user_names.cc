#include "services/discovery/user_names.h"

#include <array>

#include <pwd.h>

namespace stoker::discovery {
namespace {

constexpr absl::Duration kKept = absl::Minutes(10);
// User namespaces can show any number of uids: past this all answers are asked for again.
constexpr std::size_t kMaxAnswers = 4096;

std::string Ask(uid_t uid) {
  passwd entry{};
  passwd* found = nullptr;
  std::array<char, 16 << 10> buffer;
  if (getpwuid_r(uid, &entry, buffer.data(), buffer.size(), &found) != 0 || found == nullptr) {
    return {};
  }
  return found->pw_name;
}

}  // namespace

const std::string& UserNames::NameOf(uid_t uid) {
  const absl::Duration now = clock_.Monotonic();
  const auto known = answers_.find(uid);
  if (known != answers_.end() && now < known->second.until) return known->second.name;
  if (answers_.size() >= kMaxAnswers) answers_.clear();
  Answer& answer = answers_[uid];
  answer = {Ask(uid), now + kKept};
  return answer.name;
}

}  // namespace stoker::discovery
