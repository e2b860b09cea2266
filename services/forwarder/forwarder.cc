#include "services/forwarder/forwarder.h"

#include <algorithm>
#include <utility>

#include "services/common/base/status.h"
#include "services/common/log/log.h"

namespace stoker::forwarder {
namespace {

constexpr absl::Duration kRetryAfter = absl::Seconds(1);

void SetRetryAfter(profile::v1::Answer& answer) {
  answer.set_retry_after_ms(absl::ToInt64Milliseconds(kRetryAfter));
}

void SetRejected(profile::v1::Answer& answer, const std::string& reason, std::string message) {
  answer.mutable_rejected()->set_reason(reason);
  answer.mutable_rejected()->set_message(std::move(message));
}

std::vector<std::string> Names(const auto& by_name) {
  std::vector<std::string> names;
  for (const auto& [name, unused] : by_name) names.push_back(name);
  return names;
}

}  // namespace

absl::StatusOr<std::unique_ptr<Forwarder>> Forwarder::Open(Options options,
                                                           const Settings& settings, Env& env,
                                                           Clock& clock, Random& random,
                                                           metrics::Registry& registry,
                                                           PushClientFactory make_client) {
  std::unique_ptr<Forwarder> forwarder(
      new Forwarder(options, env, clock, random, registry, std::move(make_client)));
  STOKER_RETURN_IF_ERROR(forwarder->Start(std::move(options), settings, env));
  return forwarder;
}

Forwarder::Forwarder(Options options, Env& env, Clock& clock, Random& random,
                     metrics::Registry& registry, PushClientFactory make_client)
    : clock_(clock),
      random_(random),
      make_client_(std::move(make_client)),
      metrics_(registry),
      admission_(clock),
      dead_letters_(env, clock, options.folder + "/dead_letters", options.dead_letter_bytes) {}

absl::Status Forwarder::Start(Options options, const Settings& settings, Env& env) {
  options.spool.folder = options.folder + "/spool";
  STOKER_ASSIGN_OR_RETURN(
      spool_, spool::Spool::Open(options.spool, Names(EndpointsOf(settings)), env, clock_,
                                 spool::Metrics(metrics_.registry, "forwarder"), SpoolEvents()));
  return Apply(settings);
}

spool::Events Forwarder::SpoolEvents() {
  return {.appended = [this](std::uint64_t samples) { metrics_.stage.In(samples); },
          .completed = [this](std::uint64_t samples) { metrics_.stage.Out(samples); },
          .dropped = [this](std::string_view reason,
                            std::uint64_t samples) { metrics_.stage.Drop(reason, samples); },
          .readable = [this] { wakeup_.Wake(); }};
}

void Forwarder::Push(profile::v1::Profile profile, std::function<void(profile::v1::Answer)> done) {
  profile::v1::Answer answer;
  answer.set_id(profile.id());
  Admission::Verdict verdict = admission_.Check(profile);
  if (verdict.kind == Admission::Verdict::Kind::kLater) {
    SetRetryAfter(answer);
    return done(std::move(answer));
  }
  if (verdict.kind == Admission::Verdict::Kind::kReject) {
    metrics_.Rejected(verdict.reason).Increment();
    SetRejected(answer, verdict.reason, std::move(verdict.message));
    return done(std::move(answer));
  }
  if (!verdict.missing.empty()) metrics_.Rejected("unknown_receiver").Increment();
  std::string record = profile.SerializeAsString();
  const Replays::Key key = Replays::KeyOf(record);
  if (replays_.Has(key)) {
    answer.mutable_accepted();
    return done(std::move(answer));
  }
  spool_->Append(
      std::move(record), profile.samples(),
      [this, key, answer = std::move(answer), done = std::move(done)](const absl::Status& durable) {
        if (durable.ok()) replays_.Add(key);
        Answer(answer, durable, done);
      });
}

void Forwarder::Answer(profile::v1::Answer answer, const absl::Status& durable,
                       const std::function<void(profile::v1::Answer)>& done) {
  if (durable.ok()) {
    answer.mutable_accepted();
  } else if (absl::IsInvalidArgument(durable)) {
    metrics_.Rejected("too_large").Increment();
    SetRejected(answer, "too_large", std::string(Message(durable)));
  } else {
    SetRetryAfter(answer);
  }
  done(std::move(answer));
}

Forwarder::WantedEndpoints Forwarder::EndpointsOf(const Settings& settings) {
  WantedEndpoints wanted;
  for (const auto& [component, write] : settings.writers) {
    for (const config::PyroscopeWrite::Endpoint& endpoint : write.endpoints) {
      const std::string url = PublicUrl(endpoint.url);
      std::string name = component + " " + url;
      // The same URL twice, for two tenants say.
      for (int i = 2; wanted.contains(name); ++i) {
        name = fmt::format("{} {} #{}", component, url, i);
      }
      wanted[name] = {.component = component,
                      .target = {.endpoint = endpoint,
                                 .external_labels = write.external_labels,
                                 .tenant = settings.tenant}};
    }
  }
  return wanted;
}

absl::Status Forwarder::Apply(const Settings& settings) {
  const WantedEndpoints wanted = EndpointsOf(settings);
  std::map<std::string, std::unique_ptr<PushClient>> clients;
  for (const auto& [name, each] : wanted) {
    auto client = make_client_(each.target.endpoint);
    if (!client.ok()) return WithContext(client.status(), name);
    clients[name] = *std::move(client);
  }
  std::set<std::string> receivers;
  for (const auto& [component, write] : settings.writers) {
    if (!write.endpoints.empty()) receivers.insert(component);
  }
  {
    absl::MutexLock lock(&mutex_);
    Replace(wanted, std::move(clients));
    failed_ = settings.failed;
  }
  admission_.SetReceivers(std::move(receivers), settings.default_receivers);
  wakeup_.Wake();
  return absl::OkStatus();
}

void Forwarder::Replace(const WantedEndpoints& wanted,
                        std::map<std::string, std::unique_ptr<PushClient>> clients) {
  std::erase_if(endpoints_, [&](const auto& entry) { return !wanted.contains(entry.first); });
  spool_->SetConsumers(Names(wanted));
  for (const auto& [name, each] : wanted) {
    std::unique_ptr<Endpoint>& endpoint = endpoints_[name];
    if (endpoint != nullptr) {
      endpoint->Update(each.target, std::move(clients[name]));
      continue;
    }
    endpoint = std::make_unique<Endpoint>(
        name, each.component, each.target, std::move(clients[name]),
        Surroundings{.spool = *spool_,
                     .dead_letters = dead_letters_,
                     .wakeup = wakeup_,
                     .clock = clock_,
                     .random = random_},
        EndpointMetrics(metrics_.registry, each.component, PublicUrl(each.target.endpoint.url)));
  }
}

absl::Duration Forwarder::Poll() {
  absl::MutexLock lock(&mutex_);
  absl::Duration next = absl::Seconds(1);
  for (const auto& [name, endpoint] : endpoints_) next = std::min(next, endpoint->Poll());
  return next;
}

void Forwarder::Audit() {
  spool_->Audit([this](std::uint64_t samples) { metrics_.stage.Audit(samples); });
}

std::map<std::string, std::string> Forwarder::Health() const {
  std::map<std::string, std::string> health;
  absl::MutexLock lock(&mutex_);
  for (const auto& [name, endpoint] : endpoints_) {
    std::string& message = health[endpoint->component()];
    if (!endpoint->down()) continue;
    message += (message.empty() ? "" : "; ") + PublicUrl(endpoint->target().endpoint.url) + ": " +
               endpoint->last_error();
  }
  for (const auto& [component, status] : failed_) health[component] = Message(status);
  return health;
}

nlohmann::json Forwarder::State() const {
  const spool::Spool::State spool = spool_->state();
  nlohmann::json consumers = nlohmann::json::array();
  for (const auto& each : spool.consumers) {
    consumers.push_back({{"name", each.name},
                         {"cursor", each.cursor},
                         {"open", each.open},
                         {"backlog_bytes", each.backlog_bytes}});
  }
  absl::MutexLock lock(&mutex_);
  nlohmann::json endpoints = nlohmann::json::array();
  for (const auto& [name, endpoint] : endpoints_) endpoints.push_back(endpoint->State());
  return {{"spool",
           {{"bytes", spool.bytes},
            {"segments", spool.segments},
            {"samples", spool.samples},
            {"last_sequence", spool.last_sequence},
            {"full", spool.full},
            {"consumers", std::move(consumers)}}},
          {"endpoints", std::move(endpoints)},
          {"dead_letters", {{"profiles", dead_letters_.size()}, {"bytes", dead_letters_.bytes()}}}};
}

}  // namespace stoker::forwarder
