#pragma once

#include <map>
#include <string>
#include <vector>

#include <absl/status/status.h>
#include <google/protobuf/repeated_ptr_field.h>

#include "proto/target/v1/label.pb.h"
#include "services/common/model/labels.h"

// What pyroscope.write does with the labels of a profile. Source: Alloy v1.18,
// internal/component/pyroscope/write.

namespace stoker::forwarder {

using WireLabels = google::protobuf::RepeatedPtrField<target::v1::Label>;

// INVALID_ARGUMENT with Alloy's text for labels that it refuses.
absl::Status ValidateLabels(const WireLabels& labels);

// The labels of a Push: without `__*` but `__name__` and `__delta__`, with `external` over them,
// sorted.
model::Labels PushLabels(const WireLabels& labels,
                         const std::map<std::string, std::string>& external);

// The `name` parameter of an /ingest request: `app{a=x,b=y}`, all labels kept. The application is
// service_name, else `__name__`.
std::string IngestName(const WireLabels& labels,
                       const std::map<std::string, std::string>& external);

}  // namespace stoker::forwarder
