#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "proto/sample/v1/sample_service.grpc.pb.h"
#include "services/collector/ebpf/batch_queue.h"
#include "services/common/base/random.h"
#include "services/common/rpc/dialer.h"

namespace stoker::ebpf {

// Sends the batches of one component to the symbolizer, and connects again whenever the stream ends
// (0.1 s to 2 s later), until destroyed. Has a thread, and another for the answers of each stream.
class SampleStream {
 public:
  struct Options {
    // Of the symbolizer: "unix:/run/stoker/symbolizer.sock".
    std::string address;
    sample::v1::Hello hello;
  };

  // Borrows queue, dialer and random. `samples_taken` is told once a second.
  SampleStream(Options options, rpc::Dialer& dialer, Random& random, BatchQueue& queue,
               std::function<std::uint64_t()> samples_taken);
  // Closes the queue; what is in it stays.
  ~SampleStream();
  SampleStream(const SampleStream&) = delete;
  SampleStream& operator=(const SampleStream&) = delete;

  // Why the last stream ended; OK while one runs.
  [[nodiscard]] absl::Status status() const;

 private:
  using Stream = grpc::ClientReaderWriter<sample::v1::PushRequest, sample::v1::PushResponse>;

  void Run();
  // One stream, until it ends.
  absl::Status RunStream();
  void Write(Stream& stream, const std::atomic<bool>& ended);
  bool WriteProgress(Stream& stream);
  bool Begin(grpc::ClientContext* context);

  const Options options_;
  Random& random_;
  BatchQueue& queue_;
  const std::function<std::uint64_t()> samples_taken_;
  const std::shared_ptr<grpc::Channel> channel_;

  mutable absl::Mutex mutex_;
  absl::Status status_ ABSL_GUARDED_BY(mutex_);
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  // The running stream's, to end it.
  grpc::ClientContext* context_ ABSL_GUARDED_BY(mutex_) = nullptr;

  std::thread thread_;
};

}  // namespace stoker::ebpf
