#include "services/collector/ebpf/walker/publisher.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <utility>

#include "services/collector/ebpf/walker/stack_walk.h"
#include "services/common/elf/inspect.h"

namespace stoker::ebpf::walker {
namespace {

constexpr std::uint64_t kPageBytes = 4096;
constexpr std::uint64_t kMaxAddress = std::uint64_t{1} << STOKER_UNWIND_ADDRESS_BITS;
constexpr int kDirectoryShift = STOKER_UNWIND_PAGE_BITS + STOKER_UNWIND_DIRECTORY_BITS;
// How long a file's directories stay that no process needs.
constexpr absl::Duration kIdleFile = absl::Minutes(10);
// Of the pages there are, how many go when the memory is full.
constexpr std::size_t kEvictedShare = 8;

std::string KeyOf(const BinaryPtr& binary) { return binary->inspection.key().SerializeAsString(); }

void StoreBody(stoker_unwind_page& page, std::uint64_t body) {
  // The walker reads it while this is written: what it leads to is there first.
  std::atomic_ref<__u64>(page.body).store(body, std::memory_order_release);
}

// The ELF virtual address of an executable mapping's first byte. Its page may begin with the end of
// a segment that is not executable, whose address would be another.
std::optional<std::uint64_t> ElfStart(const Binary& binary, std::uint64_t file_offset) {
  for (const elf::LoadSegment& segment : binary.inspection.load_segments()) {
    constexpr std::uint32_t kExecutable = 1;
    if ((segment.flags() & kExecutable) == 0 || segment.address() < segment.offset()) continue;
    const std::uint64_t first = segment.offset() / kPageBytes * kPageBytes;
    const std::uint64_t end = segment.offset() + segment.file_size();
    if (file_offset < first || file_offset >= end) continue;
    return segment.address() - segment.offset() + file_offset;
  }
  return elf::ElfAddress(binary.inspection, 0, file_offset, 0);
}

stoker_unwind_mapping MakeMapping(std::uint64_t start, std::uint64_t end, std::uint64_t elf,
                                  std::uint32_t directory, stoker_unwind_kind kind) {
  return {.key = start / kPageBytes << STOKER_UNWIND_KEY_SHIFT | std::uint64_t{directory} << 4 |
                 static_cast<std::uint64_t>(kind),
          .pages = static_cast<std::uint32_t>((end - start) / kPageBytes),
          .elf_page = static_cast<std::uint32_t>(elf / kPageBytes)};
}

}  // namespace

PublishedImage::PublishedImage(Publisher& publisher, procfs::ProcessKey process, ImagePtr image)
    : publisher_(publisher), process_(process), image_(std::move(image)) {}

PublishedImage::~PublishedImage() { publisher_.Release(*this); }

Publisher::Publisher(Memory& memory, TableSource& tables)
    : memory_(memory), tables_(tables), arena_(memory) {
  // Rule 0: what rules become that find no room.
  memory_.Rules()[0] = {.cfa = STOKER_CFA_UNSUPPORTED};
  counts_.rules = 1;
}

void Publisher::Publish(Process& process) {
  if (process.image == nullptr) return;
  auto& published = process.published;
  if (published == nullptr) {
    published = std::make_shared<PublishedImage>(*this, process.key, process.image);
  }
  published->image_ = process.image;
  dirty_.insert(published.get());
}

void Publisher::Release(PublishedImage& image) {
  const auto pid = static_cast<std::uint32_t>(image.process_.pid);
  if (const auto current = current_.find(pid);
      current != current_.end() && current->second == &image) {
    memory_.RemoveProcess(pid);
    current_.erase(current);
  }
  for (const PublishedImage::Part& part : image.parts_) {
    arena_.Free(part.place, part.bytes, last_now_);
  }
  dirty_.erase(&image);
  for (auto& [file, images] : waiting_) images.erase(&image);
}

void Publisher::Update(absl::Duration now) {
  last_now_ = now;
  arena_.Reclaim(now);
  for (TableSource::Ready& ready : tables_.TakeReady()) {
    ++version_;
    const auto found = files_.find(KeyOf(ready.binary));
    if (found == files_.end()) continue;
    File& file = *found->second;
    file.answered = true;
    file.table = std::move(ready.table);
    if (file.table != nullptr) file.rules.resize(file.table->rules().size());
    const auto waiting = waiting_.find(&file);
    if (waiting == waiting_.end()) continue;
    dirty_.insert(waiting->second.begin(), waiting->second.end());
    waiting_.erase(waiting);
  }
  for (PublishedImage* image : std::exchange(dirty_, {})) {
    if (Write(*image, now)) {
      ++version_;
    } else {
      dirty_.insert(image);
    }
  }
}

bool Publisher::Write(PublishedImage& image, absl::Duration now) {
  for (auto& [file, images] : waiting_) images.erase(&image);
  image.files_.clear();
  std::vector<stoker_unwind_mapping> mappings;
  for (const Image::Mapping& mapping : image.image_->mappings()) {
    if (mapping.place.end > kMaxAddress) continue;
    if (!AddMapping(image, mapping, mappings, now)) {
      Evict(now);
      return false;
    }
  }
  stoker_unwind_process value{.start_ticks = image.process_.start_ticks};
  std::vector<PublishedImage::Part> parts;
  std::span<const stoker_unwind_mapping> rest(mappings);
  for (int piece = 0; piece < STOKER_UNWIND_PIECES && !rest.empty(); ++piece) {
    const std::size_t count = std::min<std::size_t>(rest.size(), STOKER_UNWIND_PIECE_MAPPINGS);
    const std::size_t bytes = count * sizeof(stoker_unwind_mapping);
    const std::uint32_t place = arena_.Allocate(bytes);
    if (place == 0) {
      for (const auto& part : parts) arena_.Free(part.place, part.bytes, now);
      Evict(now);
      return false;
    }
    std::memcpy(arena_.At(place), rest.data(), bytes);
    parts.push_back({place, bytes});
    value.place[piece] = place;
    value.count[piece] = static_cast<__u32>(count);
    value.first[piece] = rest.front().key >> STOKER_UNWIND_KEY_SHIFT;
    rest = rest.subspan(count);
  }
  value.python = WritePython(image, parts);
  const auto pid = static_cast<std::uint32_t>(image.process_.pid);
  std::atomic_thread_fence(std::memory_order_release);
  // Without it the walker leaves the process' stacks to user space.
  (void)memory_.SetProcess(pid, value);
  current_[pid] = &image;
  for (const auto& part : std::exchange(image.parts_, std::move(parts))) {
    arena_.Free(part.place, part.bytes, now);
  }
  image.value_ = value;
  return true;
}

std::uint32_t Publisher::WritePython(const PublishedImage& image,
                                     std::vector<PublishedImage::Part>& parts) {
  for (const Image::Mapping& mapping : image.image_->mappings()) {
    const BinaryPtr& binary = mapping.slot->binary;
    if (binary == nullptr || binary->python == nullptr) continue;
    const auto elf = ElfStart(*binary, mapping.place.file_offset);
    if (!elf) continue;
    const std::uint64_t bias = mapping.place.start - *elf;
    stoker_python python = binary->python->walk;
    python.runtime += bias;
    if (python.code_type != 0) python.code_type += bias;
    for (stoker_python_loop& loop : python.loops) {
      if (loop.bytes != 0) loop.start += bias;
    }
    const std::uint32_t place = arena_.Allocate(sizeof(python));
    if (place == 0) return 0;
    std::memcpy(arena_.At(place), &python, sizeof(python));
    parts.push_back({place, sizeof(python)});
    return place;
  }
  return 0;
}

bool Publisher::AddMapping(PublishedImage& image, const Image::Mapping& mapping,
                           std::vector<stoker_unwind_mapping>& to, absl::Duration now) {
  const auto& [start, end, file_offset, inode, path] = mapping.place;
  const BinaryPtr& binary = mapping.slot->binary;
  if (binary == nullptr) {
    const bool has_bytes = inode != 0 || path == "[vdso]";
    to.push_back(MakeMapping(start, end, 0, 0,
                             has_bytes ? STOKER_UNWIND_PENDING : STOKER_UNWIND_FRAME_POINTERS));
    return true;
  }
  const auto elf =
      binary->unreadable_reason.empty() ? ElfStart(*binary, file_offset) : std::nullopt;
  if (!elf || *elf % kPageBytes != 0 || *elf / kPageBytes > UINT32_MAX) {
    to.push_back(MakeMapping(start, end, 0, 0, STOKER_UNWIND_FRAME_POINTERS));
    return true;
  }
  File& file = FileOf(binary, now);
  image.files_.insert(KeyOf(binary));
  if (!file.answered) {
    waiting_[&file].insert(&image);
    to.push_back(MakeMapping(start, end, *elf, 0, STOKER_UNWIND_PENDING));
    return true;
  }
  if (file.table == nullptr || file.table->pages().empty()) {
    to.push_back(MakeMapping(start, end, *elf, 0, STOKER_UNWIND_FRAME_POINTERS));
    return true;
  }
  for (std::uint64_t at = start; at < end;) {
    const std::uint64_t address = *elf + (at - start);
    const std::uint64_t window = address >> kDirectoryShift;
    const std::uint64_t next = std::min(end, at + (((window + 1) << kDirectoryShift) - address));
    const Directory* directory = DirectoryOf(file, static_cast<std::uint32_t>(window));
    if (directory == nullptr) return false;
    to.push_back(MakeMapping(at, next, address, directory->place, STOKER_UNWIND_TABLE));
    at = next;
  }
  return true;
}

Publisher::File& Publisher::FileOf(const BinaryPtr& binary, absl::Duration now) {
  auto& file = files_[KeyOf(binary)];
  if (file == nullptr) {
    file = std::make_unique<File>();
    tables_.Request(binary);
    counts_.files = files_.size();
  }
  file->last_needed = now;
  return *file;
}

Publisher::Directory* Publisher::DirectoryOf(File& file, std::uint32_t number) {
  if (const auto known = file.directories.find(number); known != file.directories.end()) {
    return &known->second;
  }
  const auto pages = file.table->pages();
  const std::uint32_t base = number << STOKER_UNWIND_DIRECTORY_BITS;
  const auto begin = std::ranges::lower_bound(pages, base, {}, &unwind::TablePage::number);
  const auto end = std::ranges::lower_bound(pages, base + (1 << STOKER_UNWIND_DIRECTORY_BITS), {},
                                            &unwind::TablePage::number);
  Directory directory;
  if (begin != end) {
    directory.first = begin->number;
    directory.count = std::prev(end)->number - begin->number + 1;
  }
  const std::size_t bytes =
      sizeof(stoker_unwind_directory) + directory.count * sizeof(stoker_unwind_page);
  directory.place = arena_.Allocate(bytes);
  if (directory.place == 0) return nullptr;
  std::uint8_t* to = arena_.At(directory.place);
  std::memset(to, 0, bytes);
  const stoker_unwind_directory header{.first = directory.first, .count = directory.count};
  std::memcpy(to, &header, sizeof(header));
  return &file.directories.emplace(number, directory).first->second;
}

stoker_unwind_page* Publisher::PageOf(const Directory& directory, std::uint32_t number) {
  auto* entries = reinterpret_cast<stoker_unwind_page*>(arena_.At(directory.place) +
                                                        sizeof(stoker_unwind_directory));
  return entries + (number - directory.first);
}

Publisher::Fill Publisher::FillPage(const PublishedImage& image, std::uint64_t address,
                                    absl::Duration now) {
  const Image::Mapping* mapping = image.image_->Find(address);
  if (mapping == nullptr) return Fill::kNever;
  const BinaryPtr& binary = mapping->slot->binary;
  // Not asked for yet, or not answered.
  if (binary == nullptr) return Fill::kLater;
  if (!binary->unreadable_reason.empty()) return Fill::kNever;
  const auto elf = ElfStart(*binary, mapping->place.file_offset);
  if (!elf) return Fill::kNever;
  File& file = FileOf(binary, now);
  if (!file.answered) return Fill::kLater;
  if (file.table == nullptr) return Fill::kNever;
  const std::uint64_t at = *elf + (address - mapping->place.start);
  const auto directory = file.directories.find(static_cast<std::uint32_t>(at >> kDirectoryShift));
  if (directory == file.directories.end()) return Fill::kLater;
  const auto number = static_cast<std::uint32_t>(at >> STOKER_UNWIND_PAGE_BITS);
  const Directory& entries = directory->second;
  if (number < entries.first || number - entries.first >= entries.count) return Fill::kThere;
  stoker_unwind_page& page = *PageOf(entries, number);
  if (page.body != 0) return Fill::kThere;
  const unwind::TablePage* from = file.table->FindPage(number);
  if (from == nullptr || from->row_count == 0) {
    StoreBody(page, STOKER_UNWIND_NO_ROWS);
    return Fill::kThere;
  }
  if (CopyPage(file, *from, page)) return Fill::kThere;
  Evict(now);
  return Fill::kLater;
}

bool Publisher::CopyPage(File& file, const unwind::TablePage& from, stoker_unwind_page& to) {
  const std::span<const std::byte> rows = file.table->Columns(from).body;
  const std::size_t bytes = rows.size();
  const std::uint32_t place = arena_.Allocate(bytes);
  if (place == 0) return false;
  std::uint8_t* body = arena_.At(place);
  std::memcpy(body, rows.data(), bytes);
  auto* entries = reinterpret_cast<stoker_unwind_entry*>(body);
  for (std::size_t i = 0; i < from.entry_count; ++i) {
    for (__u16& rule : entries[i].rule) rule = RuleOf(file, rule);
  }
  to.used = WalkerTime();
  StoreBody(to,
            place | std::uint64_t{from.row_count} << 32 | std::uint64_t{from.entry_count} << 48);
  resident_.push_back({.file = &file, .number = from.number, .place = place, .bytes = bytes});
  ++counts_.fills;
  counts_.pages = resident_.size();
  counts_.text_bytes = counts_.pages * STOKER_UNWIND_PAGE_BYTES;
  counts_.page_bytes += bytes;
  return true;
}

std::uint16_t Publisher::RuleOf(File& file, std::uint16_t local) {
  if (local >= file.rules.size()) return 0;
  auto& number = file.rules[local];
  if (number) return *number;
  const stoker_unwind_rule& rule = file.table->rules()[local];
  const auto [entry, added] =
      rules_.try_emplace(std::string(reinterpret_cast<const char*>(&rule), sizeof(rule)), 0);
  if (added && counts_.rules < STOKER_UNWIND_MAX_RULES) {
    entry->second = static_cast<std::uint16_t>(counts_.rules++);
    memory_.Rules()[entry->second] = rule;
  } else if (added) {
    rules_.erase(entry);
    ++counts_.rules_refused;
    return 0;
  }
  number = entry->second;
  return entry->second;
}

void Publisher::Evict(absl::Duration now) {
  // What was freed before comes first.
  if (arena_.reclaiming() || resident_.empty()) return;
  std::vector<std::pair<std::uint32_t, std::size_t>> by_use;
  for (std::size_t i = 0; i < resident_.size(); ++i) {
    const File& file = *resident_[i].file;
    const Directory& directory =
        file.directories.at(resident_[i].number >> STOKER_UNWIND_DIRECTORY_BITS);
    by_use.emplace_back(PageOf(directory, resident_[i].number)->used, i);
  }
  std::ranges::sort(by_use);
  by_use.resize(by_use.size() / kEvictedShare + 1);
  std::vector<std::size_t> indices;
  for (const auto& [used, index] : by_use) indices.push_back(index);
  // From the last: each discard moves the last into its place.
  std::ranges::sort(indices, std::greater());
  for (const std::size_t index : indices) Discard(index, now);
}

void Publisher::Discard(std::size_t index, absl::Duration now) {
  const Resident gone = resident_[index];
  const Directory& directory =
      gone.file->directories.at(gone.number >> STOKER_UNWIND_DIRECTORY_BITS);
  StoreBody(*PageOf(directory, gone.number), 0);
  arena_.Free(gone.place, gone.bytes, now);
  resident_[index] = resident_.back();
  resident_.pop_back();
  ++counts_.evictions;
  counts_.pages = resident_.size();
  counts_.text_bytes = counts_.pages * STOKER_UNWIND_PAGE_BYTES;
  counts_.page_bytes -= gone.bytes;
}

void Publisher::Sweep(absl::Duration now) {
  std::set<std::string_view> needed;
  for (const auto& [pid, image] : current_) {
    needed.insert(image->files_.begin(), image->files_.end());
  }
  std::erase_if(files_, [&](auto& entry) {
    File& file = *entry.second;
    if (needed.contains(entry.first)) file.last_needed = now;
    if (now - file.last_needed < kIdleFile) return false;
    for (std::size_t i = resident_.size(); i-- > 0;) {
      if (resident_[i].file == &file) Discard(i, now);
    }
    for (const auto& [number, directory] : file.directories) {
      arena_.Free(directory.place,
                  sizeof(stoker_unwind_directory) + directory.count * sizeof(stoker_unwind_page),
                  now);
    }
    waiting_.erase(&file);
    return true;
  });
  counts_.files = files_.size();
}

}  // namespace stoker::ebpf::walker
