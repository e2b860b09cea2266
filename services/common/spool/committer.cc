#include "services/common/spool/committer.h"

#include <utility>

namespace stoker::spool {

Committer::Committer(Spool& spool, std::function<void()> after)
    : spool_(spool), after_(std::move(after)), thread_([this] { Run(); }) {}

Committer::~Committer() {
  stopping_ = true;
  spool_.Wake();
  thread_.join();
}

void Committer::Run() {
  bool last = false;
  while (!last) {
    if (!stopping_) spool_.AwaitPending(absl::Seconds(1));
    last = stopping_;
    spool_.Commit();
    if (after_) after_();
  }
}

}  // namespace stoker::spool
