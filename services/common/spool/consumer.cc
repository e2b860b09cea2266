#include "services/common/spool/consumer.h"

#include <algorithm>
#include <utility>

namespace stoker::spool {

Consumer::Consumer(std::string name, std::uint64_t cursor)
    : name_(std::move(name)), start_(cursor), cursor_(cursor) {}

void Consumer::HandOut(const std::vector<Item>& items, std::uint64_t segment) {
  window_.insert(window_.end(), items.begin(), items.end());
  segment_ = std::max(segment_, segment);
}

std::vector<Consumer::Item> Consumer::Done(std::uint64_t sequence) {
  std::vector<Item> passed;
  const auto found = Find(sequence);
  if (found == window_.end()) return passed;
  window_[static_cast<std::size_t>(found - window_.begin())].done = true;
  while (!window_.empty() && window_.front().done) {
    cursor_ = window_.front().sequence;
    passed.push_back(window_.front());
    window_.pop_front();
  }
  return passed;
}

bool Consumer::Holds(std::uint64_t sequence) const {
  const auto found = Find(sequence);
  return found != window_.end() && !found->done;
}

std::deque<Consumer::Item>::const_iterator Consumer::Find(std::uint64_t sequence) const {
  const auto item = std::lower_bound(
      window_.begin(), window_.end(), sequence,
      [](const Item& each, std::uint64_t wanted) { return each.sequence < wanted; });
  return item != window_.end() && item->sequence == sequence ? item : window_.end();
}

void Consumer::Forget(std::uint64_t segment) {
  std::erase_if(window_, [&](const Item& item) { return item.segment == segment; });
}

bool Consumer::IsPast(std::uint64_t segment) const {
  return segment_ > segment && (window_.empty() || window_.front().segment > segment);
}

}  // namespace stoker::spool
