#include "services/collector/ebpf/batch_builder.h"

#include <tuple>
#include <utility>

#include "services/collector/ebpf/jit/jit_tracker.h"
#include "services/common/base/utf8.h"
#include "services/common/elf/inspect.h"

namespace stoker::ebpf {
namespace {

// Well below the 1 MiB of a message.
constexpr std::size_t kMaxBatchBytes = std::size_t{768} << 10;
// What an entry of a dictionary costs on the wire, at most, besides its text.
constexpr std::size_t kEntryBytes = 24;

sample::v1::Stack::StopReason ToWire(stoker_stop stop) {
  using Wire = sample::v1::Stack;
  switch (stop) {
    case STOKER_STOP_COMPLETE:
      return Wire::STOP_REASON_COMPLETE;
    case STOKER_STOP_FRAME_LIMIT:
      return Wire::STOP_REASON_FRAME_LIMIT;
    case STOKER_STOP_COMPAT_TASK:
      return Wire::STOP_REASON_COMPAT_TASK;
    case STOKER_STOP_NO_MAPPING:
      return Wire::STOP_REASON_NO_MAPPING;
    case STOKER_STOP_PROCESS_ABSENT:
    case STOKER_STOP_TABLE_ABSENT:
    case STOKER_STOP_PAGE_ABSENT:
      return Wire::STOP_REASON_TABLE_ABSENT;
    case STOKER_STOP_NO_RULE:
      return Wire::STOP_REASON_NO_RULE;
    case STOKER_STOP_UNSUPPORTED_RULE:
      return Wire::STOP_REASON_UNSUPPORTED_RULE;
    case STOKER_STOP_READ_FAILED:
      return Wire::STOP_REASON_READ_FAILED;
    case STOKER_STOP_NO_PROGRESS:
      return Wire::STOP_REASON_NO_PROGRESS;
    case STOKER_STOP_FRAME_POINTERS_END:
      return Wire::STOP_REASON_FRAME_POINTERS_END;
    case STOKER_STOP_PROGRAM_LIMIT:
      return Wire::STOP_REASON_PROGRAM_LIMIT;
    case STOKER_STOP_INTERPRETER_DATA:
      return Wire::STOP_REASON_INTERPRETER_DATA;
    case STOKER_STOP_COUNT:
      break;
  }
  return Wire::STOP_REASON_UNSPECIFIED;
}

// The sample label `state`.
std::string_view WaitWord(stoker_wait wait) {
  switch (wait) {
    case STOKER_WAIT_NONE:
      return {};
    case STOKER_WAIT_SLEEP:
      return "sleep";
    case STOKER_WAIT_UNINTERRUPTIBLE:
      return "uninterruptible";
    case STOKER_WAIT_PREEMPTED:
      return "preempted";
    case STOKER_WAIT_STOPPED:
      return "stopped";
    case STOKER_WAIT_TRACED:
      return "traced";
    case STOKER_WAIT_OTHER:
      return "other";
  }
  return "other";
}

}  // namespace

bool BatchBuilder::Add(const MatchedTarget& target, const StackCounter::Stack& stack) {
  const bool kernel = options_.kernel_frames && !stack.kernel.empty();
  const bool user = options_.user_frames && !stack.user.empty();
  if (!kernel && !user && !(stack.kernel.empty() && stack.user.empty())) return false;
  const std::uint32_t series = Series(target);
  const std::uint32_t number = Stack(stack);
  const std::uint32_t labels = SampleLabels(stack);
  sample::v1::RawStackBatch& message = open_.batch.message;
  // Stacks that differed in their addresses only may be equal now.
  const auto [sample, added] =
      open_.samples.try_emplace({series, number, labels}, message.sample_count_size());
  if (added) {
    message.add_sample_series(series);
    message.add_sample_stack(number);
    message.add_sample_count(0);
    message.add_sample_labels(labels);
    message.add_sample_value(0);
  }
  std::uint64_t& count = *message.mutable_sample_count()->Mutable(sample->second);
  count += stack.count;
  std::uint64_t& value = *message.mutable_sample_value()->Mutable(sample->second);
  value += stack.value;
  open_.values = open_.values || stack.value > 0;
  open_.batch.samples += stack.count;
  open_.bytes += kEntryBytes;
  if (open_.bytes >= kMaxBatchBytes) Close();
  return true;
}

void BatchBuilder::Close() {
  if (open_.label_sets.empty()) open_.batch.message.clear_sample_labels();
  if (!open_.values) open_.batch.message.clear_sample_value();
  done_.push_back(std::move(open_.batch));
  open_ = Open();
}

std::vector<Batch> BatchBuilder::Take() {
  if (open_.batch.samples > 0) Close();
  for (Batch& batch : done_) batch.message.set_reset(true);
  return std::exchange(done_, {});
}

std::uint32_t BatchBuilder::String(std::string_view text) {
  if (text.empty()) return 0;
  std::string utf8 = ToValidUtf8(text);
  const auto number = static_cast<std::uint32_t>(open_.strings.size() + 1);
  const auto [entry, added] = open_.strings.try_emplace(std::move(utf8), number);
  if (added) {
    open_.batch.message.add_strings(entry->first);
    open_.bytes += entry->first.size() + kEntryBytes;
  }
  return entry->second;
}

std::uint32_t BatchBuilder::Series(const MatchedTarget& target) {
  const auto [entry, added] =
      open_.series.try_emplace(&target, static_cast<std::uint32_t>(open_.series.size()));
  if (added) {
    sample::v1::Series& series = *open_.batch.message.add_series();
    for (const model::LabelView label : target.labels) {
      series.add_labels(String(label.name));
      series.add_labels(String(label.value));
    }
    series.set_target_id(String(target.id));
  }
  return entry->second;
}

std::uint32_t BatchBuilder::Nowhere(std::string_view path, std::string_view reason) {
  const auto number = static_cast<std::uint32_t>(open_.mappings.size() + 1);
  const auto [entry, added] = open_.mappings.try_emplace({nullptr, std::string(path)}, number);
  if (added) {
    sample::v1::Mapping& mapping = *open_.batch.message.add_mappings();
    mapping.set_kind(sample::v1::Mapping::KIND_ANONYMOUS);
    mapping.set_path(String(path));
    mapping.set_unreadable_reason(String(reason));
    open_.bytes += kEntryBytes;
  }
  return entry->second;
}

std::uint32_t BatchBuilder::KernelFrame(std::uint64_t address, bool is_return_address) {
  const KernelRegion* region = kernel_.Find(address);
  // The address itself stays here: it would tell where the kernel lies.
  if (region == nullptr) {
    return Frame(Nowhere("[kernel]", "no symbol covers the address"), 0, is_return_address);
  }
  const auto number = static_cast<std::uint32_t>(open_.mappings.size() + 1);
  const auto [entry, added] = open_.mappings.try_emplace({region, std::string()}, number);
  if (added) {
    sample::v1::Mapping& mapping = *open_.batch.message.add_mappings();
    mapping.set_kind(region->kind);
    mapping.set_path(String(region->path));
    *mapping.mutable_binary() = region->key;
    mapping.mutable_binary()->set_tenant(tenant_);
    open_.bytes += kEntryBytes + 64;
  }
  return Frame(entry->second, address - region->start, is_return_address);
}

std::uint32_t BatchBuilder::MappingOf(const Image::Mapping& mapping) {
  const BinaryPtr& binary = mapping.slot->binary;
  if (binary == nullptr) {
    const bool file = mapping.place.inode != 0;
    return Nowhere(mapping.place.path.empty() ? "[anon]" : mapping.place.path,
                   file ? "the file was not read in time" : "memory without a file");
  }
  if (!binary->unreadable_reason.empty()) {
    return Nowhere(mapping.place.path, binary->unreadable_reason);
  }
  const auto number = static_cast<std::uint32_t>(open_.mappings.size() + 1);
  const auto [entry, added] =
      open_.mappings.try_emplace({binary.get(), mapping.place.path}, number);
  if (added) {
    sample::v1::Mapping& message = *open_.batch.message.add_mappings();
    message.set_kind(mapping.place.path == "[vdso]" ? sample::v1::Mapping::KIND_VDSO
                                                    : sample::v1::Mapping::KIND_FILE);
    message.set_path(String(mapping.place.path));
    *message.mutable_binary() = binary->inspection.key();
    message.mutable_binary()->set_tenant(tenant_);
    open_.bytes += kEntryBytes + 64;
  }
  return entry->second;
}

std::uint32_t BatchBuilder::UserFrame(const StackCounter::Stack& stack, std::uint64_t address,
                                      bool is_return_address) {
  if (stack.image == nullptr) {
    return Frame(Nowhere("[unknown]", "the process ended before its mappings were read"), address,
                 is_return_address);
  }
  // A call may be the last instruction of a mapping.
  const Image::Mapping* mapping = stack.image->Find(is_return_address ? address - 1 : address);
  if (mapping == nullptr) {
    return Frame(Nowhere("[unknown]", "the address lies in no mapping"), address,
                 is_return_address);
  }
  if (IsJitPlace(mapping->place)) {
    const std::uint32_t frame = JitFrame(stack, is_return_address ? address - 1 : address);
    if (frame != 0) return frame;
  }
  const std::uint32_t number = MappingOf(*mapping);
  const BinaryPtr& binary = mapping->slot->binary;
  if (binary != nullptr && binary->unreadable_reason.empty()) {
    const auto elf = elf::ElfAddress(binary->inspection, mapping->place.start,
                                     mapping->place.file_offset, address);
    if (elf) return Frame(number, *elf, is_return_address);
    return Frame(Nowhere(mapping->place.path, "no segment is loaded from there"), address,
                 is_return_address);
  }
  return Frame(number, address, is_return_address);
}

std::uint32_t BatchBuilder::JitFrame(const StackCounter::Stack& stack, std::uint64_t address) {
  if (stack.process->jit == nullptr) return 0;
  const JitNames::Name name = stack.process->jit->Find(address);
  if (name.function == nullptr) return 0;
  return NamedFrame(Nowhere("[jit]", "code that the program made as it ran"), *name.function,
                    *name.file, name.line);
}

std::uint32_t BatchBuilder::InterpretedFrame(const Process& process, const PythonFrame& frame) {
  using State = PythonNames::State;
  const PythonNames::Name name =
      process.python_names == nullptr ? PythonNames::Name() : process.python_names->Find(frame);
  switch (name.state) {
    case State::kFound:
      return NamedFrame(Nowhere("[python]", "code that an interpreter ran"), *name.function,
                        *name.file, name.line);
    case State::kGone:
      return Frame(Nowhere("[python: gone]", "the code was freed before its name could be read"), 0,
                   false);
    case State::kProcessEnded:
      return Frame(Nowhere("[python: process ended]",
                           "the process ended before the code's name could be read"),
                   0, false);
    case State::kUnread:
      break;
  }
  return Frame(Nowhere("[python: unread]", "the process' memory was not read in time"), 0, false);
}

std::uint32_t BatchBuilder::NamedFrame(std::uint32_t mapping, std::string_view function,
                                       std::string_view file, std::uint32_t line) {
  const std::array<std::uint32_t, 4> key = {mapping, String(function), String(file), line};
  const auto [entry, added] = open_.named_frames.try_emplace(key, NextFrame());
  if (added) {
    sample::v1::Frame& frame = *open_.batch.message.add_frames();
    frame.set_mapping(mapping);
    frame.set_function(key[1]);
    frame.set_file(key[2]);
    frame.set_line(line);
    open_.bytes += kEntryBytes;
  }
  return entry->second;
}

std::uint32_t BatchBuilder::NextFrame() const {
  return static_cast<std::uint32_t>(open_.batch.message.frames_size()) + 1;
}

std::uint32_t BatchBuilder::Frame(std::uint32_t mapping, std::uint64_t address,
                                  bool is_return_address) {
  const std::uint32_t number = NextFrame();
  const auto [entry, added] =
      open_.frames.try_emplace(std::tuple(mapping, address, is_return_address), number);
  if (added) {
    sample::v1::Frame& frame = *open_.batch.message.add_frames();
    frame.set_mapping(mapping);
    frame.set_address(address);
    frame.set_is_return_address(is_return_address);
    open_.bytes += kEntryBytes;
  }
  return entry->second;
}

std::uint32_t BatchBuilder::Stack(const StackCounter::Stack& stack) {
  sample::v1::Stack message;
  if (options_.kernel_frames) {
    for (std::size_t i = 0; i < stack.kernel.size(); ++i) {
      message.add_frames(KernelFrame(stack.kernel[i], i > 0));
    }
  }
  if (options_.user_frames) {
    for (std::size_t i = 0; i < stack.user.size(); ++i) {
      if (const auto frame = PythonFrameAt(stack.user, i); frame) {
        message.add_frames(InterpretedFrame(*stack.process, *frame));
        i += kPythonFrameWords - 1;
      } else {
        message.add_frames(UserFrame(stack, stack.user[i], i > 0));
      }
    }
  }
  message.set_stop_reason(ToWire(options_.user_frames ? stack.stop : STOKER_STOP_COMPLETE));
  if (options_.comm_frame && !stack.thread_name.empty()) {
    message.add_frames(NamedFrame(0, stack.thread_name, "", 0));
    message.set_ends_with_thread(true);
  }
  const auto number = static_cast<std::uint32_t>(open_.stacks.size() + 1);
  const auto [entry, added] = open_.stacks.try_emplace(message.SerializeAsString(), number);
  if (added) {
    open_.bytes += entry->first.size() + kEntryBytes;
    *open_.batch.message.add_stacks() = std::move(message);
  }
  return entry->second;
}

std::uint32_t BatchBuilder::SampleLabels(const StackCounter::Stack& stack) {
  // Sorted by name.
  std::vector<std::uint32_t> labels;
  const auto add = [&](std::string_view name, std::string_view value) {
    labels.push_back(String(name));
    labels.push_back(String(value));
  };
  if (options_.comm_label && !stack.thread_name.empty()) add("comm", stack.thread_name);
  if (options_.pid_label) add("pid", std::to_string(stack.process->key.pid));
  if (const std::string_view word = WaitWord(stack.wait); !word.empty()) add("state", word);
  if (labels.empty()) return 0;
  const auto number = static_cast<std::uint32_t>(open_.label_sets.size() + 1);
  const auto [entry, added] = open_.label_sets.try_emplace(std::move(labels), number);
  if (added) {
    sample::v1::SampleLabels& message = *open_.batch.message.add_label_sets();
    for (const std::uint32_t text : entry->first) message.add_labels(text);
    open_.bytes += kEntryBytes;
  }
  return entry->second;
}

}  // namespace stoker::ebpf
