/* SPDX-License-Identifier: GPL-2.0 */
/* What the sampler writes to its ring buffer. Included by C for BPF and by C++. */
#pragma once

#include <linux/types.h>

enum stoker_record_kind {
  STOKER_RECORD_SAMPLE = 1,
  /* A process has a new image: what was known of its mappings is void. */
  STOKER_RECORD_EXEC = 2,
  /* The last thread group leader's end; samples of other threads may follow. */
  STOKER_RECORD_EXIT = 3,
};

/* Why the walk of the user stack ended. */
enum stoker_stop {
  STOKER_STOP_COMPLETE = 0,
  STOKER_STOP_FRAME_LIMIT = 1,
  STOKER_STOP_READ_FAILED = 2,
  STOKER_STOP_NO_PROGRESS = 3,
  STOKER_STOP_FRAME_POINTERS_END = 4,
  STOKER_STOP_COMPAT_TASK = 5,
};

/* The kernel's own limit, /proc/sys/kernel/perf_event_max_stack. */
#define STOKER_MAX_KERNEL_FRAMES 127
#define STOKER_MAX_USER_FRAMES 127

struct stoker_record {
  __u32 kind;
  /* Of the thread group, in the first pid namespace. */
  __u32 pid;
  /* When the process started: nanoseconds of CLOCK_BOOTTIME. Of SAMPLE only. */
  __u64 start_ns;
};

struct stoker_sample {
  struct stoker_record record;
  __u16 kernel_frames;
  __u16 user_frames;
  /* enum stoker_stop */
  __u32 stop;
  /* The kernel's frames, then the user's, each with the innermost first: the instruction, then
   * return addresses. Only so many as counted above are written. */
  __u64 frames[STOKER_MAX_KERNEL_FRAMES + STOKER_MAX_USER_FRAMES];
};
