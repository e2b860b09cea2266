#include "services/common/rpc/unix_listener.h"

#include <cerrno>
#include <cstring>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>

#include "services/common/base/status.h"
#include "services/common/log/log.h"

namespace stoker::rpc {
namespace {

constexpr int kBacklog = 128;

bool IsAlive(const sockaddr_un& address) {
  const UniqueFd probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  return connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

absl::StatusOr<UniqueFd> Listen(const std::string& path) {
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
  // The folder is 0750, so that nobody else could connect before this.
  if (chmod(path.c_str(), 0660) != 0) return ErrnoError(errno, "chmod " + path);
  if (listen(fd.get(), kBacklog) != 0) return ErrnoError(errno, "listen " + path);
  return fd;
}

bool MayConnect(int connection, const std::string& path) {
  ucred peer{};
  socklen_t size = sizeof peer;
  if (getsockopt(connection, SOL_SOCKET, SO_PEERCRED, &peer, &size) != 0) return false;
  if (peer.uid == 0 || peer.uid == geteuid() || peer.gid == getegid()) return true;
  struct stat file{};
  return stat(path.c_str(), &file) == 0 && peer.gid == file.st_gid;
}

}  // namespace

absl::StatusOr<std::unique_ptr<UnixListener>> UnixListener::Start(
    const std::string& path, std::function<void(UniqueFd)> serve) {
  STOKER_ASSIGN_OR_RETURN(UniqueFd socket, Listen(path));
  UniqueFd stop(eventfd(0, EFD_CLOEXEC));
  if (!stop.valid()) return ErrnoError(errno, "eventfd");
  return std::unique_ptr<UnixListener>(
      new UnixListener(std::move(socket), std::move(stop), path, std::move(serve)));
}

UnixListener::UnixListener(UniqueFd socket, UniqueFd stop, std::string path,
                           std::function<void(UniqueFd)> serve)
    : socket_(std::move(socket)),
      stop_(std::move(stop)),
      path_(std::move(path)),
      serve_(std::move(serve)),
      thread_([this] { Accept(); }) {}

UnixListener::~UnixListener() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
  unlink(path_.c_str());
}

void UnixListener::Accept() {
  pollfd fds[] = {{.fd = socket_.get(), .events = POLLIN, .revents = 0},
                  {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
  while (poll(fds, std::size(fds), -1) >= 0 || errno == EINTR) {
    if (fds[1].revents != 0) return;
    UniqueFd connection(accept4(socket_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection.valid()) continue;
    if (MayConnect(connection.get(), path_)) {
      serve_(std::move(connection));
    } else {
      log::Warn("refused a peer that is not of our group", {{"socket", path_}});
    }
  }
}

}  // namespace stoker::rpc
