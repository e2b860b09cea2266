#include "services/common/rpc/unix_listener.h"

#include <cerrno>
#include <utility>

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>

#include "services/common/base/status.h"
#include "services/common/log/log.h"

namespace stoker::rpc {
namespace {

// Out of descriptors, a waiting connection keeps the socket readable: pause before the next try.
constexpr int kExhaustedPauseMs = 100;

}  // namespace

absl::StatusOr<std::unique_ptr<UnixListener>> UnixListener::Start(
    const std::string& path, std::function<void(UniqueFd)> serve) {
  STOKER_ASSIGN_OR_RETURN(ListeningSocket socket, ListenUnix(path));
  UniqueFd stop(eventfd(0, EFD_CLOEXEC));
  if (!stop.valid()) return ErrnoError(errno, "eventfd");
  return std::unique_ptr<UnixListener>(
      new UnixListener(std::move(socket), std::move(stop), path, std::move(serve)));
}

UnixListener::UnixListener(ListeningSocket socket, UniqueFd stop, std::string path,
                           std::function<void(UniqueFd)> serve)
    : socket_(std::move(socket)),
      stop_(std::move(stop)),
      path_(std::move(path)),
      serve_(std::move(serve)),
      thread_([this] { Accept(); }) {}

UnixListener::~UnixListener() {
  eventfd_write(stop_.get(), 1);
  thread_.join();
  if (!socket_.inherited) unlink(path_.c_str());
}

void UnixListener::Accept() {
  pollfd fds[] = {{.fd = socket_.fd.get(), .events = POLLIN, .revents = 0},
                  {.fd = stop_.get(), .events = POLLIN, .revents = 0}};
  while (poll(fds, std::size(fds), -1) >= 0 || errno == EINTR) {
    if (fds[1].revents != 0) return;
    UniqueFd connection(accept4(socket_.fd.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    if (!connection.valid()) {
      if (errno == EMFILE || errno == ENFILE) poll(&fds[1], 1, kExhaustedPauseMs);
      continue;
    }
    if (MayConnect(connection.get(), path_)) {
      serve_(std::move(connection));
    } else {
      log::Warn("refused a peer that is not of our group", {{"socket", path_}});
    }
  }
}

}  // namespace stoker::rpc
