#pragma once

#include <absl/status/statusor.h>

#include "proto/push/v1/push.pb.h"
#include "services/store/metrics.h"
#include "services/store/storage.h"

namespace stoker::store {

// push.v1.PusherService over a Storage. Thread-safe.
class Pusher {
 public:
  Pusher(Storage& storage, Metrics& metrics) : storage_(storage), metrics_(metrics) {}

  // Every profile is tried. With errors the good ones are stored all the same, and the status says
  // which failed: UNAVAILABLE where sending again may help (what is stored is then recognised by
  // its ID), else INVALID_ARGUMENT.
  absl::StatusOr<push::v1::PushResponse> Push(const push::v1::PushRequest& request);

 private:
  absl::Status PushOne(const push::v1::RawProfileSeries& series, const push::v1::RawSample& sample);
  absl::StatusOr<Storage::Pushed> Store(const push::v1::RawProfileSeries& series,
                                        const push::v1::RawSample& sample);

  Storage& storage_;
  Metrics& metrics_;
};

}  // namespace stoker::store
