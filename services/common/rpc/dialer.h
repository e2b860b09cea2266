#pragma once

#include <memory>
#include <string>

#include <grpcpp/channel.h>

namespace stoker::rpc {

// Opens channels. A test gives channels within the process.
class Dialer {
 public:
  virtual ~Dialer() = default;

  // `address` is "unix:/path/to.sock" or "host:port". The channel connects when used, and again
  // after a loss, with at most 1 s between attempts.
  virtual std::shared_ptr<grpc::Channel> Dial(const std::string& address) = 0;
};

class SystemDialer final : public Dialer {
 public:
  std::shared_ptr<grpc::Channel> Dial(const std::string& address) override;
};

}  // namespace stoker::rpc
