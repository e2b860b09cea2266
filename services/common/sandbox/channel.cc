#include "services/common/sandbox/channel.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <ctime>

#include <poll.h>
#include <sys/socket.h>

#include "services/common/base/status.h"

namespace stoker::sandbox {
namespace {

constexpr std::uint32_t kMagic = 0x4a4b5453;  // "STKJ"

struct Header {
  std::uint32_t magic = kMagic;
  std::uint32_t code = 0;
  std::uint64_t deadline_ms = 0;
  std::uint64_t name_bytes = 0;
  std::uint64_t body_bytes = 0;
};

// Waits for `events`; an infinite deadline waits for ever.
absl::Status Wait(int socket, short events, absl::Duration deadline) {
  pollfd item = {.fd = socket, .events = events, .revents = 0};
  while (true) {
    int timeout_ms = -1;
    if (deadline != absl::InfiniteDuration()) {
      const absl::Duration left = deadline - MonotonicNow();
      if (left <= absl::ZeroDuration()) {
        return Error(absl::StatusCode::kDeadlineExceeded, "deadline exceeded");
      }
      // Rounded up: a wait of 0 ms would spin.
      timeout_ms =
          static_cast<int>(std::min<std::int64_t>(absl::ToInt64Milliseconds(left), 60'000)) + 1;
    }
    const int ready = poll(&item, 1, timeout_ms);
    if (ready > 0) return absl::OkStatus();
    if (ready < 0 && errno != EINTR) return ErrnoError(errno, "poll");
  }
}

// True when the call should be made again after a wait.
bool MustWait(int error_number) { return error_number == EAGAIN || error_number == EINTR; }

absl::Status SendBytes(int socket, std::string_view bytes, std::span<const int> fds,
                       absl::Duration deadline) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)] = {};
  while (!bytes.empty()) {
    iovec part = {.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (!fds.empty()) {
      message.msg_control = control;
      message.msg_controllen = CMSG_SPACE(fds.size_bytes());
      cmsghdr* rights = CMSG_FIRSTHDR(&message);
      rights->cmsg_level = SOL_SOCKET;
      rights->cmsg_type = SCM_RIGHTS;
      rights->cmsg_len = CMSG_LEN(fds.size_bytes());
      std::memcpy(CMSG_DATA(rights), fds.data(), fds.size_bytes());
    }
    const ssize_t sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(sent));
      // Descriptors travel with the first byte.
      fds = {};
      continue;
    }
    if (!MustWait(errno)) return Unavailable("the peer is gone: {}", std::strerror(errno));
    STOKER_RETURN_IF_ERROR(Wait(socket, POLLOUT, deadline));
  }
  return absl::OkStatus();
}

void TakeFds(msghdr& message, std::vector<UniqueFd>& fds) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
       part = CMSG_NXTHDR(&message, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int fd = -1;
      std::memcpy(&fd, CMSG_DATA(part) + i * sizeof(int), sizeof fd);
      fds.emplace_back(fd);
    }
  }
}

absl::Status ReceiveBytes(int socket, std::span<char> bytes, std::vector<UniqueFd>* fds,
                          absl::Duration deadline) {
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int) * kMaxFds)];
  while (!bytes.empty()) {
    STOKER_RETURN_IF_ERROR(Wait(socket, POLLIN, deadline));
    iovec part = {.iov_base = bytes.data(), .iov_len = bytes.size()};
    msghdr message = {};
    message.msg_iov = &part;
    message.msg_iovlen = 1;
    if (fds != nullptr) {
      message.msg_control = control;
      message.msg_controllen = sizeof control;
    }
    const ssize_t got = recvmsg(socket, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (got < 0 && MustWait(errno)) continue;
    if (got <= 0) return Unavailable("the peer is gone");
    if (fds != nullptr) TakeFds(message, *fds);
    bytes = bytes.subspan(static_cast<std::size_t>(got));
  }
  return absl::OkStatus();
}

}  // namespace

absl::Duration MonotonicNow() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return absl::DurationFromTimespec(now);
}

absl::Status Send(int socket, const Packet& packet, std::span<const int> fds,
                  absl::Duration deadline) {
  const Header header = {.code = packet.code,
                         .deadline_ms = packet.deadline_ms,
                         .name_bytes = packet.name.size(),
                         .body_bytes = packet.body.size()};
  const std::string_view head(reinterpret_cast<const char*>(&header), sizeof header);
  STOKER_RETURN_IF_ERROR(SendBytes(socket, head, fds, deadline));
  STOKER_RETURN_IF_ERROR(SendBytes(socket, packet.name, {}, deadline));
  return SendBytes(socket, packet.body, {}, deadline);
}

absl::StatusOr<Received> Receive(int socket, std::size_t max_bytes, absl::Duration deadline) {
  Received received;
  Header header;
  STOKER_RETURN_IF_ERROR(ReceiveBytes(socket, {reinterpret_cast<char*>(&header), sizeof header},
                                      &received.fds, deadline));
  if (header.magic != kMagic || header.name_bytes > kMaxNameBytes) {
    return DataLoss("the peer sent no message of this protocol");
  }
  if (header.body_bytes > max_bytes) {
    return DataLoss("the peer sent {} bytes where {} are allowed", header.body_bytes, max_bytes);
  }
  Packet& packet = received.packet;
  packet.code = header.code;
  packet.deadline_ms = header.deadline_ms;
  packet.name.resize(header.name_bytes);
  STOKER_RETURN_IF_ERROR(ReceiveBytes(socket, packet.name, nullptr, deadline));
  packet.body.resize(header.body_bytes);
  STOKER_RETURN_IF_ERROR(ReceiveBytes(socket, packet.body, nullptr, deadline));
  return received;
}

}  // namespace stoker::sandbox
