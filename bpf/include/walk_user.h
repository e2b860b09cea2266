/* SPDX-License-Identifier: GPL-2.0 */
/* The kernel's side of bpf/shared/unwind_step.h: its maps, its reads, and the loop. Include after
 * kernel_types.h and bpf_helpers.h. */
#pragma once

#include "bpf/shared/unwind_memory.h"

typedef __u32 stoker_tables;

/* Whether frames of Python are told from those of its evaluation loop. */
const volatile bool walk_python = true;

#define STOKER_SEARCH __noinline

/* Chunks, by parts; user space makes a part when it is needed. */
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, STOKER_UNWIND_MAX_PARTS);
  __type(key, __u32);
  __array(
      values, struct {
        __uint(type, BPF_MAP_TYPE_ARRAY);
        __uint(max_entries, STOKER_UNWIND_PART_CHUNKS);
        __uint(map_flags, BPF_F_MMAPABLE);
        __type(key, __u32);
        __uint(value_size, STOKER_UNWIND_CHUNK_BYTES);
      });
} unwind_parts SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_ARRAY);
  __uint(max_entries, STOKER_UNWIND_MAX_RULES);
  __uint(map_flags, BPF_F_MMAPABLE);
  __type(key, __u32);
  __type(value, struct stoker_unwind_rule);
} unwind_rules SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_HASH);
  __uint(max_entries, 32768);
  __type(key, __u32);
  __type(value, struct stoker_unwind_process);
} unwind_processes SEC(".maps");

/* Only what the compiler cannot see through keeps the bound where the verifier looks for it. */
static __always_inline __u32 stoker_bounded(__u32 value, const __u32 mask) {
  asm volatile("%0 &= %1" : "+r"(value) : "i"(mask));
  return value;
}

static __always_inline __u8* stoker_chunk(stoker_tables tables, __u32 number) {
  /* An argument that nothing uses would be left out by the compiler, and missed by the verifier. */
  asm volatile("" : : "r"(tables));
  __u32 part = number / STOKER_UNWIND_PART_CHUNKS;
  __u32 index = number % STOKER_UNWIND_PART_CHUNKS;
  void* map = bpf_map_lookup_elem(&unwind_parts, &part);
  if (!map) return 0;
  return bpf_map_lookup_elem(map, &index);
}

static __always_inline const struct stoker_unwind_rule* stoker_rule(stoker_tables tables,
                                                                    __u32 number) {
  (void)tables;
  return bpf_map_lookup_elem(&unwind_rules, &number);
}

struct stoker_walk;
static int stoker_read_bytes(struct stoker_walk* walk, __u64 address, __u32 bytes);
static int stoker_read_word(struct stoker_walk* walk, __u64 address, __u64* to);

static __always_inline int stoker_read_words(struct stoker_walk* walk, __u64 address, __u64* to,
                                             const __u32 count) {
  (void)walk;
  return bpf_probe_read_user(to, count * 8, (void*)address) != 0;
}

static __always_inline int stoker_read_code(struct stoker_walk* walk, __u64 address, __u8* to,
                                            const __u32 bytes) {
  (void)walk;
  return bpf_probe_read_user(to, bytes, (void*)address) != 0;
}

#include "bpf/shared/unwind_step.h"

/* Of a thread that runs Python: where its state was found, as long as the process' first
 * interpreter is this. */
struct python_thread {
  __u64 head;
  __u64 state;
};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 4096);
  __type(key, __u32);
  __type(value, struct python_thread);
} python_threads SEC(".maps");

/* No page begins there. */
#define NO_WINDOW 1

/* Where a sample is put together: too large for the stack. A sample is not interrupted by another
 * of its own CPU. */
struct scratch {
  struct stoker_walk walk;
  /* The page of the user's stack that was read last: a page costs hardly more than a word. */
  __u64 window_address;
  __u64 word;
  __u8 window[STOKER_STACK_PAGE_BYTES];
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct scratch);
} scratches SEC(".maps");

static __always_inline struct scratch* own_scratch(void) {
  __u32 zero = 0;
  return bpf_map_lookup_elem(&scratches, &zero);
}

