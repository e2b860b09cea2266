#include "services/common/model/label_editor.h"

#include <algorithm>
#include <memory>
#include <new>

#include "services/common/model/label_block.h"
#include "services/common/model/sharing_table.h"

namespace stoker::model {
namespace {

// Kinds of targets, and objects whose targets are made just now.
constinit SharingTable<Counted<LabelLayout>, 512, Admission::kSecondTime> layouts;
constinit SharingTable<Counted<CommonValues>, 64, Admission::kAlways> commons;

// A smaller common part costs what it saves.
constexpr std::size_t kLeastCommon = 4;

std::uint64_t Mix(std::uint64_t hash, std::uint64_t value) {
  hash = (hash ^ value) * 0x9e3779b97f4a7c15;
  return hash ^ hash >> 29;
}

// A Thing with room for `size` elements behind it.
template <typename Thing, typename Element>
Thing* NewThing(std::size_t size) {
  static_assert(sizeof(Thing) % alignof(Element) == 0);
  return new (::operator new(sizeof(Thing) + size * sizeof(Element))) Thing;
}

}  // namespace

void CommonValues::Free(CommonValues* common) {
  std::destroy_n(const_cast<Text*>(common->values()), common->size);
  common->~CommonValues();
  ::operator delete(common);
}

void LabelLayout::Free(LabelLayout* layout) {
  std::destroy_n(const_cast<Field*>(layout->fields()), layout->size);
  layout->~LabelLayout();
  ::operator delete(layout);
}

LabelEditor::LabelEditor(Labels from) : from_(std::move(from)) {
  const Labels::Block* const block = from_.block_;
  if (block == nullptr) return;
  const LabelLayout& layout = *block->layout.get();
  constexpr std::size_t kRoom = 12;
  entries_.reserve(layout.size + kRoom);
  for (std::size_t i = 0; i < layout.size; ++i) {
    const LabelLayout::Field& field = layout.fields()[i];
    entries_.push_back({field.name, block->ValueOf(field), field.place < layout.common});
  }
}

LabelEditor LabelEditor::OnTopOf(Labels common) {
  LabelEditor editor(std::move(common));
  for (Entry& entry : editor.entries_) entry.common = true;
  editor.changed_ = true;
  return editor;
}

std::vector<LabelEditor::Entry>::iterator LabelEditor::LowerBound(std::string_view name) {
  return std::lower_bound(
      entries_.begin(), entries_.end(), name,
      [](const Entry& entry, std::string_view n) { return entry.name.view() < n; });
}

const LabelEditor::Entry* LabelEditor::Find(std::string_view name) const {
  const auto entry =
      std::lower_bound(entries_.begin(), entries_.end(), name,
                       [](const Entry& one, std::string_view n) { return one.name.view() < n; });
  return entry == entries_.end() || entry->name.view() != name ? nullptr : &*entry;
}

std::string_view LabelEditor::Get(std::string_view name) const {
  const Entry* const entry = Find(name);
  return entry == nullptr ? std::string_view() : entry->value.view();
}

TextRef LabelEditor::Hold(std::string_view text) { return made_.emplace_back(Text::Shared(text)); }

void LabelEditor::Append(std::string_view name, std::string_view value) {
  entries_.push_back({Hold(name), Hold(value), false});
  changed_ = true;
}

LabelEditor::Value LabelEditor::ValueOf(std::string_view name) const {
  const Entry* const entry = Find(name);
  return entry == nullptr ? Value() : ValueAt(static_cast<std::size_t>(entry - entries_.data()));
}

LabelEditor::Value LabelEditor::ValueAt(std::size_t index) const {
  Value value;
  value.text = entries_[index].value;
  value.common = entries_[index].common;
  return value;
}

void LabelEditor::Set(std::string_view name, Value value) {
  if (value.text.view().empty()) return Erase(name);
  const auto entry = LowerBound(name);
  if (entry == entries_.end() || entry->name.view() != name) {
    entries_.insert(entry, {Hold(name), value.text, value.common});
  } else {
    if (entry->value.view() == value.text.view()) return;
    entry->value = value.text;
    entry->common = value.common;
  }
  changed_ = true;
}

void LabelEditor::Set(std::string_view name, std::string_view value) {
  if (value.empty()) return Erase(name);
  const Entry* const entry = Find(name);
  if (entry != nullptr && entry->value.view() == value) return;
  Value made;
  made.text = Hold(value);
  Set(name, made);
}

void LabelEditor::Erase(std::string_view name) {
  const auto entry = LowerBound(name);
  if (entry == entries_.end() || entry->name.view() != name) return;
  entries_.erase(entry);
  changed_ = true;
}

Counted<CommonValues> LabelEditor::MakeCommon() const {
  std::vector<TextRef> values;
  std::uint64_t hash = 0;
  for (const Entry& entry : entries_) {
    if (!entry.common) continue;
    values.push_back(entry.value);
    hash = Mix(hash, entry.value.address());
  }
  if (values.size() < kLeastCommon) return {};
  const auto equal = [&values](const Counted<CommonValues>& held) {
    return std::equal(held->values(), held->values() + held->size, values.begin(), values.end(),
                      [](const Text& a, TextRef b) { return b.SameAs(a); });
  };
  return commons.Find(hash, equal, [&values] {
    auto* const made = NewThing<CommonValues, Text>(values.size());
    std::uninitialized_copy(values.begin(), values.end(), const_cast<Text*>(made->values()));
    made->size = static_cast<std::uint32_t>(values.size());
    return Counted<CommonValues>(made);
  });
}

Counted<LabelLayout> LabelEditor::MakeLayout(bool with_common) const {
  std::vector<std::uint32_t> places;
  places.reserve(entries_.size());
  std::uint32_t common = 0;
  for (const Entry& entry : entries_) common += with_common && entry.common ? 1 : 0;
  std::uint64_t hash = common;
  std::uint32_t next_common = 0;
  std::uint32_t next_own = common;
  for (const Entry& entry : entries_) {
    places.push_back(with_common && entry.common ? next_common++ : next_own++);
    hash = Mix(hash, entry.name.address() ^ places.back());
  }
  const auto equal = [&](const Counted<LabelLayout>& held) {
    return std::equal(
        held->fields(), held->fields() + held->size, entries_.begin(), entries_.end(),
        [&, i = std::size_t{0}](const LabelLayout::Field& field, const Entry& entry) mutable {
          return entry.name.SameAs(field.name) && field.place == places[i++];
        });
  };
  return layouts.Find(hash, equal, [&] {
    auto* const made = NewThing<LabelLayout, LabelLayout::Field>(entries_.size());
    made->common = common;
    auto* const fields = const_cast<LabelLayout::Field*>(made->fields());
    for (std::size_t i = 0; i < entries_.size(); ++i) {
      new (fields + i) LabelLayout::Field{Text(entries_[i].name), places[i]};
      made->size = static_cast<std::uint32_t>(i + 1);
    }
    return Counted<LabelLayout>(made);
  });
}

Labels LabelEditor::Make() const {
  if (!changed_) return from_;
  if (entries_.empty()) return {};
  Counted<CommonValues> common = MakeCommon();
  const bool with_common = !common.empty();
  const std::size_t own = entries_.size() - (with_common ? common->size : 0);
  auto* const block = NewThing<Labels::Block, Text>(own);
  block->layout = MakeLayout(with_common);
  block->common = std::move(common);
  auto* next = const_cast<Text*>(block->values());
  for (const Entry& entry : entries_) {
    if (!with_common || !entry.common) new (next++) Text(entry.value);
  }
  block->size = static_cast<std::uint32_t>(own);
  return Labels(block);
}

}  // namespace stoker::model
