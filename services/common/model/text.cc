#include "services/common/model/text.h"

#include <cstring>
#include <new>

#include <xxhash.h>

#include "services/common/model/sharing_table.h"

namespace stoker::model {
namespace {

// Longer texts are rarely the same, and would make the table large.
constexpr std::size_t kMaxShared = 256;
// 32,768 texts: what a cluster's targets have in common.
constinit SharingTable<Text, 8192, Admission::kSecondTime> table;

}  // namespace

Text::Text(std::string_view text) {
  if (text.empty()) return;
  void* const room = ::operator new(sizeof(Body) + text.size());
  body_ = new (room) Body{1, static_cast<std::uint32_t>(text.size())};
  std::memcpy(static_cast<char*>(room) + sizeof(Body), text.data(), text.size());
}

void Text::Free(Body* body) noexcept {
  body->~Body();
  ::operator delete(body);
}

Text Text::Shared(std::string_view text) {
  if (text.empty() || text.size() > kMaxShared) return Text(text);
  return table.Find(
      XXH3_64bits(text.data(), text.size()), [text](const Text& held) { return held == text; },
      [text] { return Text(text); });
}

}  // namespace stoker::model
