#include "services/collector/java/jvm_session.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <xxhash.h>

#include "services/common/log/log.h"

namespace stoker::java {
namespace {

constexpr absl::Duration kFirstRetry = absl::Seconds(1);
constexpr absl::Duration kLastRetry = absl::Minutes(5);
// A recording that grew so much is read before its turn.
constexpr std::uint64_t kEarlyBytes = std::uint64_t{48} << 20;
constexpr absl::Duration kSizeCheck = absl::Seconds(2);
// A recording is replaced after so many intervals, and not sooner than that.
constexpr int kIntervals = 10;
constexpr absl::Duration kShortestLife = absl::Minutes(1);

std::string_view Name(AttachAction action) {
  switch (action) {
    case AttachAction::kStart:
      return "start";
    case AttachAction::kDump:
      return "rotate";
    case AttachAction::kRestart:
      return "restart";
    case AttachAction::kStop:
      return "stop";
  }
  return "";
}

// A number that is the same for a process each time.
std::uint64_t HashOf(const procfs::ProcessKey& process) {
  const std::string text = fmt::format("{}:{}", process.pid, process.start_ticks);
  return XXH3_64bits(text.data(), text.size());
}

// A failure of this kind is not worth another try before that.
absl::Duration ShortestWait(AttachOutcome outcome) {
  switch (outcome) {
    case AttachOutcome::kTimeout:
    case AttachOutcome::kForeignAgent:
      return absl::Seconds(30);
    case AttachOutcome::kAttachDisabled:
      return absl::Minutes(5);
    default:
      return kFirstRetry;
  }
}

std::string Format(absl::Time time) {
  return time == absl::InfinitePast()
             ? ""
             : absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
}

}  // namespace

JvmSession::JvmSession(procfs::ProcessKey process, const model::Labels& labels,
                       std::shared_ptr<const SessionSettings> settings, Parts parts,
                       absl::Duration first)
    : process_(process),
      settings_(std::move(settings)),
      parts_(std::move(parts)),
      next_try_(first) {
  origin_ = {.node = settings_->node,
             .component_id = settings_->component_id,
             .tenant = settings_->tenant,
             .receivers = settings_->receivers,
             .process = process_,
             .labels = SentLabels(labels)};
}

void JvmSession::Change(const model::Labels& labels,
                        std::shared_ptr<const SessionSettings> settings, Now now) {
  origin_.labels = SentLabels(labels);
  if (settings == settings_) return;
  const std::shared_ptr<const SessionSettings> old = std::exchange(settings_, std::move(settings));
  origin_.tenant = settings_->tenant;
  origin_.receivers = settings_->receivers;
  // What was refused may be possible now.
  next_try_ = std::min(next_try_, now.monotonic);
  if (recording_ == nullptr) return;
  if (old->interval != settings_->interval) ScheduleFirstRotation(now);
  if (!(old->options == settings_->options)) renew_at_ = next_rotation_ = now.monotonic;
}

void JvmSession::Tick(Now now) {
  if (acting_ || ended_) return;
  if (stopping_) {
    if (recording_ != nullptr && !stop_sent_) {
      stop_sent_ = true;
      return Act(AttachAction::kStop, now);
    }
    return EndIfDone();
  }
  if (gone_) return;
  if (recording_ == nullptr) {
    if (now.monotonic >= next_try_) Act(AttachAction::kStart, now);
    return;
  }
  if (now.monotonic >= next_rotation_) {
    return Act(now.monotonic >= renew_at_ ? AttachAction::kRestart : AttachAction::kDump, now);
  }
  if (now.monotonic >= next_size_check_) {
    next_size_check_ = now.monotonic + kSizeCheck;
    if (!recording_->reading() && recording_->Grown(kEarlyBytes)) ReadRecording();
  }
}

void JvmSession::Stop() { stopping_ = true; }

void JvmSession::EndIfDone() { ended_ = recording_ == nullptr && draining_.empty(); }

AttachRequest JvmSession::MakeRequest(AttachAction action) const {
  return {.action = action,
          .pid = process_.pid,
          .start_ticks = process_.start_ticks,
          .tmp_dir = settings_->tmp_dir,
          .glibc = settings_->agent.glibc,
          .musl = settings_->agent.musl,
          .options = settings_->options.text,
          .timeout = Lifetime() + 2 * settings_->interval + absl::Seconds(30)};
}

absl::Duration JvmSession::Lifetime() const {
  return std::max(kIntervals * settings_->interval, kShortestLife);
}

void JvmSession::Act(AttachAction action, Now now) {
  acting_ = true;
  parts_.attacher.Run(MakeRequest(action),
                      [this, alive = std::weak_ptr<char>(alive_), action, started = now.monotonic,
                       &surroundings = parts_.surroundings](AttachReply reply) {
                        // Shared, as an event is copied.
                        auto shared = std::make_shared<AttachReply>(std::move(reply));
                        surroundings.Post([this, alive, action, started, shared](Now then) {
                          if (!alive.expired()) OnDone(action, started, std::move(*shared), then);
                        });
                      });
}

void JvmSession::OnDone(AttachAction action, absl::Duration started, AttachReply reply, Now now) {
  acting_ = false;
  parts_.component_metrics->Actions(Name(action), Name(reply.outcome)).Increment();
  parts_.component_metrics->attach_seconds.Observe(absl::ToDoubleSeconds(now.monotonic - started));
  if (action == AttachAction::kStop) {
    if (!reply.ok()) last_error_ = reply.message;
    Drain(std::move(recording_));
    return;
  }
  if (reply.ended_recording.valid()) Drain(MakeReader(std::move(reply.ended_recording), true));
  if (!reply.ok()) return OnFailed(action, reply, now);
  last_outcome_ = AttachOutcome::kOk;
  last_error_.clear();
  failures_ = 0;
  if (action == AttachAction::kDump) {
    ScheduleNextRotation(now);
    return ReadRecording();
  }
  if (action == AttachAction::kRestart) {
    Drain(std::move(recording_));
    ScheduleNextRotation(now);
  } else {
    ScheduleFirstRotation(now);
  }
  OnStarted(std::move(reply), now);
}

void JvmSession::OnStarted(AttachReply reply, Now now) {
  adopted_ = reply.adopted;
  agent_path_ = reply.agent_path;
  // How long one that was taken over still lives nobody knows: it is replaced at its first turn.
  renew_at_ = reply.adopted ? now.monotonic : now.monotonic + Lifetime();
  recording_ = MakeReader(std::move(reply.recording), reply.adopted);
  log::Info("profiling a JVM", {{"component_id", settings_->component_id},
                                {"pid", process_.pid},
                                {"agent", agent_path_},
                                {"adopted", adopted_}});
}

void JvmSession::OnFailed(AttachAction action, const AttachReply& reply, Now now) {
  ++failures_;
  const bool again = last_error_ == reply.message;
  last_outcome_ = reply.outcome;
  last_error_ = reply.message;
  if (!again) {
    log::Warn("a JVM refuses", {{"component_id", settings_->component_id},
                                {"pid", process_.pid},
                                {"action", Name(action)},
                                {"reason", Name(reply.outcome)},
                                {"error", reply.message}});
  }
  const absl::Duration wait = Backoff(reply.outcome);
  next_try_ = now.monotonic + wait;
  next_rotation_ = now.monotonic + wait;
  if (reply.outcome == AttachOutcome::kGone) {
    gone_ = true;
    if (recording_ != nullptr) Drain(std::move(recording_));
    return;
  }
  // It may have ended all the same: what is in the file tells.
  if (recording_ != nullptr) ReadRecording();
}

absl::Duration JvmSession::Backoff(AttachOutcome outcome) const {
  const int doublings = std::clamp(failures_ - 1, 0, 16);
  const absl::Duration wait =
      std::max(ShortestWait(outcome), std::min(kFirstRetry * (1 << doublings), kLastRetry));
  // Spread, so that those that failed together do not come together.
  return wait * (1 + static_cast<double>(HashOf(process_) % 256) / 1024);
}

void JvmSession::ScheduleFirstRotation(Now now) {
  const std::int64_t length = absl::ToInt64Nanoseconds(settings_->interval);
  const auto phase =
      static_cast<std::int64_t>(HashOf(process_) % static_cast<std::uint64_t>(length));
  const std::int64_t past = (absl::ToUnixNanos(now.wall) % length + length) % length;
  absl::Duration until = absl::Nanoseconds((phase - past + length) % length);
  // The first profile has something to show.
  if (until < settings_->interval / 10) until += settings_->interval;
  next_rotation_ = now.monotonic + until;
}

void JvmSession::ScheduleNextRotation(Now now) {
  // Turns that passed meanwhile are not made up for.
  const std::int64_t turns =
      std::max<std::int64_t>(0, (now.monotonic - next_rotation_) / settings_->interval);
  next_rotation_ += (turns + 1) * settings_->interval;
}

std::unique_ptr<RecordingReader> JvmSession::MakeReader(UniqueFd recording, bool begun) {
  return std::make_unique<RecordingReader>(
      std::move(recording), begun, settings_->options.recording, settings_->options.per_thread,
      parts_.surroundings,
      [this](const jfr::Conversion& conversion, std::uint64_t bytes,
             const RecordingReader::ChunkHold& hold,
             Now now) { OnChunk(conversion, bytes, hold, now); });
}

void JvmSession::ReadRecording() {
  RecordingReader* const reader = recording_.get();
  reader->Read([this, reader](const RecordingReader::End& end, Now now) {
    if (recording_.get() != reader || (end.status.ok() && end.bytes_left > 0)) return;
    // Damaged, or nobody writes it any more: by its timeout, or by somebody's hand.
    next_try_ = now.monotonic;
    if (!end.status.ok()) {
      ++failures_;
      LogUnreadable(end.status);
      next_try_ += Backoff(AttachOutcome::kProtocol);
    }
    draining_.push_back(std::move(recording_));
    Forget(reader);
  });
}

void JvmSession::Drain(std::unique_ptr<RecordingReader> reader) {
  RecordingReader* const last = reader.get();
  draining_.push_back(std::move(reader));
  last->Read([this, last](const RecordingReader::End& end, Now) {
    if (!end.status.ok()) LogUnreadable(end.status);
    Forget(last);
  });
}

void JvmSession::Forget(const RecordingReader* reader) {
  parts_.surroundings.Post([this, alive = std::weak_ptr<char>(alive_), reader](Now) {
    if (alive.expired()) return;
    std::erase_if(draining_, [&](const auto& other) { return other.get() == reader; });
  });
}

void JvmSession::LogUnreadable(const absl::Status& status) {
  last_outcome_ = AttachOutcome::kProtocol;
  last_error_ = status.ToString();
  parts_.component_metrics->failed_reads.Increment();
  log::Warn("a recording cannot be read",
            {{"component_id", settings_->component_id}, {"pid", process_.pid}, {"error", status}});
}

void JvmSession::OnChunk(const jfr::Conversion& conversion, std::uint64_t bytes,
                         const RecordingReader::ChunkHold& hold, Now now) {
  ++chunks_;
  bytes_ += bytes;
  const auto& metrics = parts_.component_metrics;
  metrics->chunks.Increment();
  metrics->recording_bytes.Increment(static_cast<double>(bytes));
  metrics->truncated.Increment(static_cast<double>(conversion.samples_truncated()));
  for (const auto& [reason, samples] : conversion.dropped()) {
    parts_.metrics.stage.In(samples);
    parts_.metrics.stage.Drop(reason, samples);
  }
  for (const jfr::ConvertedProfile& converted : conversion.profiles()) {
    samples_ += converted.samples();
    last_profile_ = now.wall;
    parts_.queue.Add(
        MakeProfile(origin_, converted),
        [metrics, hold](absl::Duration waited) { metrics->fanout.Accepted(waited); }, now.monotonic,
        [hold] {});
  }
}

nlohmann::json JvmSession::State(Now now) const {
  nlohmann::json labels = nlohmann::json::object();
  for (const model::LabelView label : origin_.labels) {
    if (!label.name.starts_with("__")) labels[label.name] = label.value;
  }
  const char* state = stopping_               ? "stopping"
                      : gone_                 ? "gone"
                      : recording_ != nullptr ? "attached"
                      : failures_ > 0         ? "refused"
                                              : "waiting";
  const absl::Duration next = recording_ != nullptr ? next_rotation_ : next_try_;
  return {
      {"pid", process_.pid},
      {"start_ticks", process_.start_ticks},
      {"state", state},
      {"reason", last_outcome_ == AttachOutcome::kOk ? "" : std::string(Name(last_outcome_))},
      {"last_error", last_error_},
      {"failures", failures_},
      {"next_s",
       gone_ ? 0.0 : absl::ToDoubleSeconds(std::max(next - now.monotonic, absl::ZeroDuration()))},
      {"agent", agent_path_},
      {"adopted", adopted_},
      {"last_profile", Format(last_profile_)},
      {"chunks", chunks_},
      {"samples", samples_},
      {"recording_bytes", bytes_},
      {"labels", std::move(labels)}};
}

}  // namespace stoker::java
