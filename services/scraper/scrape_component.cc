#include "services/scraper/scrape_component.h"

#include <algorithm>
#include <utility>

#include <xxhash.h>

#include "services/common/base/status.h"
#include "services/common/log/log.h"

namespace stoker::scraper {
namespace {

// How long two replicas may differ on who has a target: two missed checks and a late answer.
constexpr absl::Duration kUnsettled = absl::Seconds(5);
// Jobs that the debug state lists; failing ones first.
constexpr std::size_t kShownJobs = 1000;

// Jobs keep their phase over restarts: it comes from the wall clock, once.
absl::Duration UntilPhase(const std::string& identity, absl::Duration interval, absl::Time wall) {
  const std::int64_t length = absl::ToInt64Nanoseconds(interval);
  const auto phase = static_cast<std::int64_t>(XXH3_64bits(identity.data(), identity.size()) %
                                               static_cast<std::uint64_t>(length));
  const std::int64_t past = (absl::ToUnixNanos(wall) % length + length) % length;
  return absl::Nanoseconds((phase - past + length) % length);
}

void WarnOfTimeout(const ScrapeComponent::Settings& settings) {
  if (settings.arguments.scrape_timeout > settings.arguments.scrape_interval) return;
  log::Warn("scrape_timeout should be larger than scrape_interval",
            {{"component_id", settings.id}});
}

std::string Format(absl::Time time) {
  return time == absl::InfinitePast()
             ? ""
             : absl::FormatTime(absl::RFC3339_sec, time, absl::UTCTimeZone());
}

}  // namespace

ScrapeComponent::ScrapeComponent(Settings settings, MakeClient make_client,
                                 Surroundings& surroundings, forwarding::ProfileQueue& queue,
                                 Metrics& metrics)
    : settings_(std::move(settings)),
      make_client_(std::move(make_client)),
      surroundings_(surroundings),
      queue_(queue),
      metrics_(std::make_shared<ComponentMetrics>(metrics.registry, settings_.id)),
      client_(make_client_(settings_.arguments.client)) {
  WarnOfTimeout(settings_);
}

ScrapeComponent::~ScrapeComponent() {
  Stop();
  metrics_->targets.Set(0);
  metrics_->refused_targets.Set(0);
  metrics_->jobs.Set(0);
  metrics_->difference_samples.Set(0);
  metrics_->difference_bytes.Set(0);
}

void ScrapeComponent::Change(Settings settings, Now now) {
  if (settings == settings_) return;
  const Settings old = std::exchange(settings_, std::move(settings));
  WarnOfTimeout(settings_);
  if (old.arguments.client != settings_.arguments.client) {
    for (auto& [identity, running] : jobs_) Cancel(running);
    client_ = make_client_(settings_.arguments.client);
  }
  Update(/*moved=*/false, now);
  if (old.arguments.scrape_interval != settings_.arguments.scrape_interval) Reschedule(now);
}

void ScrapeComponent::SetTargets(model::TargetVector targets, Now now) {
  targets_ = std::move(targets);
  Update(/*moved=*/false, now);
}

void ScrapeComponent::SetShare(std::optional<Share> share, Now now) {
  if (share == share_) return;
  share_ = std::move(share);
  if (!settings_.arguments.clustering) return;
  share_changed_ = now.monotonic;
  Update(/*moved=*/true, now);
}

void ScrapeComponent::Update(bool moved, Now now) {
  const bool known = !settings_.arguments.clustering || share_.has_value();
  const Share share = settings_.arguments.clustering ? share_.value_or(Share()) : Share();
  list_ = MakeJobList(settings_.id, settings_.arguments, known ? targets_ : model::TargetVector(),
                      share);
  std::map<std::string, const ScrapeJob*> wanted;
  for (const ScrapeJob& job : list_.jobs) wanted.emplace(job.Identity(), &job);
  RemoveGone(wanted, moved);
  for (const auto& [identity, job] : wanted) {
    const auto [entry, inserted] = jobs_.try_emplace(identity);
    Running& running = entry->second;
    running.job = *job;
    if (!inserted && !std::exchange(running.leaving, false)) continue;
    Schedule(identity, running, now);
    running.moved_in = share_changed_;
    if (moved) metrics_->moved_in.Increment();
  }
  list_.jobs.clear();
  metrics_->targets.Set(static_cast<double>(targets_.size()));
  metrics_->refused_targets.Set(static_cast<double>(list_.refused.size()));
  metrics_->jobs.Set(static_cast<double>(jobs_.size()));
}

void ScrapeComponent::RemoveGone(const std::map<std::string, const ScrapeJob*>& wanted,
                                 bool moved) {
  for (auto entry = jobs_.begin(); entry != jobs_.end();) {
    Running& running = entry->second;
    if (!wanted.contains(entry->first)) {
      if (moved) Leave(running);
      if (!running.leaving) Cancel(running);
      if (running.scrape == 0) {
        entry = Erase(entry);
        continue;
      }
    }
    ++entry;
  }
  std::erase_if(due_, [&](const auto& due) {
    const auto job = jobs_.find(due.second);
    return job == jobs_.end() || job->second.leaving;
  });
}

void ScrapeComponent::Leave(Running& running) {
  if (!std::exchange(running.leaving, true)) metrics_->moved_out.Increment();
}

ScrapeComponent::Jobs::iterator ScrapeComponent::Erase(Jobs::iterator entry) {
  CountDifference(entry->second, 0, 0);
  return jobs_.erase(entry);
}

void ScrapeComponent::Reschedule(Now now) {
  due_.clear();
  for (auto& [identity, running] : jobs_) {
    if (!running.leaving) Schedule(identity, running, now);
  }
}

void ScrapeComponent::Schedule(const std::string& identity, Running& running, Now now) {
  running.due = now.monotonic + UntilPhase(identity, settings_.arguments.scrape_interval, now.wall);
  due_.emplace(running.due, identity);
}

absl::Duration ScrapeComponent::NextDue() const {
  return due_.empty() ? absl::InfiniteDuration() : due_.begin()->first;
}

void ScrapeComponent::Tick(Now now) {
  if (stopped_) return;
  while (!due_.empty() && due_.begin()->first <= now.monotonic) {
    const std::string identity = std::move(due_.begin()->second);
    due_.erase(due_.begin());
    Running& running = jobs_.at(identity);
    Start(identity, running, now);
    // Turns that passed while nobody called are not made up for.
    const absl::Duration interval = settings_.arguments.scrape_interval;
    const std::int64_t turns = (now.monotonic - running.due) / interval + 1;
    running.due += turns * interval;
    if (turns > 1) metrics_->skipped.Increment(static_cast<double>(turns - 1));
    due_.emplace(running.due, identity);
  }
}

void ScrapeComponent::Start(const std::string& identity, Running& running, Now now) {
  if (running.scrape != 0) {
    metrics_->skipped.Increment();
    return;
  }
  metrics_->lateness.Observe(absl::ToDoubleSeconds(now.monotonic - running.due));
  if (now.monotonic - running.moved_in < kUnsettled) metrics_->double_scrapes.Increment();
  metrics_->running.Increment();
  running.scrape = ++scrapes_;
  running.started = now;
  Send(identity, running, now);
}

void ScrapeComponent::Send(const std::string& identity, Running& running, Now now) {
  // Everything by value: the answer is read wherever it comes, while the component may go.
  const auto done = [this, alive = std::weak_ptr<char>(alive_), metrics = metrics_, identity,
                     scrape = running.scrape,
                     &surroundings = surroundings_](absl::StatusOr<ScrapeResult> result) {
    surroundings.Post(
        [this, alive, metrics, identity, scrape, result = std::move(result)](Now then) {
          metrics->running.Decrement();
          if (!alive.expired()) OnDone(identity, scrape, result, then);
        });
  };
  auto read = [job = running.job, difference = running.difference,
               context = BodyContext{.node = settings_.node,
                                     .component_id = settings_.id,
                                     .tenant = settings_.tenant,
                                     .receivers = settings_.arguments.forward_to,
                                     .max_profile_bytes = settings_.max_profile_bytes,
                                     .start = now.wall},
               done](std::string body) {
    done(ReadBody(job, context, std::move(body), *difference));
  };
  http::ClientRequest request{.url = running.job.url,
                              .timeout = running.job.timeout,
                              .max_body_bytes = settings_.max_profile_bytes,
                              .budget = surroundings_.budget()};
  running.request = client_->Send(
      std::move(request), [done, read = std::move(read),
                           &surroundings = surroundings_](absl::StatusOr<http::Response> response) {
        if (!response.ok()) return done(response.status());
        if (absl::Status status = CheckStatus(*response); !status.ok()) return done(status);
        const std::size_t bytes = response->body.size();
        const bool taken = surroundings.RunAside(
            bytes, [read, body = std::move(response->body)]() mutable { read(std::move(body)); });
        if (!taken) done(ResourceExhausted("too many profiles wait to be read"));
      });
}

void ScrapeComponent::OnDone(const std::string& identity, std::uint64_t scrape,
                             const absl::StatusOr<ScrapeResult>& result, Now now) {
  metrics_->Scrapes(ReasonOf(result.status())).Increment();
  const auto found = jobs_.find(identity);
  if (found == jobs_.end() || found->second.scrape != scrape) return;
  Running& running = found->second;
  running.scrape = 0;
  running.last_scrape = running.started.wall;
  running.last_duration = now.monotonic - running.started.monotonic;
  metrics_->duration.Observe(absl::ToDoubleSeconds(running.last_duration));
  Keep(running, result, now);
  if (!running.leaving) return;
  Erase(found);
  metrics_->jobs.Set(static_cast<double>(jobs_.size()));
}

void ScrapeComponent::Keep(Running& running, const absl::StatusOr<ScrapeResult>& result, Now now) {
  if (!result.ok()) {
    // Once for each failing phase, not each scrape.
    if (running.last_error.empty()) {
      log::Warn(
          "scrape failed",
          {{"component_id", settings_.id}, {"url", running.job.url}, {"error", result.status()}});
    }
    running.last_error = Message(result.status());
    return;
  }
  CountDifference(running, running.difference->samples(), running.difference->bytes());
  running.last_error.clear();
  running.last_success = running.started.wall;
  if (result->reset) metrics_->resets.Increment();
  if (result->profile == nullptr) return;
  queue_.Add(
      result->profile,
      [metrics = metrics_](absl::Duration waited) { metrics->fanout.Accepted(waited); },
      now.monotonic);
}

void ScrapeComponent::OnAccepted(absl::Duration waited) { metrics_->fanout.Accepted(waited); }

void ScrapeComponent::Cancel(Running& running) {
  if (running.scrape == 0) return;
  running.scrape = 0;
  client_->Cancel(running.request);
  // Its reading may still go on; what follows remembers anew.
  running.difference = std::make_shared<ProfileDifference>();
}

void ScrapeComponent::Stop() {
  stopped_ = true;
  for (auto& [identity, running] : jobs_) Cancel(running);
}

void ScrapeComponent::CountDifference(Running& running, std::size_t samples, std::size_t bytes) {
  metrics_->difference_samples.Increment(static_cast<double>(samples) -
                                         static_cast<double>(running.counted_samples));
  metrics_->difference_bytes.Increment(static_cast<double>(bytes) -
                                       static_cast<double>(running.counted_bytes));
  running.counted_samples = samples;
  running.counted_bytes = bytes;
}

nlohmann::json ScrapeComponent::StateOf(const Running& running) const {
  nlohmann::json labels = nlohmann::json::object();
  for (const model::LabelView label : running.job.PublicLabels()) labels[label.name] = label.value;
  const bool scraped = running.last_scrape != absl::InfinitePast();
  const char* health = !scraped ? "unknown" : running.last_error.empty() ? "up" : "down";
  return {{"job", running.job.labels.Get("job")},
          {"type", running.job.type},
          {"url", running.job.url},
          {"health", health},
          {"labels", std::move(labels)},
          {"last_error", running.last_error},
          {"last_scrape", Format(running.last_scrape)},
          {"last_success", Format(running.last_success)},
          {"last_scrape_duration_ms", absl::ToInt64Milliseconds(running.last_duration)},
          {"running", running.scrape != 0}};
}

nlohmann::json ScrapeComponent::State() const {
  nlohmann::json shown = nlohmann::json::array();
  std::size_t failing = 0;
  for (const bool bad : {true, false}) {
    for (const auto& [identity, running] : jobs_) {
      if (running.last_error.empty() == bad) continue;
      failing += bad ? 1 : 0;
      if (shown.size() < kShownJobs) shown.push_back(StateOf(running));
    }
  }
  nlohmann::json refused = nlohmann::json::array();
  for (const RefusedTarget& target : list_.refused) {
    if (refused.size() == kShownJobs) break;
    refused.push_back({{"address", target.address}, {"error", Message(target.status)}});
  }
  return {{"targets", targets_.size()},   {"duplicates", list_.duplicates},
          {"elsewhere", list_.elsewhere}, {"refused", std::move(refused)},
          {"job_count", jobs_.size()},    {"failing", failing},
          {"jobs", std::move(shown)}};
}

}  // namespace stoker::scraper
