#include "services/common/forwarding/profile_outlet.h"

#include <utility>

#include "services/common/log/log.h"

namespace stoker::forwarding {
namespace {

constexpr std::size_t kQueueBytes = std::size_t{64} << 20;

std::string AddressOf(const std::string& forwarder, const runtime::Service& service) {
  return forwarder.empty() ? "unix:" + service.options().run_dir + "/forwarder.sock" : forwarder;
}

}  // namespace

ProfileOutlet::ProfileOutlet(Options options, runtime::Service& service, metrics::Stage& stage,
                             runtime::CoreThread& thread)
    : service_(service),
      stage_(stage),
      thread_(thread),
      spool_(OpenSpool(options)),
      client_(service.dialer(), AddressOf(options.forwarder, service), service.random()),
      queue_(kQueueBytes, client_, stage,
             service.metrics().Gauge("stoker_" + options.process + "_queue_bytes",
                                     "Profiles that the forwarder has not accepted yet.")) {
  if (spool_ == nullptr) return;
  queue_.UseSpool(
      *spool_, service.clock(),
      {.accepted = std::move(options.accepted),
       .post = [this](std::function<void()> event) { thread_.Post(std::move(event)); }});
}

// A process whose disk refuses still works.
std::unique_ptr<ProfileSpool> ProfileOutlet::OpenSpool(const Options& options) {
  if (options.spool_bytes == 0) return nullptr;
  auto spool = ProfileSpool::Open({.folder = service_.options().data_dir + "/spool",
                                   .max_bytes = options.spool_bytes,
                                   .max_age = options.spool_age,
                                   .name = options.process},
                                  env_, service_.clock(), service_.metrics(), stage_);
  if (spool.ok()) return *std::move(spool);
  log::Error("nothing is spilled: profiles wait for the forwarder in memory only",
             {{"error", spool.status()}});
  return nullptr;
}

void ProfileOutlet::Start() {
  client_.Start({.connected = [this] { thread_.Post([this] { queue_.OnConnected(); }); },
                 .lost = [this] { thread_.Post([this] { queue_.OnLost(); }); },
                 .answers =
                     [this](profile::v1::PushResponse response) {
                       thread_.Post([this, response = std::move(response)] {
                         queue_.OnAnswers(response, service_.clock().Monotonic());
                       });
                     }});
}

void ProfileOutlet::Drain(absl::Duration patience) {
  thread_.Await(patience, [this] { return queue_.unsaved() == 0 || !queue_.connected(); });
  client_.Stop();
  thread_.Call([this] { queue_.SpillAll(); });
  if (spool_ != nullptr) thread_.Await(patience, [this] { return queue_.unsaved() == 0; });
}

nlohmann::json ProfileOutlet::State() const {
  nlohmann::json state = {{"profiles", queue_.size()},
                          {"bytes", queue_.bytes()},
                          {"connected", queue_.connected()},
                          {"unsaved", queue_.unsaved()},
                          {"spilled", queue_.spilled()}};
  if (spool_ != nullptr) state["spool_bytes"] = spool_->state().bytes;
  return state;
}

}  // namespace stoker::forwarding
