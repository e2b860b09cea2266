// Walks the Python part of stacks over memory that says anything: the walk ends, within its bounds,
// and what it leaves in a sample are addresses and whole pairs of words.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <span>

#include "services/collector/ebpf/python/layout.h"

namespace {

// Memory that repeats everywhere, so that most pointers lead somewhere.
thread_local std::span<const std::uint8_t> memory;

}  // namespace

using stoker_tables = int;
#define STOKER_SEARCH [[maybe_unused]] static

static std::uint32_t stoker_bounded(std::uint32_t value, std::uint32_t mask) {
  return value & mask;
}
[[maybe_unused]] static std::uint8_t* stoker_chunk(stoker_tables, std::uint32_t) { return nullptr; }
struct stoker_unwind_rule;
[[maybe_unused]] static const stoker_unwind_rule* stoker_rule(stoker_tables, std::uint32_t) {
  return nullptr;
}
struct stoker_walk;
[[maybe_unused]] static int stoker_read_word(stoker_walk*, __u64, __u64*) { return -1; }
[[maybe_unused]] static int stoker_read_words(stoker_walk*, __u64, __u64*, std::uint32_t) {
  return -1;
}
[[maybe_unused]] static int stoker_read_code(stoker_walk*, __u64, std::uint8_t*, std::uint32_t) {
  return -1;
}

#include "bpf/shared/unwind_step.h"

static int stoker_read_bytes(stoker_walk* walk, __u64 address, std::uint32_t bytes) {
  // No memory below the first page, nor above the user's half.
  if (address < 4096 || address >> 47 != 0 || bytes >= STOKER_PYTHON_READ_BYTES) return -1;
  for (std::uint32_t i = 0; i < bytes; ++i) {
    walk->python.bytes[i] = memory[(address + i) % memory.size()];
  }
  return 0;
}
static __u64 stoker_known_python_state(stoker_walk* walk) { return walk->python.head ^ 0x40; }
static void stoker_keep_python_state(stoker_walk*) {}
static int stoker_call_python_search(stoker_walk* walk) { return stoker_python_search(walk); }
static int stoker_call_python_find(stoker_walk* walk) { return stoker_python_find(walk); }
static int stoker_call_python_frame(stoker_walk* walk) { return stoker_python_frame(walk); }
static int stoker_call_python_run(stoker_walk* walk) { return stoker_python_run(walk); }

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 16) return 0;
  memory = {data + 2, size - 2};
  const auto walk = std::make_unique<stoker_walk>();
  walk->process.python = 0;
  stoker_begin(0, walk.get());
  stoker_python_walk& python = walk->python;
  python.present = 1;
  const auto layout =
      stoker::ebpf::FindPythonWalkLayout(static_cast<std::uint16_t>(0x0308 + data[0] % 5));
  python.process.layout = *layout;
  python.process.runtime = 0x100000;
  python.process.is_called = data[0] >> 7;
  if ((data[0] & 0x40) != 0) python.process.code_type = 0x4141414141414141;
  std::memcpy(&python.thread_id, memory.data(), sizeof python.thread_id);
  walk->sample.kernel_frames = data[1] & 0x7f;
  // Native frames as they come: each other one is of the loop.
  constexpr __u64 kNative = 0x555555554000;
  __u64 sp = 0x10000;
  while (walk->sample.user_frames < STOKER_MAX_USER_FRAMES) {
    const unsigned before = walk->sample.user_frames;
    walk->registers.ip = kNative;
    walk->registers.value[STOKER_REGISTER_SP] = sp;
    walk->sample.frames[walk->sample.kernel_frames + walk->sample.user_frames++] = kNative;
    if (before % 2 == 0) stoker_enter_loop(walk.get());
    walk->registers.value[STOKER_REGISTER_SP] = sp += 0x1000;
    if (stoker_after_step(walk.get(), 0) != 0) break;
  }
  stoker_finish(walk.get());
  const stoker_sample& sample = walk->sample;
  if (sample.user_frames > STOKER_MAX_USER_FRAMES || python.looks > STOKER_PYTHON_MAX_LOOKS) {
    std::abort();
  }
  for (unsigned i = 0; i < sample.user_frames; ++i) {
    const __u64* word = sample.frames + sample.kernel_frames + i;
    if (*word == kNative) continue;
    if (*word >> 56 != (0x80 | STOKER_LANGUAGE_PYTHON) || ++i == sample.user_frames ||
        word[1] >> 63 == 0) {
      std::abort();
    }
  }
  return 0;
}
