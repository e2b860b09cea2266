#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <absl/status/statusor.h>

#include "services/common/base/unique_fd.h"

namespace stoker::rpc {

// Accepts on a Unix socket and hands on the connections of peers that may speak to us: uid 0, our
// own uid, or a member of the socket's group (SO_PEERCRED: the peer's gid at connect). Others are
// closed. The socket is 0660; a stale file of a process that is gone is replaced, a live one
// refused.
class UnixListener {
 public:
  // `serve` takes the connection's descriptor, non-blocking; called on the listener's thread.
  static absl::StatusOr<std::unique_ptr<UnixListener>> Start(const std::string& path,
                                                             std::function<void(UniqueFd)> serve);
  ~UnixListener();

 private:
  UnixListener(UniqueFd socket, UniqueFd stop, std::string path,
               std::function<void(UniqueFd)> serve);
  void Accept();

  const UniqueFd socket_;
  const UniqueFd stop_;
  const std::string path_;
  const std::function<void(UniqueFd)> serve_;
  std::thread thread_;
};

}  // namespace stoker::rpc
