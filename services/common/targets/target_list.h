#pragma once

#include <cstdint>
#include <deque>
#include <map>
#include <string>
#include <vector>

#include <absl/time/time.h>

#include "services/common/model/target.h"

namespace stoker::targets {

// The targets of one consumer, as the streams of a Watch tell them. Nothing vanishes early: the
// list outlives the loss of a stream, a new stream replaces it only once it is synced, and a
// removed target lingers, since the last samples of a process are matched after its end. Time is
// what the caller gives, and never goes back. Not thread-safe.
class TargetList {
 public:
  // `linger`: how long a removed target stays; 0 for a consumer of addresses.
  explicit TargetList(absl::Duration linger) : linger_(linger) {}

  // A change as the wire has it.
  struct Change {
    std::vector<model::Target> upsert;
    std::vector<std::string> remove;
    bool synced = false;
  };

  // From now on, of targets that are removed.
  void SetLinger(absl::Duration linger) { linger_ = linger; }

  // A new stream begins. What the old one told stays until the new one is synced.
  void BeginStream();

  // Applies the next change of the current stream.
  void Apply(Change change, absl::Duration now);

  // Forgets removed targets whose time is over. True when the list changed.
  bool Expire(absl::Duration now);

  // All targets: first those that linger, then the others, each sorted by id. So where the last
  // of equal targets wins, it is one that is still there.
  [[nodiscard]] model::TargetVector Targets() const;

  // True since any stream was synced.
  [[nodiscard]] bool synced() const { return synced_; }
  [[nodiscard]] std::size_t size() const { return entries_.size(); }
  // Targets refused because the list was full.
  [[nodiscard]] std::uint64_t refused() const { return refused_; }

 private:
  struct Entry {
    model::TargetPtr target;
    // The stream that told it last.
    std::uint64_t stream = 0;
    // Not zero: removed, stays until then.
    std::uint64_t removal = 0;
  };
  using Entries = std::map<model::Text, Entry, std::less<>>;

  struct Removal {
    absl::Duration until;
    std::uint64_t number = 0;
    model::Text id;
  };

  void Upsert(model::Target target);
  // Returns the entry after `entry`.
  Entries::iterator Remove(Entries::iterator entry, absl::Duration now);
  void ForgetOlderStreams(absl::Duration now);
  void DropFirstRemoval();

  absl::Duration linger_;
  Entries entries_;
  // In the order of their ends. One whose target came back is void.
  std::deque<Removal> lingering_;
  std::uint64_t stream_ = 0;
  std::uint64_t removals_ = 0;
  std::uint64_t refused_ = 0;
  bool stream_synced_ = false;
  bool synced_ = false;
};

}  // namespace stoker::targets
