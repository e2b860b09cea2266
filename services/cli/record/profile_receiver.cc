#include "services/cli/record/profile_receiver.h"

#include <string>

#include "services/common/base/status.h"

namespace stoker::cli {
namespace {

using profile::v1::PushRequest;
using profile::v1::PushResponse;

// One stream: a message is answered before the next is read, which bounds what waits. gRPC's
// threads call it, one at a time; it deletes itself.
class Stream final : public grpc::ServerBidiReactor<PushRequest, PushResponse> {
 public:
  explicit Stream(ProfileReceiver& receiver) : receiver_(receiver) { StartRead(&request_); }

  void OnReadDone(bool ok) override {
    if (!ok) {
      Finish(grpc::Status::OK);
      return;
    }
    response_.Clear();
    for (const profile::v1::Profile& profile : request_.profiles()) {
      *response_.add_answers() = receiver_.Take(profile);
    }
    StartWrite(&response_);
  }

  // After a failed write the read fails as well.
  void OnWriteDone(bool) override { StartRead(&request_); }

  void OnDone() override { delete this; }

 private:
  ProfileReceiver& receiver_;
  PushRequest request_;
  PushResponse response_;
};

}  // namespace

grpc::ServerBidiReactor<PushRequest, PushResponse>* ProfileReceiver::Push(
    grpc::CallbackServerContext*) {
  return new Stream(*this);
}

profile::v1::Answer ProfileReceiver::Take(const profile::v1::Profile& profile) {
  profile::v1::Answer answer;
  answer.set_id(profile.id());
  absl::MutexLock lock(&mutex_);
  if (taken_.contains(profile.id())) {
    answer.mutable_accepted();
    return answer;
  }
  if (const absl::Status status = recording_.Add(profile); !status.ok()) {
    answer.mutable_rejected()->set_reason("invalid_argument");
    answer.mutable_rejected()->set_message(std::string(Message(status)));
    return answer;
  }
  taken_.insert(profile.id());
  answer.mutable_accepted();
  return answer;
}

}  // namespace stoker::cli
