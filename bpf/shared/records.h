/* SPDX-License-Identifier: GPL-2.0 */
/* What the sampler writes to its ring buffer. Included by C for BPF and by C++. */
#pragma once

#include <linux/types.h>

#include "bpf/shared/registers.h"

enum stoker_record_kind {
  STOKER_RECORD_SAMPLE = 1,
  /* A process has a new image: what was known of its mappings is void. */
  STOKER_RECORD_EXEC = 2,
  /* The last thread group leader's end; samples of other threads may follow. */
  STOKER_RECORD_EXIT = 3,
  /* A sample whose user stack user space is to unwind: struct stoker_deferred. */
  STOKER_RECORD_DEFERRED = 4,
};

/* Why the walk of the user stack ended. */
enum stoker_stop {
  /* At the thread's entry; or there is no user stack. */
  STOKER_STOP_COMPLETE = 0,
  STOKER_STOP_FRAME_LIMIT = 1,
  /* The last address lies in no executable mapping that is known. */
  STOKER_STOP_NO_MAPPING = 2,
  /* The process' mappings were not there yet. */
  STOKER_STOP_PROCESS_ABSENT = 3,
  /* The table of the last address' file was not there yet, or only its page. */
  STOKER_STOP_TABLE_ABSENT = 4,
  STOKER_STOP_PAGE_ABSENT = 5,
  /* Nothing describes the function of the last address. */
  STOKER_STOP_NO_RULE = 6,
  STOKER_STOP_UNSUPPORTED_RULE = 7,
  /* The stack could not be read: swapped out, or no memory at all. */
  STOKER_STOP_READ_FAILED = 8,
  /* The stack pointer did not move towards the stack's base. */
  STOKER_STOP_NO_PROGRESS = 9,
  /* Code without a table, and its frame pointer is none. */
  STOKER_STOP_FRAME_POINTERS_END = 10,
  STOKER_STOP_PROGRAM_LIMIT = 11,
  /* A 32-bit task. */
  STOKER_STOP_COMPAT_TASK = 12,
  /* An interpreter's own data did not make sense. */
  STOKER_STOP_INTERPRETER_DATA = 13,
  STOKER_STOP_COUNT = 14,
};

/* The kernel's own limit, /proc/sys/kernel/perf_event_max_stack. */
#define STOKER_MAX_KERNEL_FRAMES 127
#define STOKER_MAX_USER_FRAMES 1024
/* Of a stack that user space is to unwind: whole pages, from the one that holds the stack pointer.
 */
#define STOKER_STACK_PAGE_BYTES 4096
#define STOKER_STACK_PAGES 4

#define STOKER_COMM_BYTES 16

/* Why a thread was not on a CPU. */
enum stoker_wait {
  /* It was on one. */
  STOKER_WAIT_NONE = 0,
  /* It waits for an event, and signals end that. */
  STOKER_WAIT_SLEEP = 1,
  /* It waits for an event, mostly of a disk or a lock, and signals do not end that. */
  STOKER_WAIT_UNINTERRUPTIBLE = 2,
  /* It could run, but another thread did. */
  STOKER_WAIT_PREEMPTED = 3,
  STOKER_WAIT_STOPPED = 4,
  STOKER_WAIT_TRACED = 5,
  STOKER_WAIT_OTHER = 6,
};

/* A process that nobody profiles. */
struct stoker_unwanted {
  /* Field 22 of /proc/PID/stat. */
  __u64 start_ticks;
  /* CLOCK_MONOTONIC. */
  __u64 until_ns;
};

struct stoker_record {
  __u32 kind;
  /* Of the thread group, in the first pid namespace. */
  __u32 pid;
  /* What follows is of samples only. When the process started: nanoseconds of CLOCK_BOOTTIME. */
  __u64 start_ns;
  __u32 tid;
  /* enum stoker_wait */
  __u32 wait;
  /* Of a wait: the nanoseconds that the sample stands for. */
  __u64 value;
  /* The thread's name, with its 0. */
  char comm[STOKER_COMM_BYTES];
};

struct stoker_sample {
  struct stoker_record record;
  __u16 kernel_frames;
  /* Words of `frames` that the user's part takes. */
  __u16 user_frames;
  /* enum stoker_stop */
  __u32 stop;
  /* The kernel's frames, then the user's, each with the innermost first: the instruction, then
   * return addresses; and what interpreters run (interpreter_frame.h). Only so many as counted
   * above are written. */
  __u64 frames[STOKER_MAX_KERNEL_FRAMES + STOKER_MAX_USER_FRAMES];
};

struct stoker_deferred {
  struct stoker_record record;
  __u16 kernel_frames;
  __u16 unused;
  /* enum stoker_stop: why the kernel could not unwind it. */
  __u32 stop;
  __u64 kernel[STOKER_MAX_KERNEL_FRAMES];
  struct stoker_registers registers;
  /* Where `stack` was, and how much of it is here. Only so much is written. */
  __u64 stack_address;
  __u32 stack_bytes;
  __u32 unused2;
  __u8 stack[STOKER_STACK_PAGES * STOKER_STACK_PAGE_BYTES];
};
