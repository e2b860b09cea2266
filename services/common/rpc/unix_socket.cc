#include "services/common/rpc/unix_socket.h"

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "services/common/base/status.h"

namespace stoker::rpc {
namespace {

constexpr int kBacklog = 128;

bool IsAlive(const sockaddr_un& address) {
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

// The descriptor that the variable names for `path`, as a copy of ours; invalid when there is none.
UniqueFd Inherited(std::string_view path) {
  const char* variable = std::getenv(kSocketsVariable);
  std::string_view rest = variable == nullptr ? "" : variable;
  while (!rest.empty()) {
    const std::string_view pair = rest.substr(0, rest.find(':'));
    rest.remove_prefix(std::min(pair.size() + 1, rest.size()));
    const std::size_t equals = pair.rfind('=');
    if (equals == std::string_view::npos || pair.substr(0, equals) != path) continue;
    return UniqueFd(
        fcntl(std::atoi(std::string(pair.substr(equals + 1)).c_str()), F_DUPFD_CLOEXEC, 0));
  }
  return {};
}

}  // namespace

absl::StatusOr<UniqueFd> BindUnix(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  if (path.size() >= sizeof address.sun_path) {
    return InvalidArgument("socket {}: the path is longer than {} bytes", path,
                           sizeof address.sun_path - 1);
  }
  std::memcpy(address.sun_path, path.c_str(), path.size() + 1);
  if (IsAlive(address)) {
    return Error(absl::StatusCode::kAlreadyExists,
                 "socket {} is in use by another process: choose another --run-dir", path);
  }
  unlink(path.c_str());
  UniqueFd fd(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  if (!fd.valid()) return ErrnoError(errno, "socket " + path);
  if (bind(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    return ErrnoError(errno, "bind " + path);
  }
  // The folder lets nobody else in, so that none could connect before this.
  if (chmod(path.c_str(), 0660) != 0) return ErrnoError(errno, "chmod " + path);
  if (listen(fd.get(), kBacklog) != 0) return ErrnoError(errno, "listen " + path);
  return fd;
}

absl::StatusOr<ListeningSocket> ListenUnix(const std::string& path) {
  if (UniqueFd fd = Inherited(path); fd.valid()) return ListeningSocket{std::move(fd), true};
  STOKER_ASSIGN_OR_RETURN(UniqueFd fd, BindUnix(path));
  return ListeningSocket{std::move(fd), false};
}

bool MayConnect(int connection, const std::string& path) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  if (peer.uid == 0 || peer.uid == geteuid() || peer.gid == getegid()) return true;
  struct stat file{};
  return stat(path.c_str(), &file) == 0 && peer.gid == file.st_gid;
}

}  // namespace stoker::rpc
