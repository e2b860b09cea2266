#include "services/symbolizer/frame_names.h"

#include <utility>

#include <xxhash.h>

#include "services/symbolizer/demangle.h"

namespace stoker::symbolizer {

std::size_t FrameNames::FunctionHash::operator()(const Function& function) const {
  return XXH3_64bits(&function, sizeof function);
}

FrameNames::FrameNames(std::shared_ptr<const wire::StackDictionary> dictionary,
                       sample::v1::Hello::Demangle demangle, std::string tenant, TableStore& tables)
    : dictionary_(std::move(dictionary)),
      demangle_(demangle),
      tenant_(std::move(tenant)),
      tables_(tables) {}

const std::vector<FrameNames::Binary>& FrameNames::Binaries() {
  TakeBetterTables();
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

// A table of symbols alone is replaced when that of the debug information has come: what was looked
// up in it is looked up again.
void FrameNames::TakeBetterTables() {
  for (std::uint32_t mapping = 0; mapping < binaries_.size(); ++mapping) {
    Binary& binary = binaries_[mapping];
    if (binary.table == nullptr || binary.table->full()) continue;
    std::shared_ptr<const Table> table = tables_.Find(binary.id);
    if (table == nullptr || table == binary.table) continue;
    binary.table = std::move(table);
    const auto is_old = [mapping](const auto& entry) { return entry.first >> 32 == mapping; };
    std::erase_if(name_of_, is_old);
    std::erase_if(path_of_, is_old);
    for (std::size_t i = 0; i < resolved_.size(); ++i) {
      if (dictionary_->frames[i].mapping == mapping) resolved_[i] = {};
    }
  }
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
  if (frame.mapping >= binaries_.size()) Binaries();
  Binary& binary = binaries_[frame.mapping];
  if (binary.id.empty()) return {.naming = Naming::kNoFile};
  if (binary.table == nullptr) binary.table = tables_.Find(binary.id);
  if (binary.table == nullptr) return {.naming = Naming::kNoTable};
  binary.table->Find(LookUpAddress(frame), frames_);
  // Without the name of the function that has the address the inlined ones say little.
  if (frames_.empty() || frames_.back().name == 0) return {.naming = Naming::kNoSymbol};
  Resolved resolved = {.naming = Naming::kNamed,
                       .first_line = static_cast<std::uint32_t>(lines_.size())};
  for (const Table::Frame& found : frames_) {
    if (found.name == 0) continue;
    lines_.push_back(LineOf(frame.mapping, *binary.table, found));
    ++resolved.line_count;
  }
  return resolved;
}

FrameNames::Line FrameNames::LineOf(std::uint32_t mapping, const Table& table,
                                    const Table::Frame& frame) {
  return {.function = FunctionOf(mapping, table, frame), .line = frame.line};
}

// The file of a function is that of its line: pprof has no other place for it.
std::uint32_t FrameNames::FunctionOf(std::uint32_t mapping, const Table& table,
                                     const Table::Frame& frame) {
  const std::uint32_t file = frame.file != 0 ? frame.file : frame.start_file;
  const Function function = {
      .name = NameOf(mapping, table, frame.name),
      .path = PathOf(mapping, table, file),
      // Of another file a line says nothing.
      .start_line = file == frame.start_file ? frame.start_line : 0,
  };
  const auto [entry, is_new] =
      function_of_.try_emplace(function, static_cast<std::uint32_t>(functions_.size()));
  if (is_new) functions_.push_back(function);
  return entry->second;
}

std::uint32_t FrameNames::NameOf(std::uint32_t mapping, const Table& table, std::uint32_t text) {
  const auto [entry, is_new] = name_of_.try_emplace(std::uint64_t{mapping} << 32 | text,
                                                    static_cast<std::uint32_t>(names_.size()));
  if (is_new) {
    const std::string_view mangled = table.Text(text);
    Name& name = names_.emplace_back(Name{.shown = Demangle(mangled, demangle_)});
    if (name.shown != mangled) name.mangled = mangled;
  }
  return entry->second;
}

std::uint32_t FrameNames::PathOf(std::uint32_t mapping, const Table& table, std::uint32_t file) {
  if (file == 0) return 0;
  const auto [entry, is_new] = path_of_.try_emplace(std::uint64_t{mapping} << 32 | file,
                                                    static_cast<std::uint32_t>(paths_.size()));
  if (is_new) paths_.push_back(table.Path(file));
  return entry->second;
}

}  // namespace stoker::symbolizer
