/* SPDX-License-Identifier: GPL-2.0 */
/* What every program that takes user stacks shares: its ring buffer and counters, the registers of
 * a task in the kernel, the walk, and the way to user space of a stack whose tables are not there
 * yet. Include after bpf_core_read.h. */
#pragma once

#include "bpf/include/walk_user.h"
#include "bpf/shared/records.h"
#include "bpf/shared/stats.h"

#define USER_CS_64 0x33
#define USER_CS_32 0x23
/* /proc counts start times in 1/100 s (USER_HZ). */
#define NS_PER_TICK 10000000

struct {
  __uint(type, BPF_MAP_TYPE_RINGBUF);
  __uint(max_entries, 4 << 20);
} records SEC(".maps");

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, STOKER_STAT_COUNT);
  __type(key, __u32);
  __type(value, __u64);
} stats SEC(".maps");

/* Where a stack that user space is to unwind is put together. */
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct stoker_deferred);
} deferrals SEC(".maps");

/* A process that user space was woken for: its mappings are read while it lives. */
struct announcement {
  __u64 start_ns;
  /* What was deferred of it in this second; a second is 2^30 ns here. */
  __u32 second;
  __u32 deferred;
};

struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, __u32);
  __type(value, struct announcement);
} announced SEC(".maps");

/* Of one process in a second: what it takes until a new program's tables are there; and no flood
 * from one whose addresses stay unknown. */
#define MAX_DEFERRED_A_SECOND 64
#define MAX_UNMAPPED_A_SECOND 2
/* What a full ring buffer is for: samples go before deferred stacks. */
#define MAX_DEFERRED_RING_BYTES (1 << 20)

static void count(enum stoker_sampler_stat stat, __u64 by) {
  __u32 key = stat;
  __u64* value = bpf_map_lookup_elem(&stats, &key);
  if (value) *value += by;
}

/* Says who `task`, the current one, is. */
static void identify(struct task_struct* task, struct stoker_record* record) {
  record->kind = STOKER_RECORD_SAMPLE;
  record->pid = task->tgid;
  record->tid = task->pid;
  record->wait = STOKER_WAIT_NONE;
  record->value = 0;
  record->start_ns = task->group_leader->start_boottime;
  bpf_get_current_comm(record->comm, sizeof(record->comm));
}

/* The registers that the kernel saved when the task left user space; its code segment. */
static __u64 saved_registers(struct task_struct* task, struct stoker_registers* to) {
  struct pt_regs___kernel* from = (void*)bpf_task_pt_regs(task);
  to->value[0] = from->ax;
  to->value[1] = from->dx;
  to->value[2] = from->cx;
  to->value[3] = from->bx;
  to->value[4] = from->si;
  to->value[5] = from->di;
  to->value[6] = from->bp;
  to->value[7] = from->sp;
  to->value[8] = from->r8;
  to->value[9] = from->r9;
  to->value[10] = from->r10;
  to->value[11] = from->r11;
  to->value[12] = from->r12;
  to->value[13] = from->r13;
  to->value[14] = from->r14;
  to->value[15] = from->r15;
  to->ip = from->ip;
  return from->cs;
}

/* Walks the stack of the registers in `scratch`, as far as its tables are there. */
static void unwind(struct scratch* scratch) {
  struct stoker_sample* sample = &scratch->walk.sample;
  __u32 pid = sample->record.pid;
  struct stoker_unwind_process* process = bpf_map_lookup_elem(&unwind_processes, &pid);
  if (!process || process->start_ticks != sample->record.start_ns / NS_PER_TICK) {
    sample->stop = STOKER_STOP_PROCESS_ABSENT;
    return;
  }
  scratch->walk.process = *process;
  walk_user(scratch);
  count(STOKER_STAT_WALKS, 1);
  count(STOKER_STAT_WALKED_FRAMES, sample->user_frames - scratch->walk.python.shown);
  if (scratch->walk.python.shown) count(STOKER_STAT_PYTHON_FRAMES, scratch->walk.python.shown);
  if (sample->stop == STOKER_STOP_READ_FAILED) count(STOKER_STAT_USER_READ_FAILED, 1);
}

/* True when user space had not been woken for this process yet. Makes it known. */
static bool announce(__u32 pid, __u64 start_ns) {
  struct announcement* known = bpf_map_lookup_elem(&announced, &pid);
  if (known && known->start_ns == start_ns) return false;
  struct announcement fresh = {.start_ns = start_ns};
  bpf_map_update_elem(&announced, &pid, &fresh, BPF_ANY);
  return true;
}

/* Whether the walk's stack is to go to user space: it ended for want of tables, and neither its
 * process nor the ring buffer had too many such. */
