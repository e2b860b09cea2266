#pragma once

#include <map>
#include <string>
#include <string_view>
#include <utility>

#include <absl/status/status.h>
#include <absl/status/statusor.h>

#include "services/common/config/configuration.h"

namespace stoker::config {

// The arguments of the components of one type over the reloads of a process: a component whose
// expressions or values are refused keeps its last good arguments, and the others proceed. T is the
// struct of the type in components/. Not thread-safe.
template <typename T>
class LastGood {
 public:
  explicit LastGood(std::string_view type) : type_(type) {}

  // Takes over what `configuration` says now.
  void Update(const Configuration& configuration) {
    std::map<std::string, T> arguments;
    failed_.clear();
    for (const std::string& id : configuration.Components(type_)) {
      absl::StatusOr<T> read = configuration.Arguments<T>(id);
      if (!read.ok()) failed_.emplace(id, read.status());
      const auto last = arguments_.find(id);
      if (read.ok()) {
        arguments.emplace(id, *std::move(read));
      } else if (last != arguments_.end()) {
        arguments.emplace(id, std::move(last->second));
      }
    }
    arguments_ = std::move(arguments);
  }

  // By component id. A component that never had good arguments is not there.
  [[nodiscard]] const std::map<std::string, T>& arguments() const { return arguments_; }
  // Components that are not as the configuration says, and why.
  [[nodiscard]] const std::map<std::string, absl::Status>& failed() const { return failed_; }

 private:
  std::string_view type_;
  std::map<std::string, T> arguments_;
  std::map<std::string, absl::Status> failed_;
};

}  // namespace stoker::config
