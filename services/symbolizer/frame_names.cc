#include "services/symbolizer/frame_names.h"

#include <utility>

#include "services/symbolizer/demangle.h"

namespace stoker::symbolizer {

FrameNames::FrameNames(std::shared_ptr<const wire::StackDictionary> dictionary,
                       sample::v1::Hello::Demangle demangle, std::string tenant, TableStore& tables)
    : dictionary_(std::move(dictionary)),
      demangle_(demangle),
      tenant_(std::move(tenant)),
      tables_(tables) {}

const std::vector<FrameNames::Binary>& FrameNames::Binaries() {
  for (std::size_t i = binaries_.size(); i < dictionary_->mappings.size(); ++i) {
    const wire::StackDictionary::Mapping& mapping = dictionary_->mappings[i];
    Binary& binary = binaries_.emplace_back();
    if (!mapping.has_binary) continue;
    binary.key = mapping.binary;
    // Of a stream there is one tenant, whatever its mappings say.
    binary.key.set_tenant(tenant_);
    binary.id = TableId(binary.key);
  }
  return binaries_;
}

void FrameNames::Grow() {
  Binaries();
  resolved_.resize(dictionary_->frames.size());
}

FrameNames::Resolved FrameNames::LookUp(std::uint32_t frame) {
  return resolved_[frame] = NameFrame(dictionary_->frames[frame]);
}

FrameNames::Resolved FrameNames::NameFrame(const wire::StackDictionary::Frame& frame) {
  if (frame.function != 0) return {.naming = Naming::kNamedByNode};
  Binaries();
  Binary& binary = binaries_[frame.mapping];
  if (binary.id.empty()) return {.naming = Naming::kNoFile};
  if (binary.table == nullptr) binary.table = tables_.Find(binary.id);
  if (binary.table == nullptr) return {.naming = Naming::kNoTable};
  const auto range = binary.table->Find(LookUpAddress(frame));
  if (!range.has_value()) return {.naming = Naming::kNoSymbol};
  return {.naming = Naming::kNamed, .name = NameOf(frame.mapping, *binary.table, *range)};
}

std::uint32_t FrameNames::NameOf(std::uint32_t mapping, const Table& table, std::uint32_t range) {
  const std::uint64_t key = (std::uint64_t{mapping} << 32) | table.NameId(range);
  const auto [entry, is_new] = name_of_.try_emplace(key, static_cast<std::uint32_t>(names_.size()));
  if (is_new) {
    const std::string_view mangled = table.Name(range);
    Name& name = names_.emplace_back(Name{.shown = Demangle(mangled, demangle_)});
    if (name.shown != mangled) name.mangled = mangled;
  }
  return entry->second;
}

}  // namespace stoker::symbolizer
