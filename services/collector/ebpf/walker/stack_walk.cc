#include "services/collector/ebpf/walker/stack_walk.h"

#include <cstring>
#include <ctime>
#include <memory>

namespace {

using stoker::ebpf::walker::Memory;
using stoker::ebpf::walker::StackCopy;

}  // namespace

// What bpf/shared/unwind_step.h needs, over a copy.
using stoker_tables = Memory*;
#define STOKER_SEARCH static

static std::uint32_t stoker_bounded(std::uint32_t value, std::uint32_t mask) {
  return value & mask;
}

static std::uint8_t* stoker_chunk(stoker_tables tables, std::uint32_t number) {
  return tables->Chunk(number);
}

static const stoker_unwind_rule* stoker_rule(stoker_tables tables, std::uint32_t number) {
  return number < STOKER_UNWIND_MAX_RULES ? tables->Rules() + number : nullptr;
}

struct stoker_walk;
static int stoker_read_words(stoker_walk* walk, __u64 address, __u64* to, std::uint32_t count);

static int stoker_read_word(stoker_walk* walk, __u64 address, __u64* to) {
  return stoker_read_words(walk, address, to, 1);
}

// Only the stack was copied.
static int stoker_read_code(stoker_walk*, __u64, std::uint8_t*, std::uint32_t) { return -1; }

#include "bpf/shared/unwind_step.h"

namespace {

struct CopyWalk : stoker_walk {
  StackCopy stack;
};

}  // namespace

static int stoker_read_bytes(stoker_walk*, __u64, std::uint32_t) { return -1; }
static __u64 stoker_known_python_state(stoker_walk*) { return 0; }
static void stoker_keep_python_state(stoker_walk*) {}
static int stoker_call_python_search(stoker_walk* walk) { return stoker_python_search(walk); }
static int stoker_call_python_find(stoker_walk* walk) { return stoker_python_find(walk); }
static int stoker_call_python_frame(stoker_walk* walk) { return stoker_python_frame(walk); }
static int stoker_call_python_run(stoker_walk* walk) { return stoker_python_run(walk); }

static int stoker_read_words(stoker_walk* walk, __u64 address, __u64* to, std::uint32_t count) {
  const StackCopy& stack = static_cast<CopyWalk*>(walk)->stack;
  const std::size_t bytes = std::size_t{count} * sizeof(*to);
  const std::uint64_t offset = address - stack.address;
  if (offset > stack.bytes.size() || stack.bytes.size() - offset < bytes) return -1;
  std::memcpy(to, stack.bytes.data() + offset, bytes);
  return 0;
}

namespace stoker::ebpf::walker {

StackWalk WalkStack(Memory& memory, const stoker_unwind_process& process,
                    const stoker_registers& registers, const StackCopy& stack) {
  const auto walk = std::make_unique<CopyWalk>();
  walk->stack = stack;
  walk->registers = registers;
  walk->process = process;
  // Of Python's data nothing was copied: frames of its loop stay what they are.
  walk->process.python = 0;
  walk->now = WalkerTime();
  walk->sample.kernel_frames = 0;
  stoker_begin(&memory, walk.get());
  bool interrupted = true;
  int ended = 0;
  while (ended == 0) {
    interrupted = walk->interrupted != 0;
    ended = stoker_after_step(walk.get(), stoker_step(&memory, walk.get()));
  }
  stoker_finish(walk.get());
  const std::span<const __u64> frames(walk->sample.frames, walk->sample.user_frames);
  return {.frames = {frames.begin(), frames.end()},
          .stop = static_cast<stoker_stop>(walk->sample.stop),
          .last_address = frames.back() - (interrupted ? 0 : 1)};
}

std::uint32_t WalkerTime() {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  const std::uint64_t ns = static_cast<std::uint64_t>(now.tv_sec) * 1'000'000'000 +
                           static_cast<std::uint64_t>(now.tv_nsec);
  return static_cast<std::uint32_t>(ns >> 30);
}

}  // namespace stoker::ebpf::walker
