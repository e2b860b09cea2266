#pragma once

#include <atomic>
#include <thread>

#include "services/common/spool/spool.h"

namespace stoker::spool {

// The thread that commits a spool: at once when something is pending, so that all that comes while
// the disk is busy shares the next sync; once a second otherwise, for the limits.
class Committer {
 public:
  // Borrows the spool. `after` is called on the thread after each commit.
  explicit Committer(Spool& spool, std::function<void()> after = nullptr);
  // Commits what is pending.
  ~Committer();
  Committer(const Committer&) = delete;
  Committer& operator=(const Committer&) = delete;

 private:
  void Run();

  Spool& spool_;
  const std::function<void()> after_;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace stoker::spool
