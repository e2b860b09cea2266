#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>

#include <absl/status/status.h>
#include <absl/synchronization/mutex.h>
#include <grpcpp/channel.h>
#include <grpcpp/client_context.h>

#include "proto/symbol/v1/symbol_service.grpc.pb.h"
#include "services/collector/ebpf/binary_store.h"
#include "services/collector/ebpf/kernel_symbols.h"
#include "services/common/base/random.h"
#include "services/common/rpc/dialer.h"
#include "services/common/runtime/bounded_queue.h"
#include "services/common/sandbox/sandbox.h"

namespace stoker::ebpf {

// Serves the symbolizer the bytes it wants of binaries and of the kernel, until destroyed. Symbols
// are sent one binary at a time, and beside them debug sections, which are large: each at most
// kBytesPerSecond. Has a thread for each of the two, and one that hears what is wanted.
//
// A binary without debug sections of its own has those of its separate debug file, which is looked
// for within the root of the process (debug_file.h).
class SymbolProvider {
 public:
  struct Options {
    std::string address;
    symbol::v1::WantRequest request;
  };

  // Borrows all but the options. `sent` is told the bytes of each chunk.
  SymbolProvider(Options options, rpc::Dialer& dialer, Random& random, sandbox::Sandbox& sandbox,
                 const BinaryStore& binaries, const KernelSymbols& kernel,
                 std::function<void(std::uint64_t bytes)> sent);
  ~SymbolProvider();
  SymbolProvider(const SymbolProvider&) = delete;
  SymbolProvider& operator=(const SymbolProvider&) = delete;

  static constexpr std::uint64_t kBytesPerSecond = std::uint64_t{50} << 20;

 private:
  using Writer = grpc::ClientWriter<symbol::v1::PutRequest>;
  // Reads bytes of the data at an offset; an error names the reason.
  using Source =
      std::function<absl::StatusOr<std::string>(std::uint64_t offset, std::size_t max_bytes)>;

  void Run();
  absl::Status Watch(symbol::v1::SymbolService::Stub& stub);
  struct Lane {
    runtime::BoundedQueue<symbol::v1::Wanted> queue{kMaxWaiting};
    // Under way; guarded by mutex_.
    grpc::ClientContext* put = nullptr;
    std::thread thread;
  };
  static constexpr std::size_t kMaxWaiting = 64;
  // Serves what the lane's queue has until it is closed.
  void Serve(Lane& lane);
  void Put(symbol::v1::SymbolService::Stub& stub, const symbol::v1::Wanted& wanted,
           grpc::ClientContext*& slot);
  bool PutData(Writer& writer, const symbol::v1::Wanted& wanted, symbol::v1::PutHeader header,
               const Source& source);
  bool PutElf(Writer& writer, const symbol::v1::Wanted& wanted);
  bool PutDebug(Writer& writer, const symbol::v1::Wanted& wanted);
  bool PutKernel(Writer& writer, const symbol::v1::Wanted& wanted);
  bool Refuse(Writer& writer, const symbol::v1::Wanted& wanted,
              symbol::v1::PutUnavailable::Reason reason, std::string message);
  // Makes `context` the one that the destructor cancels; false when it has come.
  bool Begin(grpc::ClientContext*& slot, grpc::ClientContext* context);
  void End(grpc::ClientContext*& slot);
  // True when it is time to end.
  bool Pause(absl::Duration duration);

  const Options options_;
  Random& random_;
  sandbox::Sandbox& sandbox_;
  const BinaryStore& binaries_;
  const KernelSymbols& kernel_;
  const std::function<void(std::uint64_t bytes)> sent_;
  const std::shared_ptr<grpc::Channel> channel_;

  absl::Mutex mutex_;
  bool stopping_ ABSL_GUARDED_BY(mutex_) = false;
  grpc::ClientContext* want_ ABSL_GUARDED_BY(mutex_) = nullptr;
  Lane symbols_;
  Lane debug_;
  std::thread thread_;
};

}  // namespace stoker::ebpf
