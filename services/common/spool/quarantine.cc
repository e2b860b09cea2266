#include "services/common/spool/quarantine.h"

#include <algorithm>
#include <utility>

#include "services/common/base/status.h"
#include "services/common/log/log.h"
#include "services/common/spool/format.h"

namespace stoker::spool {

Quarantine::Quarantine(Env& env, const std::string& folder)
    : env_(env), folder_(folder + "/quarantine") {
  absl::MutexLock lock(&mutex_);
  const auto names = env_.List(folder_);
  if (!names.ok()) return;
  for (const std::string& name : *names) {
    const auto file = env_.OpenForRead(folder_ + "/" + name);
    const auto size = file.ok() ? (*file)->Size() : 0;
    room_ -= std::min(room_, size.value_or(0));
  }
}

bool Quarantine::Copy(File& file, std::uint64_t number, std::uint64_t begin, std::uint64_t end) {
  const std::uint64_t size = end - begin;
  {
    absl::MutexLock lock(&mutex_);
    if (!seen_.emplace(number, begin).second) return false;
    if (size > room_) return true;
    room_ -= size;
  }
  Write(file, fmt::format("{}/{}.{:x}", folder_, SegmentName(number), begin), begin, size);
  return true;
}

void Quarantine::Write(File& file, const std::string& path, std::uint64_t begin,
                       std::uint64_t size) {
  if (!env_.MakeFolder(folder_).ok()) return;
  std::string bytes(size, '\0');
  const auto got = file.Read(begin, size, bytes.data());
  auto copy = env_.Create(path);
  if (!got.ok() || !copy.ok()) return;
  const absl::Status status = (*copy)->Append(std::string_view(bytes).substr(0, *got));
  if (!status.ok()) log::Warn("damaged bytes not kept", {{"file", path}, {"error", status}});
}

absl::Status Quarantine::Move(const std::string& path, const std::string& name) {
  STOKER_RETURN_IF_ERROR(env_.MakeFolder(folder_));
  return env_.Rename(path, folder_ + "/" + name);
}

}  // namespace stoker::spool
