#pragma once

#include <absl/status/status.h>
#include <grpcpp/support/status.h>

namespace stoker::rpc {

// The two code sets are the same numbers.
grpc::Status ToGrpc(const absl::Status& status);
absl::Status FromGrpc(const grpc::Status& status);

}  // namespace stoker::rpc
