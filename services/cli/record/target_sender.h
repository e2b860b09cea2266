#pragma once

#include <map>
#include <set>
#include <string>
#include <vector>

#include <absl/synchronization/mutex.h>
#include <sys/types.h>

#include "proto/target/v1/target_service.grpc.pb.h"

namespace stoker::cli {

// TargetService in discovery's place, for a recording of some processes: whoever watches gets every
// process that was added, under the name it has now. None is taken back: what a process did before
// its end belongs to the recording. Thread-safe.
class TargetSender final : public target::v1::TargetService::CallbackService {
 public:
  // A process to profile, or its new name.
  void Set(pid_t pid, const std::string& name);

  grpc::ServerWriteReactor<target::v1::WatchResponse>* Watch(
      grpc::CallbackServerContext* context, const target::v1::WatchRequest* request) override;

 private:
  class Stream;
  // Adds changes from number `from` on, a message's worth; returns the number after the last.
  std::size_t Append(std::size_t from, target::v1::WatchResponse& response) const
      ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_);

  mutable absl::Mutex mutex_;
  std::map<pid_t, std::string> names_ ABSL_GUARDED_BY(mutex_);
  // Each pid that was added or renamed, in order.
  std::vector<pid_t> changes_ ABSL_GUARDED_BY(mutex_);
  std::set<Stream*> streams_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace stoker::cli
