#pragma once

#include <atomic>
#include <cstdint>

#include "proto/sample/v1/sample_service.grpc.pb.h"
#include "services/common/runtime/core_thread.h"
#include "services/symbolizer/symbolizer.h"

namespace stoker::symbolizer {

// SampleService over gRPC: hands messages to the core and its answers back.
class SampleService final : public sample::v1::SampleService::CallbackService {
 public:
  // Both outlive the server.
  SampleService(runtime::CoreThread& thread, Symbolizer& core) : thread_(thread), core_(core) {}

  grpc::ServerBidiReactor<sample::v1::PushRequest, sample::v1::PushResponse>* Push(
      grpc::CallbackServerContext* context) override;

 private:
  runtime::CoreThread& thread_;
  Symbolizer& core_;
  std::atomic<std::uint64_t> next_number_ = 1;
};

}  // namespace stoker::symbolizer
