#include "services/common/targets/target_watcher.h"

#include <utility>

#include "services/common/base/status.h"
#include "services/common/log/log.h"
#include "services/common/rpc/backoff.h"
#include "services/common/rpc/status.h"
#include "services/common/wire/target.h"

namespace stoker::targets {
namespace {

constexpr absl::Duration kMinRetry = absl::Milliseconds(100);
constexpr absl::Duration kMaxRetry = absl::Seconds(1);

}  // namespace

TargetWatcher::TargetWatcher(Options options, rpc::Dialer& dialer, Clock& clock, Random& random,
                             std::function<void()> on_change)
    : options_(std::move(options)),
      clock_(clock),
      random_(random),
      on_change_(std::move(on_change)),
      channel_(dialer.Dial(options_.address)),
      list_(options_.linger),
      thread_([this] { Run(); }) {}

TargetWatcher::~TargetWatcher() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }
  thread_.join();
}

model::TargetVector TargetWatcher::Targets() {
  absl::MutexLock lock(&mutex_);
  list_.Expire(clock_.Monotonic());
  return list_.Targets();
}

void TargetWatcher::SetLinger(absl::Duration linger) {
  absl::MutexLock lock(&mutex_);
  list_.SetLinger(linger);
}

TargetWatcher::State TargetWatcher::state() const {
  absl::MutexLock lock(&mutex_);
  State state = state_;
  state.synced = list_.synced();
  state.targets = list_.size();
  state.refused += list_.refused();
  return state;
}

void TargetWatcher::Run() {
  const auto stub = target::v1::TargetService::NewStub(channel_);
  rpc::Backoff backoff(kMinRetry, kMaxRetry, random_);
  while (true) {
    const absl::Status end = Watch(*stub);
    {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      // One line for each change of state, not for each attempt.
      if (state_.status.code() != end.code()) {
        log::Warn("target stream ended; the list stays",
                  {{"component_id", options_.component_id}, {"error", end}});
        backoff.Reset();
      }
      state_.status = end;
    }
    on_change_();
    absl::MutexLock lock(&mutex_);
    mutex_.AwaitWithTimeout(absl::Condition(&stopping_), backoff.Next());
  }
}

absl::Status TargetWatcher::Watch(target::v1::TargetService::Stub& stub) {
  grpc::ClientContext context;
  {
    absl::MutexLock lock(&mutex_);
    if (stopping_) return absl::CancelledError();
    context_ = &context;
    list_.BeginStream();
    ++state_.streams;
  }
  const auto stream = stub.Watch(&context, Request());
  target::v1::WatchResponse response;
  while (stream->Read(&response)) Apply(response);
  const grpc::Status end = stream->Finish();
  absl::MutexLock lock(&mutex_);
  context_ = nullptr;
  return end.ok() ? Unavailable("discovery ended the stream") : rpc::FromGrpc(end);
}

target::v1::WatchRequest TargetWatcher::Request() const {
  target::v1::WatchRequest request;
  request.set_component_id(options_.component_id);
  request.set_argument(options_.argument);
  target::v1::Scope& scope = *request.mutable_scope();
  scope.set_kind(options_.node_name.empty() ? target::v1::Scope::KIND_CLUSTER
                                            : target::v1::Scope::KIND_NODE);
  scope.set_node_name(options_.node_name);
  return request;
}

void TargetWatcher::Apply(const target::v1::WatchResponse& response) {
  TargetList::Change change;
  std::uint64_t refused = 0;
  for (const target::v1::Target& proto : response.upsert()) {
    if (absl::StatusOr<model::Target> target = wire::FromProto(proto); target.ok()) {
      change.upsert.push_back(*std::move(target));
    } else {
      ++refused;
    }
  }
  change.remove.assign(response.remove().begin(), response.remove().end());
  change.synced = response.synced();
  {
    absl::MutexLock lock(&mutex_);
    state_.refused += refused;
    state_.status = absl::OkStatus();
    list_.Apply(std::move(change), clock_.Monotonic());
  }
  on_change_();
}

}  // namespace stoker::targets
