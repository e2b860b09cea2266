#pragma once

#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <absl/status/statusor.h>

#include "services/common/base/unique_fd.h"
#include "services/common/rpc/unix_socket.h"

namespace stoker::rpc {

// Accepts on a Unix socket (see ListenUnix) and hands on the connections of peers that MayConnect;
// others are closed.
class UnixListener {
 public:
  // `serve` takes the connection's descriptor, non-blocking; called on the listener's thread.
  static absl::StatusOr<std::unique_ptr<UnixListener>> Start(const std::string& path,
                                                             std::function<void(UniqueFd)> serve);
  ~UnixListener();

 private:
  UnixListener(ListeningSocket socket, UniqueFd stop, std::string path,
               std::function<void(UniqueFd)> serve);
  void Accept();

  const ListeningSocket socket_;
  const UniqueFd stop_;
  const std::string path_;
  const std::function<void(UniqueFd)> serve_;
  std::thread thread_;
};

}  // namespace stoker::rpc
