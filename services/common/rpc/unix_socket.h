#pragma once

#include <string>

#include <absl/status/statusor.h>

#include "services/common/base/unique_fd.h"

namespace stoker::rpc {

// A Unix socket that listens, non-blocking.
struct ListeningSocket {
  UniqueFd fd;
  // Handed down by the supervisor, which keeps it open: a client that connects while the process is
  // started again waits instead of being refused. Its file is then not ours to remove.
  bool inherited = false;
};

// Listens on `path` with mode 0660: the socket that STOKER_SOCKETS hands down for that path, or a
// new one. A stale file of a process that is gone is replaced; ALREADY_EXISTS for a live one.
absl::StatusOr<ListeningSocket> ListenUnix(const std::string& path);

// Makes a socket for another process: as ListenUnix, never an inherited one.
absl::StatusOr<UniqueFd> BindUnix(const std::string& path);

// "path=fd" pairs, separated by ':'. Paths of sockets hold neither character.
inline constexpr char kSocketsVariable[] = "STOKER_SOCKETS";

// Whether the peer of `connection` may speak to us: uid 0, our own uid, our gid, or the gid of the
// socket's file (SO_PEERCRED: what the peer was when it connected).
bool MayConnect(int connection, const std::string& path);

}  // namespace stoker::rpc
