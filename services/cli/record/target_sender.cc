#include "services/cli/record/target_sender.h"

#include "services/common/model/target.h"

namespace stoker::cli {
namespace {

using target::v1::WatchRequest;
using target::v1::WatchResponse;

// Changes in one message.
constexpr std::size_t kMaxChanges = 1000;

}  // namespace

// One consumer's stream. gRPC's threads and those that call Set use it, under the service's mutex.
class TargetSender::Stream final : public grpc::ServerWriteReactor<WatchResponse> {
 public:
  explicit Stream(TargetSender& sender) : sender_(sender) {}

  // Sends what is new. The first message goes out in any case: it says that the list is whole.
  void Continue() ABSL_EXCLUSIVE_LOCKS_REQUIRED(sender_.mutex_) {
    if (writing_ || finished_) return;
    if (sent_any_ && sent_ == sender_.changes_.size()) return;
    response_.Clear();
    sent_ = sender_.Append(sent_, response_);
    response_.set_synced(sent_ == sender_.changes_.size());
    sent_any_ = true;
    writing_ = true;
    StartWrite(&response_);
  }

  void OnWriteDone(bool ok) override {
    absl::MutexLock lock(&sender_.mutex_);
    writing_ = false;
    if (ok) Continue();
  }

  void OnCancel() override {
    {
      absl::MutexLock lock(&sender_.mutex_);
      finished_ = true;
    }
    Finish(grpc::Status::CANCELLED);
  }

  void OnDone() override {
    {
      absl::MutexLock lock(&sender_.mutex_);
      sender_.streams_.erase(this);
    }
    delete this;
  }

 private:
  TargetSender& sender_;
  WatchResponse response_;
  std::size_t sent_ = 0;
  bool sent_any_ = false;
  bool writing_ = false;
  bool finished_ = false;
};

void TargetSender::Set(pid_t pid, const std::string& name) {
  absl::MutexLock lock(&mutex_);
  std::string& known = names_[pid];
  if (known == name) return;
  known = name;
  changes_.push_back(pid);
  for (Stream* stream : streams_) stream->Continue();
}

std::size_t TargetSender::Append(std::size_t from, WatchResponse& response) const {
  const std::size_t end = std::min(changes_.size(), from + kMaxChanges);
  for (std::size_t i = from; i < end; ++i) {
    const std::string pid = std::to_string(changes_[i]);
    target::v1::Target& target = *response.add_upsert();
    target.set_id(pid);
    // Sorted by name. Without a start time the target is any process of that pid.
    for (const auto& [name, value] :
         {std::pair<std::string, std::string>(model::kProcessPidLabel, pid),
          {"service_name", names_.at(changes_[i])}}) {
      target::v1::Label& label = *target.add_labels();
      label.set_name(name);
      label.set_value(value);
    }
  }
  return end;
}

grpc::ServerWriteReactor<WatchResponse>* TargetSender::Watch(grpc::CallbackServerContext*,
                                                             const WatchRequest*) {
  auto* stream = new Stream(*this);
  absl::MutexLock lock(&mutex_);
  streams_.insert(stream);
  stream->Continue();
  return stream;
}

}  // namespace stoker::cli
