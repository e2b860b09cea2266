#include "services/cli/doctor/instance_checks.h"

#include <array>
#include <set>
#include <string_view>

#include <fmt/format.h>

#include "services/cli/doctor/metric_text.h"

namespace stoker::cli {
namespace {

using Level = Check::Level;
using nlohmann::json;

// An error that is older is over.
constexpr absl::Duration kRecent = absl::Minutes(5);
constexpr std::uint64_t kLongQueue = std::uint64_t{64} << 20;
// Of samples without a target: nearly all.
constexpr double kNearlyAll = 0.99;

std::string Text(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

double Number(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_number() ? found->get<double>() : 0;
}

bool Flag(const json& object, const char* key) {
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_boolean() && found->get<bool>();
}

// The elements of a list; none where there is no list.
const json& List(const json& object, const char* key) {
  static const json none = json::array();
  const auto found = object.is_object() ? object.find(key) : object.end();
  return found != object.end() && found->is_array() ? *found : none;
}

class Examination {
 public:
  explicit Examination(const InstanceView& view) : view_(view) {}

  Checks Run() {
    Processes();
    Components();
    Targets();
    Samples();
    Delivery();
    Endpoints();
    if (checks_.empty()) {
      checks_.push_back(
          {"instance", Level::kOk, "what runs",
           fmt::format("{} processes, all well", List(view_.state, "processes").size()), ""});
    }
    return std::move(checks_);
  }

 private:
  void Add(std::string id, Level level, std::string title, std::string detail, std::string remedy) {
    checks_.push_back(
        {std::move(id), level, std::move(title), std::move(detail), std::move(remedy)});
  }

  // What a process tells under its own name: {"forwarder": {…}} of its state.
  [[nodiscard]] const json& Part(const char* process, const char* part) const {
    static const json none = json::object();
    const json::json_pointer path(fmt::format("/state/{}/{}", process, part));
    return view_.state.contains(path) ? view_.state[path] : none;
  }

  [[nodiscard]] double Grown(std::string_view metric, std::string_view label = "") const {
    if (view_.metrics_before.empty()) return 0;
    return SumMetric(view_.metrics, metric, label) - SumMetric(view_.metrics_before, metric, label);
  }

  void Processes() {
    for (const json& process : List(view_.state, "processes")) {
      const std::string name = Text(process, "name");
      const std::string state = Text(process, "state");
      if (state == "ready" || state == "waiting" || state.empty()) continue;
      down_.insert(name);
      const std::string last = Text(process, "last_end");
      Add("process." + name, state == "starting" ? Level::kWarning : Level::kError,
          fmt::format("{} is {}", name, state), last.empty() ? "" : "it ended with " + last,
          fmt::format("the log of `stoker run` says why: look for service=stoker-{} level=error",
                      name));
    }
    const auto answers = view_.state.find("state");
    if (answers == view_.state.end()) return;
    for (const auto& [name, answer] : answers->items()) {
      if (answer.is_object() || down_.contains(name)) continue;
      down_.insert(name);
      Add("process." + name, Level::kError, name + " does not answer",
          answer.is_string() ? answer.get<std::string>() : "",
          "it hangs or is overloaded; its log says more, and `kill` has it started again");
    }
  }

  void Components() {
    const auto answers = view_.state.find("state");
    if (answers == view_.state.end()) return;
    for (const auto& [name, answer] : answers->items()) {
      for (const json& component : List(answer, "components")) {
        const std::string health = Text(component, "health");
        if (health != "unhealthy" && health != "exited") continue;
        const std::string id = Text(component, "id");
        // Endpoints are told of with their cause.
        if (id.starts_with("pyroscope.write")) continue;
        const std::string message = Text(component, "message");
        // Its other end being down is said already.
        const bool follows =
            (message.starts_with("discovery:") && down_.contains("discovery")) ||
            (message.starts_with("the symbolizer:") && down_.contains("symbolizer"));
        Add("component." + id, follows ? Level::kWarning : Level::kError, id + " is " + health,
            message, follows ? "" : "mend its arguments or what it names, then `kill -HUP` stoker");
      }
    }
  }

  void Targets() {
    // A rule that leaves nothing: where it had something.
    bool explained = down_.contains("discovery");
    for (const json& component : List(Part("discovery", "discovery"), "components")) {
      const bool empty = Flag(component, "running") && Flag(component, "ready") &&
                         Number(component, "targets") == 0;
      if (!empty || Number(component, "dropped") == 0) continue;
      const std::string id = Text(component, "id");
      if (!id.starts_with("discovery.relabel")) continue;
      explained = true;
      Add("relabel", Level::kError, fmt::format("the rules of {} drop every target", id),
          fmt::format("{:.0f} targets came, none is left", Number(component, "dropped")),
          "look at its keep and drop rules; /debug/state shows what each component gives");
    }
    for (const json& component : List(Part("ebpf-collector", "ebpf"), "components")) {
      if (explained || Number(component, "targets") > 0 || !SamplesDropForWantOfTargets()) continue;
      explained = true;
      Add("targets", Level::kError, fmt::format("{} has no target", Text(component, "id")),
          "targets_only is true, and discovery gives it nothing to profile",
          "look at its targets argument; targets_only = false profiles the whole host");
    }
    if (explained || !SamplesDropForWantOfTargets()) return;
    Add("no_target", Level::kError, "no process that runs matches a target",
        "its targets are there, but nothing they name used the CPU",
        "check __process_pid__ and __container_id__ of the targets; targets_only = false profiles "
        "the whole host");
  }

  // Nearly all samples of late had no target.
  [[nodiscard]] bool SamplesDropForWantOfTargets() const {
    const double in = Grown("stoker_ebpf_collector_in");
    return in > 0 &&
           Grown("stoker_ebpf_collector_dropped", "reason=\"no_target\"") >= kNearlyAll * in;
  }

  void Samples() {
    const bool samples = view_.state.contains("/state/ebpf-collector/ebpf"_json_pointer);
    if (!samples || down_.contains("ebpf-collector")) return;
    if (!view_.metrics_before.empty() && Grown("stoker_ebpf_collector_in") == 0) {
      Add("samples", Level::kWarning, "nothing was sampled of late",
          "no program ran, or the kernel gives no perf events",
          "run something that works; virtual machines without a timer event sample nothing");
    }
    for (const auto& [reason, why] :
         {std::pair("ring_full", "the collector got too little CPU time to read them"),
          std::pair("queue_full", "the symbolizer did not take them")}) {
      const double lost =
          Grown("stoker_ebpf_collector_dropped", fmt::format("reason=\"{}\"", reason));
      if (lost <= 0) continue;
      Add(fmt::format("samples.{}", reason), Level::kWarning, "samples are lost",
          fmt::format("{:.0f} of late: {}", lost, why),
          "look at what is wrong below; a lower sample_rate or more CPU helps otherwise");
    }
  }

  void Delivery() {
    const json& symbolizer = Part("symbolizer", "symbolizer");
    const bool away =
        symbolizer.contains("forwarder_connected") && symbolizer["forwarder_connected"] == false;
    if (away && !down_.contains("forwarder")) {
      Add("forwarder.away", Level::kError, "the symbolizer does not reach the forwarder",
          "profiles wait in memory", "check stoker { forwarder { address } }");
    }
    const json& spool = Part("forwarder", "forwarder/spool");
    if (Flag(spool, "full")) {
      Add("forwarder.full", Level::kError, "the forwarder's spool is full or its disk is",
          fmt::format("{:.0f} bytes on disk", Number(spool, "bytes")),
          "mend the endpoint below, free disk space, or raise stoker { forwarder { spool { "
          "max_bytes } } }");
    }
    for (const json& consumer : List(spool, "consumers")) {
      if (Number(consumer, "backlog_bytes") < static_cast<double>(kLongQueue)) continue;
      Add("forwarder.queue", Level::kWarning,
          fmt::format("profiles wait for {}", Text(consumer, "name")),
          fmt::format("{:.0f} MiB", Number(consumer, "backlog_bytes") / (1 << 20)),
          "mend the endpoint below; they are delivered once it takes them");
    }
    if (const double old = Grown("stoker_forwarder_dropped", "reason=\"too_old\""); old > 0) {
      AddClock(fmt::format("{:.0f} samples of late", old));
    }
    for (const char* reason : {"spool_full", "spool_age", "failed_repeatedly"}) {
      const double lost = Grown("stoker_forwarder_dropped", fmt::format("reason=\"{}\"", reason));
      if (lost <= 0) continue;
      Add(fmt::format("forwarder.{}", reason), Level::kError, "the forwarder drops what it holds",
          fmt::format("{:.0f} samples of late: {}", lost, reason),
          "an endpoint has been failing for long: see below");
    }
  }

  void AddClock(std::string detail) {
    if (clock_told_) return;
    clock_told_ = true;
    Add("clock.skew", Level::kError, "profiles are refused as too old or from the future",
        std::move(detail),
        "compare the clocks of this host and the backend (timedatectl); start NTP on both");
  }

  void Endpoints() {
    for (const json& endpoint : List(Part("forwarder", "forwarder"), "endpoints")) {
      const std::string error = Text(endpoint, "last_error");
      absl::Time when;
      std::string unread;
      if (error.empty() ||
          !absl::ParseTime(absl::RFC3339_full, Text(endpoint, "last_error_time"), &when, &unread)) {
        continue;
      }
      if (!Flag(endpoint, "down") && view_.now - when > kRecent) continue;
      Endpoint(Text(endpoint, "component"), error);
    }
  }

  // One endpoint's last error, by what causes it. The words are the forwarder's: "status=401 msg=…"
  // of an answer, else those of the transport.
  void Endpoint(const std::string& component, const std::string& error) {
    struct Cause {
      std::string_view word;
      std::string_view id;
      std::string_view title;
      std::string_view remedy;
    };
    static constexpr std::array<Cause, 17> kCauses = {{
        {"ingestion window", "clock.skew", "", ""},
        {"No space left", "store.full", "the store's disk is full",
         "free space on its data folder, or lower its retention"},
        {"Read-only file system", "store.readonly", "the store's data folder is read-only",
         "mount it writable, or choose another with --data-dir"},
        {"status=401", "endpoint.unauthorized", "the endpoint wants other credentials",
         "check basic_auth, bearer_token or authorization of the endpoint"},
        {"status=403", "endpoint.forbidden", "the endpoint forbids what we send",
         "check the rights of these credentials, and the tenant (X-Scope-OrgID)"},
        {"status=404", "endpoint.not_found", "the endpoint's URL is not that of a Pyroscope",
         "check url: scheme, host and port, with the path prefix of a proxy only"},
        {"status=413", "endpoint.too_large", "the endpoint refuses profiles for their size",
         "raise the limits of the backend, or of the proxy before it"},
        {"status=422", "endpoint.invalid", "the endpoint refuses profiles as invalid",
         "the message names the limit or label; external_labels and relabel rules change them"},
        {"status=400", "endpoint.invalid", "the endpoint refuses profiles as invalid",
         "the message names the limit or label; external_labels and relabel rules change them"},
        {"status=429", "endpoint.limited", "the endpoint takes less than we send",
         "raise the tenant's limits there, or send less (sample_rate, targets)"},
        {"status=", "endpoint.failing", "the endpoint fails", "look at the backend's own log"},
        {"certificate", "endpoint.tls", "the endpoint's TLS certificate is not accepted",
         "set tls_config { ca_file } to who signed it, and server_name to its name"},
        {"SSL", "endpoint.tls", "no TLS connection to the endpoint",
         "check that the URL's scheme is that of the port, and tls_config"},
        {"resolve", "endpoint.unreachable", "the endpoint's host name is unknown",
         "check url and the machine's DNS"},
        {"refused", "endpoint.unreachable", "nobody listens at the endpoint's address",
         "check url, and that the backend runs"},
        {"Failed to connect", "endpoint.unreachable", "nobody listens at the endpoint's address",
         "check url, and that the backend runs"},
        {"", "endpoint.unreachable", "the endpoint does not answer",
         "check url, the network and firewalls on the way"},
    }};
    for (const Cause& cause : kCauses) {
      if (error.find(cause.word) == std::string::npos) continue;
      if (cause.id == "clock.skew") return AddClock(component + ": " + error);
      Add(std::string(cause.id), Level::kError, fmt::format("{} ({})", cause.title, component),
          error, std::string(cause.remedy));
      return;
    }
  }

  const InstanceView& view_;
  Checks checks_;
  // Processes that are told of.
  std::set<std::string> down_;
  bool clock_told_ = false;
};

}  // namespace

Checks CheckInstance(const InstanceView& view) { return Examination(view).Run(); }

}  // namespace stoker::cli
