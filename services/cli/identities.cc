#include "services/cli/identities.h"

#include <grp.h>
#include <pwd.h>

namespace stoker::cli {

uid_t UidOf(const ProcessSpec& process) {
  const passwd* user = getpwnam(("stoker-" + std::string(process.name)).c_str());
  if (user != nullptr) return user->pw_uid;
  return kFirstReservedUid + static_cast<uid_t>(process.uid_offset);
}

gid_t StokerGid() {
  const group* stoker = getgrnam("stoker");
  return stoker != nullptr ? stoker->gr_gid : kFirstReservedUid;
}

}  // namespace stoker::cli
