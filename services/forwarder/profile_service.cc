#include "services/forwarder/profile_service.h"

#include <numeric>
#include <utility>
#include <vector>

#include <absl/synchronization/mutex.h>

namespace stoker::forwarder {
namespace {

// Of one stream, taken and not answered. Past it the stream is not read on.
constexpr std::size_t kMaxUnansweredBytes = 16 << 20;

// One stream. gRPC's threads and the committing thread call it; it deletes itself once the stream
// is over and every profile answered.
class PushStream final
    : public grpc::ServerBidiReactor<profile::v1::PushRequest, profile::v1::PushResponse> {
 public:
  explicit PushStream(Forwarder& forwarder) : forwarder_(forwarder) { StartRead(&request_); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Settle([this]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) { read_all_ = true; });
      return;
    }
    profile::v1::PushRequest request;
    request.Swap(&request_);
    std::vector<std::size_t> sizes;
    for (const profile::v1::Profile& profile : request.profiles()) {
      sizes.push_back(profile.ByteSizeLong());
    }
    Settle([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      unanswered_ += sizes.size();
      unanswered_bytes_ += std::accumulate(sizes.begin(), sizes.end(), std::size_t{0});
      reading_ = false;
    });
    for (std::size_t i = 0; i < sizes.size(); ++i) {
      forwarder_.Push(std::move(*request.mutable_profiles(static_cast<int>(i))),
                      [this, bytes = sizes[i]](profile::v1::Answer answer) {
                        OnAnswer(std::move(answer), bytes);
                      });
    }
  }

  void OnWriteDone(bool ok) override {
    Settle([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      writing_ = false;
      broken_ |= !ok;
    });
  }

  void OnDone() override { delete this; }

 private:
  void OnAnswer(profile::v1::Answer answer, std::size_t bytes) {
    Settle([&]() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mutex_) {
      --unanswered_;
      unanswered_bytes_ -= bytes;
      *next_.add_answers() = std::move(answer);
    });
  }

  // Changes the state, then does what it allows: read on, write answers, or end.
  template <typename Change>
  void Settle(Change change) {
    bool read = false;
    bool write = false;
    bool finish = false;
    {
      absl::MutexLock lock(&mutex_);
      change();
      if (broken_) next_.clear_answers();
      read = !read_all_ && !reading_ && unanswered_bytes_ < kMaxUnansweredBytes;
      reading_ |= read;
      write = !writing_ && next_.answers_size() > 0;
      if (write) {
        response_.Clear();
        response_.Swap(&next_);
        writing_ = true;
      }
      finish = !finished_ && read_all_ && !writing_ && unanswered_ == 0;
      finished_ |= finish;
    }
    if (read) StartRead(&request_);
    if (write) StartWrite(&response_);
    if (finish) Finish(grpc::Status::OK);
  }

  Forwarder& forwarder_;
  profile::v1::PushRequest request_;
  profile::v1::PushResponse response_;

  absl::Mutex mutex_;
  profile::v1::PushResponse next_ ABSL_GUARDED_BY(mutex_);
  std::size_t unanswered_ ABSL_GUARDED_BY(mutex_) = 0;
  std::size_t unanswered_bytes_ ABSL_GUARDED_BY(mutex_) = 0;
  bool reading_ ABSL_GUARDED_BY(mutex_) = true;
  bool writing_ ABSL_GUARDED_BY(mutex_) = false;
  bool read_all_ ABSL_GUARDED_BY(mutex_) = false;
  bool broken_ ABSL_GUARDED_BY(mutex_) = false;
  bool finished_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace

grpc::ServerBidiReactor<profile::v1::PushRequest, profile::v1::PushResponse>*
ProfileServiceAdapter::Push(grpc::CallbackServerContext*) {
  return new PushStream(forwarder_);
}

}  // namespace stoker::forwarder
