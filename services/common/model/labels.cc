#include "services/common/model/labels.h"

#include <algorithm>
#include <utility>

#include <nlohmann/json.hpp>

namespace stoker::model {
namespace {

auto LowerBound(auto& labels, std::string_view name) {
  return std::lower_bound(labels.begin(), labels.end(), name,
                          [](const Label& label, std::string_view n) { return label.name < n; });
}

}  // namespace

Labels::Labels(std::initializer_list<Label> labels) : Labels(std::vector<Label>(labels)) {}

Labels::Labels(std::vector<Label> labels) : labels_(std::move(labels)) {
  std::stable_sort(labels_.begin(), labels_.end(),
                   [](const Label& a, const Label& b) { return a.name < b.name; });
  // Of a run of equal names the last stays, and only with a value.
  std::size_t kept = 0;
  for (std::size_t i = 0; i < labels_.size(); ++i) {
    const bool last = i + 1 == labels_.size() || labels_[i + 1].name != labels_[i].name;
    if (!last || labels_[i].value.empty()) continue;
    if (kept != i) labels_[kept] = std::move(labels_[i]);
    ++kept;
  }
  labels_.resize(kept);
}

std::string_view Labels::Get(std::string_view name) const {
  const auto it = LowerBound(labels_, name);
  if (it == labels_.end() || it->name != name) return {};
  return it->value;
}

bool Labels::Has(std::string_view name) const { return !Get(name).empty(); }

void Labels::Set(std::string_view name, std::string_view value) {
  if (value.empty()) return Erase(name);
  const auto it = LowerBound(labels_, name);
  if (it != labels_.end() && it->name == name) {
    it->value = value;
  } else {
    labels_.insert(it, Label{std::string(name), std::string(value)});
  }
}

void Labels::Erase(std::string_view name) {
  const auto it = LowerBound(labels_, name);
  if (it != labels_.end() && it->name == name) labels_.erase(it);
}

std::string Labels::ToString() const {
  std::string text = "{";
  for (const Label& label : labels_) {
    if (text.size() > 1) text += ", ";
    text +=
        label.name + "=" +
        nlohmann::json(label.value).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
  }
  return text + "}";
}

}  // namespace stoker::model
