#include "services/symbolizer/sample_service.h"

#include <deque>

#include <absl/synchronization/mutex.h>

#include "services/common/rpc/status.h"

namespace stoker::symbolizer {
namespace {

using sample::v1::PushRequest;
using sample::v1::PushResponse;

// One stream. gRPC's threads read into `request_` and post it; the core's thread answers. Deletes
// itself on the core's thread, after the core has let go of it.
class PushReactor final : public grpc::ServerBidiReactor<PushRequest, PushResponse>,
                          public Symbolizer::Stream {
 public:
  PushReactor(std::uint64_t number, runtime::CoreThread& thread, Symbolizer& core)
      : number_(number), thread_(thread), core_(core) {
    if (!thread_.Post([this] { core_.OnStream(number_, this); })) {
      Close(absl::UnavailableError("the symbolizer is stopping"));
    }
  }

  void Respond(const PushResponse& response) override {
    absl::MutexLock lock(&mutex_);
    if (finished_) return;
    responses_.push_back(response);
    if (responses_.size() == 1) StartWrite(&responses_.front());
  }

  void ReadMore() override {
    absl::MutexLock lock(&mutex_);
    if (!finished_) StartRead(&request_);
  }

  void Close(const absl::Status& status) override {
    absl::MutexLock lock(&mutex_);
    closing_ = true;
    close_status_ = rpc::ToGrpc(status);
    // What is still to be written, such as the reason of a rejection, goes first.
    if (responses_.empty()) FinishLocked();
  }

  void OnReadDone(bool ok) override {
    if (!ok) return Close(absl::OkStatus());
    const bool posted = thread_.Post([this] { core_.OnMessage(number_, request_); });
    if (!posted) Close(absl::UnavailableError("the symbolizer is stopping"));
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&mutex_);
    responses_.pop_front();
    if (!ok) responses_.clear();
    if (!responses_.empty()) {
      StartWrite(&responses_.front());
    } else if (closing_ || !ok) {
      FinishLocked();
    }
  }

  void OnCancel() override {
    absl::MutexLock lock(&mutex_);
    FinishLocked();
  }

  void OnDone() override {
    const auto end = [this] {
      core_.OnStreamEnd(number_);
      delete this;
    };
    // A stopped core holds no stream.
    if (!thread_.Post(end)) delete this;
  }

 private:
  void FinishLocked() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
    if (finished_) return;
    finished_ = true;
    Finish(close_status_);
  }

  const std::uint64_t number_;
  runtime::CoreThread& thread_;
  Symbolizer& core_;
  // Written by gRPC between ReadMore and OnReadDone, read by the core's thread after that.
  PushRequest request_;

  absl::Mutex mutex_;
  // The first is being written.
  std::deque<PushResponse> responses_ ABSL_GUARDED_BY(mutex_);
  bool closing_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::Status close_status_ ABSL_GUARDED_BY(mutex_);
};

}  // namespace

grpc::ServerBidiReactor<PushRequest, PushResponse>* SampleService::Push(
    grpc::CallbackServerContext*) {
  return new PushReactor(next_number_++, thread_, core_);
}

}  // namespace stoker::symbolizer
