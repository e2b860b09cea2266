#include "services/collector/ebpf/walker/bpf_memory.h"

#include <algorithm>
#include <cerrno>
#include <cstdio>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <linux/bpf.h>
#include <sys/mman.h>
#include <sys/utsname.h>

#include "services/common/base/status.h"

namespace stoker::ebpf::walker {
namespace {

constexpr std::uint64_t kPartBytes =
    std::uint64_t{STOKER_UNWIND_PART_CHUNKS} * STOKER_UNWIND_CHUNK_BYTES;
constexpr std::uint64_t kRulesBytes = STOKER_UNWIND_MAX_RULES * sizeof(stoker_unwind_rule);
// As ProcessTable::kMaxProcesses.
constexpr std::uint32_t kMaxProcesses = 32'768;
// The kernel's own share of an entry of a hash map.
constexpr std::uint64_t kEntryOverhead = 64;

// Before Linux 6.1 programs of perf events take hash maps only that are allocated as a whole.
bool HasHashesOnDemand() {
  utsname name{};
  int major = 0;
  int minor = 0;
  if (uname(&name) != 0 || std::sscanf(name.release, "%d.%d", &major, &minor) != 2) return false;
  return major > 6 || (major == 6 && minor >= 1);
}

absl::StatusOr<UniqueFd> CreateMap(bpf_map_type type, const char* name, std::uint32_t value_bytes,
                                   std::uint32_t entries, std::uint32_t flags, int inner = 0) {
  LIBBPF_OPTS(bpf_map_create_opts, options);
  options.map_flags = flags;
  options.inner_map_fd = static_cast<__u32>(inner);
  const int fd = bpf_map_create(type, name, sizeof(__u32), value_bytes, entries, &options);
  if (fd < 0) return ErrnoError(errno, std::string("create the BPF map ") + name);
  return UniqueFd(fd);
}

absl::StatusOr<UniqueFd> CreatePart() {
  return CreateMap(BPF_MAP_TYPE_ARRAY, "unwind_part", STOKER_UNWIND_CHUNK_BYTES,
                   STOKER_UNWIND_PART_CHUNKS, BPF_F_MMAPABLE);
}

void* Map(int fd, std::size_t bytes) {
  void* mapped = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
  return mapped == MAP_FAILED ? nullptr : mapped;
}

}  // namespace

std::uint64_t BpfMemory::FixedBytes(int cpus) {
  constexpr std::uint64_t kRing = std::uint64_t{4} << 20;
  constexpr std::uint64_t kAnnounced = std::uint64_t{16'384} * (24 + kEntryOverhead);
  constexpr std::uint64_t kPythonThreads = std::uint64_t{4096} * (16 + kEntryOverhead);
  constexpr std::uint64_t kScratch = std::uint64_t{40} << 10;
  // Of the processes that may be, an eighth at once: they are allocated when they come.
  constexpr std::uint64_t kProcesses =
      kMaxProcesses / 8 * (sizeof(stoker_unwind_process) + kEntryOverhead);
  return kRing + kAnnounced + kPythonThreads + kRulesBytes + kProcesses +
         static_cast<std::uint64_t>(cpus) * kScratch;
}

absl::StatusOr<std::unique_ptr<BpfMemory>> BpfMemory::Create(std::uint64_t max_bytes) {
  std::unique_ptr<BpfMemory> memory(new BpfMemory());
  memory->SetLimit(max_bytes);
  STOKER_RETURN_IF_ERROR(memory->Open());
  return memory;
}

void BpfMemory::SetLimit(std::uint64_t max_bytes) {
  const std::uint64_t fixed = FixedBytes(libbpf_num_possible_cpus());
  const std::uint64_t rest = max_bytes > fixed ? max_bytes - fixed : 0;
  const std::uint64_t parts =
      std::clamp<std::uint64_t>(rest / kPartBytes, 1, STOKER_UNWIND_MAX_PARTS);
  max_chunks_ = static_cast<std::uint32_t>(parts * STOKER_UNWIND_PART_CHUNKS);
}

absl::Status BpfMemory::Open() {
  STOKER_ASSIGN_OR_RETURN(UniqueFd part, CreatePart());
  STOKER_ASSIGN_OR_RETURN(outer_, CreateMap(BPF_MAP_TYPE_ARRAY_OF_MAPS, "unwind_parts",
                                            sizeof(__u32), STOKER_UNWIND_MAX_PARTS, 0, part.get()));
  STOKER_ASSIGN_OR_RETURN(rules_,
                          CreateMap(BPF_MAP_TYPE_ARRAY, "unwind_rules", sizeof(stoker_unwind_rule),
                                    STOKER_UNWIND_MAX_RULES, BPF_F_MMAPABLE));
  STOKER_ASSIGN_OR_RETURN(
      processes_, CreateMap(BPF_MAP_TYPE_HASH, "unwind_procs", sizeof(stoker_unwind_process),
                            HasHashesOnDemand() ? kMaxProcesses : kMaxProcesses / 8,
                            HasHashesOnDemand() ? BPF_F_NO_PREALLOC : 0));
  if (!AddPart() || Rules() == nullptr) return ErrnoError(errno, "map the unwind tables");
  return absl::OkStatus();
}

BpfMemory::~BpfMemory() { Rest(); }

bool BpfMemory::AddPart() {
  absl::StatusOr<UniqueFd> part = CreatePart();
  if (!part.ok()) return false;
  const auto index = static_cast<__u32>(parts_.size());
  const int fd = part->get();
  if (bpf_map_update_elem(outer_.get(), &index, &fd, BPF_ANY) != 0) return false;
  parts_.push_back({.fd = *std::move(part)});
  return true;
}

std::uint8_t* BpfMemory::Chunk(std::uint32_t number) {
  const std::uint32_t index = number / STOKER_UNWIND_PART_CHUNKS;
  while (parts_.size() <= index) {
    if (number >= max_chunks_ || !AddPart()) return nullptr;
  }
  Part& part = parts_[index];
  if (part.mapped == nullptr) part.mapped = Map(part.fd.get(), kPartBytes);
  if (part.mapped == nullptr) return nullptr;
  return static_cast<std::uint8_t*>(part.mapped) +
         std::size_t{number % STOKER_UNWIND_PART_CHUNKS} * STOKER_UNWIND_CHUNK_BYTES;
}

stoker_unwind_rule* BpfMemory::Rules() {
  if (mapped_rules_ == nullptr) mapped_rules_ = Map(rules_.get(), kRulesBytes);
  return static_cast<stoker_unwind_rule*>(mapped_rules_);
}

void BpfMemory::Rest() {
  // Pages of a map count as this process' memory for as long as they are mapped.
  if (mapped_rules_ != nullptr) munmap(mapped_rules_, kRulesBytes);
  mapped_rules_ = nullptr;
  for (Part& part : parts_) {
    if (part.mapped != nullptr) munmap(part.mapped, kPartBytes);
    part.mapped = nullptr;
  }
}

bool BpfMemory::SetProcess(std::uint32_t pid, const stoker_unwind_process& process) {
  return bpf_map_update_elem(processes_.get(), &pid, &process, BPF_ANY) == 0;
}

void BpfMemory::RemoveProcess(std::uint32_t pid) { bpf_map_delete_elem(processes_.get(), &pid); }

std::uint64_t BpfMemory::bytes() const {
  return FixedBytes(libbpf_num_possible_cpus()) + parts_.size() * kPartBytes;
}

}  // namespace stoker::ebpf::walker
