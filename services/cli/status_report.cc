#include "services/cli/status_report.h"

#include <algorithm>
#include <array>
#include <map>
#include <set>
#include <string_view>
#include <vector>

#include <absl/strings/str_join.h>
#include <fmt/format.h>

namespace stoker::cli {
namespace {

using nlohmann::json;
using nlohmann::ordered_json;

constexpr std::size_t kShownHash = 12;

// From the best to the worst.
constexpr std::array<std::string_view, 4> kHealth = {"healthy", "unknown", "exited", "unhealthy"};

std::size_t Badness(std::string_view health) {
  return std::ranges::find(kHealth, health) - kHealth.begin();
}

std::string Text(const json& object, const char* key) {
  return object.is_object() ? object.value(key, std::string()) : std::string();
}

// One list of /debug/state that a process may not have.
json List(const json& state, const char* process, const char* part, const char* list) {
  const json::json_pointer path(fmt::format("/{}/{}/{}", process, part, list));
  return state.contains(path) ? state.at(path) : json::array();
}

// What each component has to do, by id.
std::map<std::string, std::vector<std::string>> Details(const json& state) {
  std::map<std::string, std::vector<std::string>> details;
  for (const json& each : List(state, "discovery", "discovery", "components")) {
    details[Text(each, "id")].push_back(
        !each.value("running", false) ? "nobody asks for its targets"
        : each.value("ready", false)  ? fmt::format("{} targets", each.value("targets", 0))
                                      : "looking for targets");
  }
  for (const json& each : List(state, "ebpf-collector", "ebpf", "components")) {
    details[Text(each, "id")].push_back(fmt::format(
        "{} targets, {} samples taken, {} batches waiting", each.value("targets", 0),
        each.value("samples_taken", std::uint64_t{0}), each.value("queued_batches", 0)));
  }
  for (const json& each : List(state, "forwarder", "forwarder", "endpoints")) {
    details[Text(each, "component")].push_back(fmt::format("{} profiles sent, {} waiting",
                                                           each.value("sent", std::uint64_t{0}),
                                                           each.value("open", std::uint64_t{0})));
  }
  return details;
}

ordered_json Processes(const json& state) {
  ordered_json processes = ordered_json::array();
  for (const json& each : state.value("processes", json::array())) {
    const json& said = state.value("state", json::object()).value(Text(each, "name"), json());
    const bool silent = !said.is_object() && Text(each, "state") == "ready";
    processes.push_back({{"name", Text(each, "name")},
                         {"state", silent ? "away" : Text(each, "state")},
                         {"pid", each.value("pid", 0)},
                         {"restarts", each.value("restarts", 0)},
                         {"last_end", Text(each, "last_end")},
                         {"config_hash", Text(said, "config_hash")}});
  }
  return processes;
}

struct Component {
  std::string health = "healthy";
  std::set<std::string> processes;
  std::string message;
};

ordered_json Components(const json& state) {
  std::map<std::string, Component> components;
  for (const auto& [process, said] : state.items()) {
    if (!said.is_object()) continue;
    for (const json& each : said.value("components", json::array())) {
      Component& component = components[Text(each, "id")];
      component.processes.insert(process);
      const std::string health = Text(each, "health");
      if (Badness(health) <= Badness(component.health)) continue;
      component.health = health;
      component.message = Text(each, "message");
    }
  }
  const auto details = Details(state);
  ordered_json list = ordered_json::array();
  for (const auto& [id, component] : components) {
    const auto detail = details.find(id);
    list.push_back(
        {{"id", id},
         {"health", component.health},
         {"processes", component.processes},
         {"message", component.message},
         {"detail", detail == details.end() ? "" : absl::StrJoin(detail->second, "; ")}});
  }
  return list;
}

bool IsHealthy(const ordered_json& report) {
  const auto ready = [](const ordered_json& process) { return process["state"] == "ready"; };
  const auto good = [](const ordered_json& component) {
    return component["health"] == "healthy" || component["health"] == "unknown";
  };
  return std::ranges::all_of(report["processes"], ready) &&
         std::ranges::all_of(report["components"], good) &&
         report["configuration"].value("last_load_successful", false);
}

// Columns as wide as their longest cell; the last one is free.
std::string Table(const std::vector<std::vector<std::string>>& rows) {
  std::vector<std::size_t> widths(rows.front().size());
  for (const auto& row : rows) {
    for (std::size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i) line += fmt::format("{:<{}}  ", row[i], widths[i]);
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

std::string ShortHash(const std::string& hash) { return hash.substr(0, kShownHash); }

std::string Str(const ordered_json& object, const char* key) {
  return object.value(key, std::string());
}

// Of a diagnostic, without its window of the source.
std::string FirstLine(const std::string& text) { return text.substr(0, text.find('\n')); }

std::string Problems(const ordered_json& report) {
  std::string text;
  const ordered_json& configuration = report["configuration"];
  if (!configuration.value("last_load_successful", false)) {
    text += fmt::format("  configuration not reloaded: {}\n",
                        FirstLine(Str(configuration, "last_load_error")));
  }
  for (const ordered_json& process : report["processes"]) {
    if (process["state"] == "ready") continue;
    const std::string last_end = Str(process, "last_end");
    text += fmt::format("  {} is {}{}\n", Str(process, "name"), Str(process, "state"),
                        last_end.empty() ? "" : ": " + last_end);
  }
  for (const ordered_json& component : report["components"]) {
    if (Badness(Str(component, "health")) < Badness("exited")) continue;
    text += fmt::format("  {} is {}: {}\n", Str(component, "id"), Str(component, "health"),
                        FirstLine(Str(component, "message")));
  }
  return text;
}

}  // namespace

ordered_json MakeStatusReport(const json& state) {
  const json& processes = state.value("state", json::object());
  std::string node;
  for (const auto& [process, said] : processes.items()) {
    if (node.empty()) node = Text(said, "node");
  }
  ordered_json report = {{"version", Text(state, "version")},
                         {"node", node},
                         {"healthy", false},
                         {"configuration", state.value("configuration", json::object())},
                         {"processes", Processes(state)},
                         {"components", Components(processes)}};
  report["healthy"] = IsHealthy(report);
  return report;
}

std::string StatusText(const ordered_json& report) {
  const ordered_json& configuration = report["configuration"];
  const std::string hash = Str(configuration, "hash");
  std::string text =
      fmt::format("stoker {} on {}: {}\nconfiguration {}, loaded {}\n", Str(report, "version"),
                  Str(report, "node"), report["healthy"] == true ? "healthy" : "not healthy",
                  ShortHash(hash), Str(configuration, "last_load_at"));
  text += Problems(report);
  std::vector<std::vector<std::string>> rows = {{"PROCESS", "STATE", "PID", "RESTARTS", "NOTE"}};
  for (const ordered_json& process : report["processes"]) {
    const std::string its = Str(process, "config_hash");
    rows.push_back({Str(process, "name"), Str(process, "state"),
                    std::to_string(process.value("pid", 0)),
                    std::to_string(process.value("restarts", 0)),
                    its.empty() || its == hash ? "" : "runs configuration " + ShortHash(its)});
  }
  text += "\n" + Table(rows);
  rows = {{"COMPONENT", "HEALTH", "DETAIL"}};
  for (const ordered_json& component : report["components"]) {
    rows.push_back({Str(component, "id"), Str(component, "health"), Str(component, "detail")});
  }
  return text + "\n" + Table(rows);
}

}  // namespace stoker::cli
