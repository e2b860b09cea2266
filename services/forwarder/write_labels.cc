#include "services/forwarder/write_labels.h"

#include <algorithm>
#include <string_view>

#include "services/common/base/status.h"
#include "services/common/base/utf8.h"

namespace stoker::forwarder {
namespace {

constexpr std::string_view kName = "__name__";
constexpr std::string_view kDelta = "__delta__";
constexpr std::string_view kServiceName = "service_name";

bool IsNameCharacter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
         c == '.';
}

absl::Status ValidateName(const std::string& name) {
  constexpr char kPrefix[] = "invalid labels in profile: invalid label name: ";
  if (name.empty()) return InvalidArgument("{}label name is required", kPrefix);
  const auto wrong = std::find_if_not(name.begin(), name.end(), IsNameCharacter);
  if (wrong == name.end()) return absl::OkStatus();
  std::string_view rest(&*wrong, static_cast<std::size_t>(name.end() - wrong));
  const std::string_view before = rest;
  TakeCodePoint(rest);
  return InvalidArgument("{}invalid label name: {}: character is not allowed: '{}'", kPrefix, name,
                         before.substr(0, before.size() - rest.size()));
}

}  // namespace

absl::Status ValidateLabels(const WireLabels& labels) {
  constexpr char kPrefix[] = "invalid labels in profile: ";
  if (labels.empty()) return InvalidArgument("{}service name is required", kPrefix);
  const std::string* last = nullptr;
  for (const target::v1::Label& label : labels) {
    if (last != nullptr && *last == label.name()) {
      return InvalidArgument("{}duplicate label name: {}", kPrefix, label.name());
    }
    if (ToValidUtf8(label.value()) != label.value()) {
      return InvalidArgument("{}invalid label value for {}: {}", kPrefix, label.name(),
                             ToValidUtf8(label.value()));
    }
    if (label.name() != kName) STOKER_RETURN_IF_ERROR(ValidateName(label.name()));
    last = &label.name();
  }
  return absl::OkStatus();
}

model::Labels PushLabels(const WireLabels& labels,
                         const std::map<std::string, std::string>& external) {
  std::vector<model::Label> kept;
  kept.reserve(static_cast<std::size_t>(labels.size()) + external.size());
  for (const target::v1::Label& label : labels) {
    const bool hidden =
        label.name().starts_with("__") && label.name() != kName && label.name() != kDelta;
    if (!hidden) kept.push_back({label.name(), label.value()});
  }
  for (const auto& [name, value] : external) kept.push_back({name, value});
  return model::Labels(std::move(kept));
}

std::string IngestName(const WireLabels& labels,
                       const std::map<std::string, std::string>& external) {
  std::map<std::string, std::string> all;
  for (const target::v1::Label& label : labels) all[label.name()] = label.value();
  const std::string service = all[std::string(kServiceName)];
  if (!service.empty()) all[std::string(kName)] = service;
  for (const auto& [name, value] : external) all[name] = value;
  std::string text = all[std::string(kName)] + "{";
  for (const auto& [name, value] : all) {
    if (name == kName || value.empty()) continue;
    text += (text.back() == '{' ? "" : ",") + name + "=" + value;
  }
  return text + "}";
}

}  // namespace stoker::forwarder
