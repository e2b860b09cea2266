#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "proto/profile/v1/profile.pb.h"
#include "proto/sample/v1/sample.pb.h"
#include "services/common/model/labels.h"
#include "services/common/wire/raw_stack_decoder.h"
#include "services/symbolizer/frame_names.h"

namespace stoker::symbolizer {

// Samples of one interval that share dictionary and series.
struct IntervalPart {
  std::shared_ptr<FrameNames> names;
  std::vector<wire::DecodedBatch::Series> series;
  std::vector<wire::DecodedBatch::Sample> samples;
  // pprof labels of samples; the first set is empty.
  std::vector<model::Labels> label_sets = {{}};
};

// An interval, or one part of one that was too large, of one component.
struct IntervalSamples {
  std::int64_t start_ns = 0;
  std::int64_t end_ns = 0;
  // Sequences of the batches that it came in: they tell the parts of an interval apart, also when
  // another process cuts it into other parts.
  std::uint64_t first_sequence = 0;
  std::uint64_t last_sequence = 0;
  std::vector<IntervalPart> parts;
};

// What one target has of a profile.
struct TargetShare {
  std::string target_id;
  std::string service_name;
  std::uint64_t samples = 0;
};

struct AssembledProfile {
  profile::v1::Profile profile;
  std::vector<TargetShare> targets;
};

// Samples by what became of their frames, and by why their stacks ended.
struct AssemblyCounts {
  // Frames of samples by Naming, each counted once for each stack of a profile.
  std::uint64_t frames[5] = {};
  std::map<sample::v1::Stack::StopReason, std::uint64_t> stopped_samples;
};

// Makes one profile for each distinct label set of an interval. Its id depends only on node,
// component, label set, sample type, interval start and sequences: assembled again, it is the same.
// Samples of count 0 vanish. Names what can be named now.
std::vector<AssembledProfile> AssembleProfiles(const sample::v1::Hello& hello,
                                               const IntervalSamples& interval,
                                               AssemblyCounts& counts);

// The word for a stop reason in frames and metrics, such as `no_mapping`; empty when the stack
// reached its natural end.
std::string_view StopReasonWord(sample::v1::Stack::StopReason reason);

}  // namespace stoker::symbolizer
