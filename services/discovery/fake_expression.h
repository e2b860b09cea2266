#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "services/discovery/plan.h"

namespace stoker::discovery {

// An expression that puts together targets of its own and those of components; or fails.
class FakeExpression final : public TargetExpression {
 public:
  explicit FakeExpression(std::vector<std::string> references, model::TargetVector own = {},
                          absl::Status status = {})
      : references_(std::move(references)), own_(std::move(own)), status_(std::move(status)) {}

  [[nodiscard]] const std::vector<std::string>& references() const override { return references_; }

  [[nodiscard]] absl::StatusOr<model::TargetVector> Evaluate(
      const Lookup& targets_of) const override {
    if (!status_.ok()) return status_;
    model::TargetVector targets = own_;
    for (const std::string& id : references_) {
      const model::TargetVector& more = targets_of(id);
      targets.insert(targets.end(), more.begin(), more.end());
    }
    return targets;
  }

 private:
  const std::vector<std::string> references_;
  const model::TargetVector own_;
  const absl::Status status_;
};

inline TargetExpressionPtr References(std::vector<std::string> components) {
  return std::make_shared<FakeExpression>(std::move(components));
}

inline model::TargetPtr MakeTarget(std::string id, model::Labels labels) {
  return std::make_shared<const model::Target>(model::Target{std::move(id), std::move(labels), 0});
}

}  // namespace stoker::discovery
