#pragma once

#include <array>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <vector>

#include <absl/time/time.h>

#include "services/collector/ebpf/process_table.h"
#include "services/collector/ebpf/walker/arena.h"
#include "services/collector/ebpf/walker/memory.h"
#include "services/collector/ebpf/walker/table_source.h"

namespace stoker::ebpf::walker {

class Publisher;

// An image of a process as the walker sees it, for as long as this lives.
class PublishedImage {
 public:
  PublishedImage(Publisher& publisher, procfs::ProcessKey process, ImagePtr image);
  ~PublishedImage();
  PublishedImage(const PublishedImage&) = delete;
  PublishedImage& operator=(const PublishedImage&) = delete;

  // What the walker knows of it now; nothing when it was not written yet.
  [[nodiscard]] const std::optional<stoker_unwind_process>& value() const { return value_; }
  [[nodiscard]] const ImagePtr& image() const { return image_; }

 private:
  friend class Publisher;
  struct Part {
    std::uint32_t place = 0;
    std::size_t bytes = 0;
  };

  Publisher& publisher_;
  const procfs::ProcessKey process_;
  ImagePtr image_;
  std::optional<stoker_unwind_process> value_;
  std::vector<Part> parts_;
  // The files of its mappings, by their keys.
  std::set<std::string> files_;
};

// Tells the walker of processes' mappings and of the rows of their files, page by page, when they
// are first needed; and takes back what was not used for longest when the memory is full. Used by
// one thread.
class Publisher {
 public:
  struct Counts {
    std::uint64_t pages = 0;
    std::uint64_t fills = 0;
    std::uint64_t evictions = 0;
    // Rules that did not fit any more: their rows are "unsupported".
    std::uint64_t rules_refused = 0;
    std::uint64_t rules = 0;
    std::uint64_t files = 0;
    // Text that the pages describe, and their own bytes.
    std::uint64_t text_bytes = 0;
    std::uint64_t page_bytes = 0;
  };

  // Borrows both. They live longer than any process' PublishedImage, as the publisher does.
  Publisher(Memory& memory, TableSource& tables);

  // Makes the process' image, if it has one, known to the walker at the next Update; and again when
  // it changed, or the binary of one of its mappings was found.
  void Publish(Process& process);

  // Takes tables that are there and writes what is to be published.
  void Update(absl::Duration now);

  // Differs when the walker knows something that it did not know before.
  [[nodiscard]] std::uint64_t version() const { return version_; }

  enum class Fill {
    // The page is there.
    kThere,
    // Its table is awaited, or memory.
    kLater,
    // Nothing is known of the address, and will not be.
    kNever,
  };
  // Brings the page of rows that `address` of the image needs.
  Fill FillPage(const PublishedImage& image, std::uint64_t address, absl::Duration now);

  // Forgets files that no process has had for long.
  void Sweep(absl::Duration now);

  // Ends a round of work with the memory.
  void Rest() { memory_.Rest(); }

  [[nodiscard]] Memory& memory() { return memory_; }
  [[nodiscard]] const Memory& memory() const { return memory_; }
  [[nodiscard]] const Counts& counts() const { return counts_; }
  [[nodiscard]] std::uint64_t used_bytes() const { return arena_.used_bytes(); }

 private:
  friend class PublishedImage;

  struct Directory {
    std::uint32_t place = 0;
    std::uint32_t first = 0;
    std::uint32_t count = 0;
  };
  // What is known of one content, whichever files hold it.
  struct File {
    bool answered = false;
    // Null until it is there, and when there is none.
    TablePtr table;
    // The walker's numbers of the table's rules, those that were needed.
    std::vector<std::optional<std::uint16_t>> rules;
    // By the high bits of their pages' numbers.
    std::map<std::uint32_t, Directory> directories;
    absl::Duration last_needed;
  };
  // A page of a file that the walker has.
  struct Resident {
    File* file = nullptr;
    std::uint32_t number = 0;
    std::uint32_t place = 0;
    std::size_t bytes = 0;
  };

  void Release(PublishedImage& image);
  bool Write(PublishedImage& image, absl::Duration now);
  // What the walker is told of a mapping is added; false when there is no memory for it.
  bool AddMapping(PublishedImage& image, const Image::Mapping& mapping,
                  std::vector<stoker_unwind_mapping>& to, absl::Duration now);
  // The place of what the walker is told of the image's Python; 0: it has none, or there is no
  // memory for it.
  std::uint32_t WritePython(const PublishedImage& image, std::vector<PublishedImage::Part>& parts);
  File& FileOf(const BinaryPtr& binary, absl::Duration now);
  // Its directory of that number; null when there is no memory for it.
  Directory* DirectoryOf(File& file, std::uint32_t number);
  stoker_unwind_page* PageOf(const Directory& directory, std::uint32_t number);
  bool CopyPage(File& file, const unwind::TablePage& from, stoker_unwind_page& to);
  std::uint16_t RuleOf(File& file, std::uint16_t local);
  void Evict(absl::Duration now);
  void Discard(std::size_t resident, absl::Duration now);

  Memory& memory_;
  TableSource& tables_;
  Arena arena_;
  std::unordered_map<std::string, std::unique_ptr<File>> files_;
  std::vector<Resident> resident_;
  // The rules that the walker has, by their bytes.
  std::unordered_map<std::string, std::uint16_t> rules_;
  std::set<PublishedImage*> dirty_;
  // Who waits for whose table.
  std::unordered_map<const File*, std::set<PublishedImage*>> waiting_;
  // The image that the walker knows, by pid.
  std::unordered_map<std::uint32_t, const PublishedImage*> current_;
  absl::Duration last_now_;
  std::uint64_t version_ = 0;
  Counts counts_;
};

}  // namespace stoker::ebpf::walker