/* Reads the word at `address` into the scratch, through the window where it is aligned. */
__noinline int load_word(__u64 address) {
  struct scratch* scratch = own_scratch();
  if (!scratch) return -1;
  if (address & 7) return bpf_probe_read_user(&scratch->word, 8, (void*)address) != 0;
  __u64 page = address & ~(__u64)(STOKER_STACK_PAGE_BYTES - 1);
  scratch->window_address = NO_WINDOW;
  if (bpf_probe_read_user(scratch->window, STOKER_STACK_PAGE_BYTES, (void*)page)) return -1;
  scratch->window_address = page;
  scratch->word = *(__u64*)(scratch->window + stoker_bounded((__u32)address, 0xff8));
  return 0;
}

static __always_inline int stoker_read_word(struct stoker_walk* walk, __u64 address, __u64* to) {
  /* The walk is the scratch's first member. */
  struct scratch* scratch = (void*)walk;
  __u64 page = address & ~(__u64)(STOKER_STACK_PAGE_BYTES - 8);
  if (page == scratch->window_address) {
    *to = *(__u64*)(scratch->window + stoker_bounded((__u32)address, 0xff8));
    return 0;
  }
  if (load_word(address)) return -1;
  *to = scratch->word;
  return 0;
}

static __always_inline int stoker_read_bytes(struct stoker_walk* walk, __u64 address, __u32 bytes) {
  return bpf_probe_read_user(walk->python.bytes,
                             stoker_bounded(bytes, STOKER_PYTHON_READ_BYTES - 1),
                             (void*)address) != 0;
}

static __u64 stoker_known_python_state(struct stoker_walk* walk) {
  __u32 tid = walk->sample.record.tid;
  struct python_thread* known = bpf_map_lookup_elem(&python_threads, &tid);
  return known && known->head == walk->python.head ? known->state : 0;
}

static void stoker_keep_python_state(struct stoker_walk* walk) {
  __u32 tid = walk->sample.record.tid;
  struct python_thread known = {.head = walk->python.head, .state = walk->python.state[0]};
  bpf_map_update_elem(&python_threads, &tid, &known, BPF_ANY);
}

/* The parts of bpf/shared/python_step.h, on this CPU's walk. */
__noinline int python_search(void) {
  struct scratch* scratch = own_scratch();
  return scratch ? stoker_python_search(&scratch->walk) : -1;
}

__noinline int python_find(void) {
  struct scratch* scratch = own_scratch();
  return scratch ? stoker_python_find(&scratch->walk) : -1;
}

__noinline int python_frame(void) {
  struct scratch* scratch = own_scratch();
  return scratch ? (int)stoker_python_frame(&scratch->walk) : STOKER_PYTHON_SENSELESS;
}

__noinline int python_run(void) {
  struct scratch* scratch = own_scratch();
  return scratch ? (int)stoker_python_run(&scratch->walk) : STOKER_PYTHON_SENSELESS;
}

static int stoker_call_python_search(struct stoker_walk* walk) {
  (void)walk;
  return python_search();
}

static int stoker_call_python_find(struct stoker_walk* walk) {
  (void)walk;
  return python_find();
}

static int stoker_call_python_frame(struct stoker_walk* walk) {
  (void)walk;
  return python_frame();
}

static int stoker_call_python_run(struct stoker_walk* walk) {
  (void)walk;
  return python_run();
}

/* Follows a step that was in Python's loop. Not 0: the walk has ended. */
__noinline int after_python_step(int ended) {
  struct scratch* scratch = own_scratch();
  if (!scratch) return 1;
  struct task_struct* task = bpf_get_current_task_btf();
  scratch->walk.python.thread_id = task->thread.fsbase;
  return stoker_after_step(&scratch->walk, ended);
}

/* One step of this CPU's walk; not 0: it has ended. */
__noinline int step(void) {
  struct scratch* scratch = own_scratch();
  if (!scratch) return 1;
  return stoker_step(0, &scratch->walk);
}

/* Walks the stack of `scratch->walk`'s registers and process. The verifier looks at a step once, so
 * the loop is cheap to it, and needs no bpf_loop. */
static __always_inline void walk_user(struct scratch* scratch) {
  scratch->window_address = NO_WINDOW;
  if (!walk_python) scratch->walk.process.python = 0;
  stoker_begin(0, &scratch->walk);
  for (int i = 0; i <= STOKER_MAX_USER_FRAMES; i++) {
    int ended = step();
    if (scratch->walk.python.in_loop) ended = after_python_step(ended);
    if (ended) break;
  }
  stoker_finish(&scratch->walk);
}
