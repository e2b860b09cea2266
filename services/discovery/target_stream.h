#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include <absl/time/time.h>

#include "services/common/model/target.h"
#include "services/discovery/target_output.h"

namespace stoker::discovery {

// A change of a list as one message tells it.
struct TargetChange {
  // Ids are unique within the stream: of equal ones of a list the second is "<id>#2".
  std::vector<std::pair<model::Text, model::TargetPtr>> upsert;
  std::vector<model::Text> remove;
  bool synced = false;
  bool operator==(const TargetChange&) const = default;
};

// What one stream has told its consumer, and what it has yet to tell. It holds the newest list
// only: a slow consumer skips what lay between. Not thread-safe.
class TargetStream {
 public:
  // The list as it is now.
  void Offer(const TargetOutput& output);

  // When the next message may go; nothing where there is nothing to tell. Changes are at least 0.2
  // s apart; the parts of one follow each other at once.
  [[nodiscard]] std::optional<absl::Duration> NextAt() const;

  // The next message, at most about 1 MiB. Nothing when it turned out empty. Call it at NextAt or
  // later.
  std::optional<TargetChange> Take(absl::Duration now);

  // Targets the consumer has, those under way included.
  [[nodiscard]] std::size_t told() const { return told_.size(); }
  [[nodiscard]] bool synced() const { return synced_; }

 private:
  // Queues what the list has and the consumer does not, and the other way round.
  void Compare();
  // The same where few places of the list changed since it was told whole: what did not change
  // costs next to nothing. False where it cannot be done so; nothing has happened then.
  bool CompareChanged();
  void Queue(model::Text id, model::TargetPtr target, std::size_t& bytes);

  std::shared_ptr<const model::TargetVector> list_;
  bool ready_ = false;
  std::uint64_t version_ = 0;
  // The list was offered and not yet compared with what was told.
  bool pending_ = false;
  std::unordered_map<model::Text, model::TargetPtr> told_;
  // The list that `told_` holds, without repeated ids; null where it holds something else.
  std::shared_ptr<const model::TargetVector> told_list_;
  std::deque<TargetChange> parts_;
  bool synced_ = false;
  absl::Duration not_before_ = absl::ZeroDuration();
};

}  // namespace stoker::discovery
