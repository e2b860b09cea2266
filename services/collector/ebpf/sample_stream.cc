#include "services/collector/ebpf/sample_stream.h"

#include <utility>

#include <absl/time/clock.h>

#include "services/common/log/log.h"
#include "services/common/rpc/backoff.h"
#include "services/common/rpc/status.h"
#include "services/common/wire/raw_stack_encoder.h"

namespace stoker::ebpf {
namespace {

constexpr absl::Duration kMinBackoff = absl::Milliseconds(100);
constexpr absl::Duration kMaxBackoff = absl::Seconds(2);
constexpr absl::Duration kProgressInterval = absl::Seconds(1);

}  // namespace

SampleStream::SampleStream(Options options, rpc::Dialer& dialer, Random& random, BatchQueue& queue,
                           std::function<std::uint64_t()> samples_taken)
    : options_(std::move(options)),
      random_(random),
      queue_(queue),
      samples_taken_(std::move(samples_taken)),
      channel_(dialer.Dial(options_.address)),
      thread_([this] { Run(); }) {}

SampleStream::~SampleStream() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    if (context_ != nullptr) context_->TryCancel();
  }
  queue_.Close();
  thread_.join();
}

absl::Status SampleStream::status() const {
  absl::MutexLock lock(&mutex_);
  return status_;
}

void SampleStream::Run() {
  rpc::Backoff backoff(kMinBackoff, kMaxBackoff, random_);
  while (true) {
    const absl::Time start = absl::Now();
    const absl::Status status = RunStream();
    if (absl::Now() - start > kMaxBackoff) backoff.Reset();
    absl::MutexLock lock(&mutex_);
    if (stopping_) return;
    if (status_.ok()) {
      log::Warn("stream to the symbolizer ended",
                {{"component_id", options_.hello.component_id()}, {"error", status}});
    }
    status_ = status;
    mutex_.AwaitWithTimeout(absl::Condition(&stopping_), backoff.Next());
    if (stopping_) return;
  }
}

bool SampleStream::Begin(grpc::ClientContext* context) {
  absl::MutexLock lock(&mutex_);
  if (stopping_) return false;
  context_ = context;
  return true;
}

absl::Status SampleStream::RunStream() {
  grpc::ClientContext context;
  if (!Begin(&context)) return absl::OkStatus();
  const auto stub = sample::v1::SampleService::NewStub(channel_);
  const std::unique_ptr<Stream> stream = stub->Push(&context);
  std::atomic<bool> ended = false;
  std::thread reader([&] {
    sample::v1::PushResponse response;
    while (stream->Read(&response)) queue_.Apply(response);
    ended = true;
    // A writer that waits for room would wait for ever.
    context.TryCancel();
  });
  queue_.Rewind();
  sample::v1::PushRequest hello;
  *hello.mutable_hello() = options_.hello;
  if (stream->Write(hello)) Write(*stream, ended);
  context.TryCancel();
  reader.join();
  const grpc::Status status = stream->Finish();
  absl::MutexLock lock(&mutex_);
  context_ = nullptr;
  return rpc::FromGrpc(status);
}

void SampleStream::Write(Stream& stream, const std::atomic<bool>& ended) {
  wire::RawStackEncoder encoder;
  absl::Time next_progress = absl::Now();
  while (!ended) {
    if (absl::Now() >= next_progress) {
      if (!WriteProgress(stream)) return;
      next_progress = absl::Now() + kProgressInterval;
    }
    const auto batch = queue_.Next(absl::Milliseconds(200));
    if (!batch) {
      absl::MutexLock lock(&mutex_);
      if (stopping_) return;
      // The stream runs: what was wrong before is over.
      if (!ended) status_ = absl::OkStatus();
      continue;
    }
    sample::v1::PushRequest request;
    *request.mutable_batch() = encoder.Encode(**batch);
    if (!stream.Write(request)) return;
  }
}

bool SampleStream::WriteProgress(Stream& stream) {
  sample::v1::PushRequest request;
  request.mutable_progress()->set_samples_taken(samples_taken_());
  return stream.Write(request);
}

}  // namespace stoker::ebpf
