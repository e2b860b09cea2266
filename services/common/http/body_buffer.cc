#include "services/common/http/body_buffer.h"

#include <algorithm>
#include <utility>

namespace stoker::http {

bool BodyBudget::TryTake(std::size_t bytes) {
  std::size_t taken = taken_.load();
  do {
    if (bytes > max_bytes_ - std::min(taken, max_bytes_)) return false;
  } while (!taken_.compare_exchange_weak(taken, taken + bytes));
  return true;
}

BodyBuffer::Result BodyBuffer::Append(std::string_view bytes) {
  const std::size_t size = bytes_.size() + bytes.size();
  if (size > max_bytes_) return Drop(Result::kTooLarge);
  if (size > bytes_.capacity()) {
    const std::size_t capacity = std::max(size, std::min(2 * bytes_.capacity(), max_bytes_));
    if (lease_ == nullptr) {
      lease_ = std::make_shared<Lease>();
      lease_->budget = budget_;
    }
    if (!budget_->TryTake(capacity - lease_->bytes)) return Drop(Result::kNoRoom);
    lease_->bytes = capacity;
    bytes_.reserve(capacity);
  }
  bytes_ += bytes;
  return Result::kAdded;
}

void BodyBuffer::MoveTo(Request& request) {
  request.body = std::exchange(bytes_, {});
  request.lease = std::exchange(lease_, nullptr);
}

BodyBuffer::Result BodyBuffer::Drop(Result result) {
  bytes_ = {};
  lease_ = nullptr;
  return result;
}

}  // namespace stoker::http
