#include "services/collector/ebpf/component.h"

#include <utility>
#include <vector>

#include "services/collector/ebpf/target_matcher.h"

namespace stoker::ebpf {
namespace {

// Of batches in memory that the symbolizer has not acknowledged.
constexpr std::uint64_t kMaxQueueBytes = std::uint64_t{16} << 20;

using Comm = config::PyroscopeEbpf::Comm;

BatchBuilder::Options BuilderOptions(const config::PyroscopeEbpf& arguments) {
  return {.kernel_frames = arguments.kernel_frames && arguments.collect_kernel_profile,
          .user_frames = arguments.collect_user_profile,
          .comm_label = arguments.comm == Comm::kLabel || arguments.comm == Comm::kBoth,
          .comm_frame = arguments.comm == Comm::kStackframe || arguments.comm == Comm::kBoth,
          .pid_label = arguments.pid_label};
}

}  // namespace

Component::Component(ComponentSettings settings, const KernelSymbols& kernel, Metrics& metrics,
                     std::function<model::TargetVector()> targets, Clock& clock)
    : settings_(std::move(settings)),
      kernel_(kernel),
      metrics_(metrics),
      component_metrics_(metrics.registry, settings_.id),
      clock_(clock),
      targets_(std::move(targets)),
      queue_(kMaxQueueBytes,
             {.acknowledged = [this](std::uint64_t samples) { metrics_.stage.Out(samples); },
              .dropped =
                  [this](std::string_view reason, std::uint64_t samples) {
                    metrics_.stage.Drop(reason, samples);
                    component_metrics_.pprofs_dropped.Increment();
                  },
              .delivered =
                  [this](const sample::v1::Delivered& delivered) {
                    component_metrics_.Delivered(delivered.service_name(),
                                                 static_cast<double>(delivered.profiles()),
                                                 static_cast<double>(delivered.bytes()),
                                                 static_cast<double>(delivered.samples()));
                  },
              .durable =
                  [this](const sample::v1::RawStackBatch& batch) {
                    if (!batch.last_of_interval()) return;
                    const absl::Time end = absl::FromUnixNanos(batch.interval_end_ns());
                    component_metrics_.fanout_latency.Observe(
                        absl::ToDoubleSeconds(clock_.Now() - end));
                  }}),
      interval_start_(clock.Now()),
      next_flush_(interval_start_ + settings_.arguments.collect_interval) {}

void Component::Update(ComponentSettings settings) {
  settings_ = std::move(settings);
  next_flush_ = interval_start_ + settings_.arguments.collect_interval;
}

std::vector<model::Labels> Component::TargetLabels() const {
  return TargetMatcher(targets_(), true).Labels();
}

void Component::OnSample(const ProcessPtr& process, const RawSample& sample) {
  metrics_.stage.In(1);
  ++samples_taken_;
  const bool by_thread_name = settings_.arguments.comm != Comm::kNone;
  if (!counter_.Add(process, sample, by_thread_name ? sample.comm : "")) Drop("too_many_stacks", 1);
}

void Component::OnLost(std::string_view reason, std::uint64_t samples) {
  if (samples == 0) return;
  metrics_.stage.In(samples);
  samples_taken_ += samples;
  Drop(reason, samples);
}

void Component::Drop(std::string_view reason, std::uint64_t samples) {
  metrics_.stage.Drop(reason, samples);
  dropped_[std::string(reason)] += samples;
}

void Component::Flush(absl::Time now) {
  const TargetMatcher matcher(targets_(), settings_.arguments.targets_only);
  matched_targets_ = matcher.size();
  component_metrics_.active_targets.Set(static_cast<double>(matched_targets_));
  BatchBuilder builder(kernel_, settings_.tenant, BuilderOptions(settings_.arguments));
  unwanted_.clear();
  for (const StackCounter::Stack& stack : counter_.Take()) {
    const MatchedTarget* target = matcher.Match(stack.process->key, stack.process->container_id);
    if (target == nullptr) {
      Drop("no_target", stack.count);
      unwanted_.insert(stack.process->key);
    } else if (!builder.Add(*target, stack)) {
      Drop("not_collected", stack.count);
    }
  }
  std::vector<Batch> batches = builder.Take();
  if (batches.empty() && !dropped_.empty()) batches.emplace_back().message.set_reset(true);
  for (Batch& batch : batches) {
    batch.message.set_interval_start_ns(absl::ToUnixNanos(interval_start_));
    batch.message.set_interval_end_ns(absl::ToUnixNanos(now));
    if (&batch == &batches.back()) {
      batch.message.set_last_of_interval(true);
      for (const auto& [reason, samples] : dropped_) {
        sample::v1::Dropped& dropped = *batch.message.add_dropped();
        dropped.set_reason(reason);
        dropped.set_samples(samples);
      }
    }
    queue_.Push(std::move(batch));
  }
  dropped_.clear();
  // One that waits for targets before it loads anything profiles nothing.
  const bool waits = settings_.arguments.lazy_mode && matched_targets_ == 0;
  if (!waits) component_metrics_.sessions.Increment();
  interval_start_ = now;
  next_flush_ = now + settings_.arguments.collect_interval;
}

}  // namespace stoker::ebpf