static bool may_defer(struct scratch* scratch) {
  __u32 stop = scratch->walk.sample.stop;
  __u32 most = MAX_DEFERRED_A_SECOND;
  if (stop == STOKER_STOP_NO_MAPPING) {
    most = MAX_UNMAPPED_A_SECOND;
  } else if (stop != STOKER_STOP_PROCESS_ABSENT && stop != STOKER_STOP_TABLE_ABSENT &&
             stop != STOKER_STOP_PAGE_ABSENT) {
    return false;
  }
  __u32 pid = scratch->walk.sample.record.pid;
  struct announcement* known = bpf_map_lookup_elem(&announced, &pid);
  if (!known) return false;
  if (known->second != scratch->walk.now) {
    known->second = scratch->walk.now;
    known->deferred = 0;
  }
  if (known->deferred >= most) return false;
  if (bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA) > MAX_DEFERRED_RING_BYTES) return false;
  known->deferred++;
  return true;
}

/* Writes the walk's registers and stack for user space to unwind. False: it found no room. */
static bool defer(struct scratch* scratch) {
  __u32 zero = 0;
  struct stoker_deferred* deferred = bpf_map_lookup_elem(&deferrals, &zero);
  if (!deferred) return false;
  const struct stoker_sample* sample = &scratch->walk.sample;
  deferred->record = sample->record;
  deferred->record.kind = STOKER_RECORD_DEFERRED;
  deferred->kernel_frames = sample->kernel_frames;
  deferred->stop = sample->stop;
  __builtin_memcpy(deferred->kernel, sample->frames, sizeof(deferred->kernel));
  __u64 sp = deferred->registers.value[STOKER_REGISTER_SP];
  deferred->stack_address = sp & ~(__u64)(STOKER_STACK_PAGE_BYTES - 1);
  __u32 pages = 0;
  for (; pages < STOKER_STACK_PAGES; pages++) {
    void* from = (void*)(deferred->stack_address + pages * STOKER_STACK_PAGE_BYTES);
    if (bpf_probe_read_user(deferred->stack + pages * STOKER_STACK_PAGE_BYTES,
                            STOKER_STACK_PAGE_BYTES, from)) {
      break;
    }
  }
  deferred->stack_bytes = pages * STOKER_STACK_PAGE_BYTES;
  __u64 size = __builtin_offsetof(struct stoker_deferred, stack) + deferred->stack_bytes;
  if (size > sizeof(*deferred)) return false;
  if (bpf_ringbuf_output(&records, deferred, size, BPF_RB_FORCE_WAKEUP)) return false;
  count(STOKER_STAT_DEFERRED, 1);
  return true;
}

/* Where the registers of the sample's thread are put before take_user_stack. The walk changes its
 * own, so a copy stays where it may be needed. */
static struct stoker_registers* own_registers(void) {
  __u32 zero = 0;
  struct stoker_deferred* deferred = bpf_map_lookup_elem(&deferrals, &zero);
  return deferred ? &deferred->registers : 0;
}

/* Writes the sample whose kernel frames are in `scratch`, with the user stack of own_registers().
 * `segment` is their code segment; 0: there is no user stack. */
static __always_inline void take_user_stack(struct scratch* scratch, __u64 segment, bool wake) {
  struct stoker_sample* sample = &scratch->walk.sample;
  sample->stop = STOKER_STOP_COMPLETE;
  sample->user_frames = 0;
  scratch->walk.now = bpf_ktime_get_ns() >> 30;
  if (segment == USER_CS_64) {
    struct stoker_registers* registers = own_registers();
    if (!registers) return;
    scratch->walk.registers = *registers;
    unwind(scratch);
    if (may_defer(scratch) && defer(scratch)) return;
  } else if (segment == USER_CS_32) {
    sample->stop = STOKER_STOP_COMPAT_TASK;
  }
  /* A stack always begins with the instruction. */
  __u32 user = sample->user_frames;
  __u32 kernel = sample->kernel_frames;
  if (kernel > STOKER_MAX_KERNEL_FRAMES || user > STOKER_MAX_USER_FRAMES) return;
  if (sample->stop == STOKER_STOP_PROCESS_ABSENT) {
    sample->frames[kernel] = scratch->walk.registers.ip;
    sample->user_frames = user = 1;
  }
  __u64 size = __builtin_offsetof(struct stoker_sample, frames) + (kernel + user) * 8;
  if (size > sizeof(*sample)) return;
  if (bpf_ringbuf_output(&records, sample, size, wake ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP)) {
    count(STOKER_STAT_RING_FULL, 1);
  }
}
