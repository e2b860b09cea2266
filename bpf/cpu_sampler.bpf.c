// SPDX-License-Identifier: GPL-2.0
// Samples what runs on each CPU: kernel stack and user stack, one record a sample; and tells of
// processes that exec and end, in the same ring buffer, so in order.
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <stdbool.h>

#include "bpf/include/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/shared/records.h"
#include "bpf/shared/stats.h"

char LICENSE[] SEC("license") = "GPL";

#define USER_CS_64 0x33
#define USER_CS_32 0x23

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

// Where a sample is put together: too large for the stack. A sample is not interrupted by another
// of its own CPU.
struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct stoker_sample);
} scratch SEC(".maps");

// Processes that user space was woken for, pid to start: its mappings are read while it lives.
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 16384);
  __type(key, __u32);
  __type(value, __u64);
} announced SEC(".maps");

static void count(enum stoker_sampler_stat stat) {
  __u32 key = stat;
  __u64* value = bpf_map_lookup_elem(&stats, &key);
  if (value) *value += 1;
}

struct user_registers {
  __u64 ip;
  __u64 bp;
  __u64 sp;
  __u64 cs;
};

// The registers that the kernel saved when the task left user space.
static void saved_registers(struct task_struct* task, struct user_registers* to) {
  struct pt_regs___kernel* from = (void*)bpf_task_pt_regs(task);
  to->ip = BPF_CORE_READ(from, ip);
  to->bp = BPF_CORE_READ(from, bp);
  to->sp = BPF_CORE_READ(from, sp);
  to->cs = BPF_CORE_READ(from, cs);
}

// How far from its first instruction a function without a frame of its own is believed to be.
#define FRAMELESS_BYTES 65536
// call rel32: its opcode, and its size.
#define CALL_RELATIVE 0xe8
#define CALL_BYTES 5

// True when the instruction before `return_address` calls a function that `ip` may lie in.
static bool calls(__u64 return_address, __u64 ip) {
  __u8 call[CALL_BYTES];
  if (bpf_probe_read_user(call, sizeof(call), (void*)(return_address - CALL_BYTES))) return false;
  if (call[0] != CALL_RELATIVE) return false;
  __s32 distance = call[1] | call[2] << 8 | call[3] << 16 | (__u32)call[4] << 24;
  __u64 callee = return_address + distance;
  return callee <= ip && ip - callee < FRAMELESS_BYTES;
}

// The return address of a function that has no frame yet, or never makes one, as Go's and other
// compilers' leaves do not: it stands at the top of the stack, or under the caller's frame pointer
// just pushed. The chain does not hold it, and would leave out the caller. 0 when there is none.
static __u64 frameless_return(const struct user_registers* regs) {
  __u64 top[2];
  if (bpf_probe_read_user(top, sizeof(top), (void*)regs->sp)) return 0;
  __u64 candidate = top[0] == regs->bp ? top[1] : top[0];
  return calls(candidate, regs->ip) ? candidate : 0;
}

// Follows the chain of frame pointers: {caller's frame pointer, return address}.
static __u32 walk_user(const struct user_registers* regs, __u64* frames, __u32* stop) {
  struct {
    __u64 next;
    __u64 return_address;
  } frame;
  __u64 at = regs->bp;
  __u32 n = 1;
  frames[0] = regs->ip;
  *stop = STOKER_STOP_FRAME_LIMIT;
  __u64 caller = frameless_return(regs);
  if (caller) frames[n++] = caller;
  for (int i = 1; i < STOKER_MAX_USER_FRAMES && n < STOKER_MAX_USER_FRAMES; i++) {
    if (at == 0) {
      *stop = STOKER_STOP_COMPLETE;
      break;
    }
    if (at & 7 || at < regs->sp) {
      *stop = STOKER_STOP_FRAME_POINTERS_END;
      break;
    }
    if (bpf_probe_read_user(&frame, sizeof(frame), (void*)at)) {
      *stop = STOKER_STOP_READ_FAILED;
      count(STOKER_STAT_USER_READ_FAILED);
      break;
    }
    if (frame.return_address == 0) {
      *stop = STOKER_STOP_COMPLETE;
      break;
    }
    frames[n++] = frame.return_address;
    if (frame.next != 0 && frame.next <= at) {
      *stop = STOKER_STOP_NO_PROGRESS;
      break;
    }
    at = frame.next;
  }
  return n;
}

// True when user space has not been woken for this process yet.
static bool announce(__u32 pid, __u64 start_ns) {
  __u64* known = bpf_map_lookup_elem(&announced, &pid);
  if (known && *known == start_ns) return false;
  bpf_map_update_elem(&announced, &pid, &start_ns, BPF_ANY);
  return true;
}

SEC("perf_event")
int on_cpu(struct bpf_perf_event_data* context) {
  __u64 id = bpf_get_current_pid_tgid();
  if (id == 0) return 0;
  count(STOKER_STAT_TAKEN);
  __u32 zero = 0;
  struct stoker_sample* sample = bpf_map_lookup_elem(&scratch, &zero);
  if (!sample) return 0;
  struct task_struct* task = bpf_get_current_task_btf();
  struct user_registers regs = {.ip = context->regs.rip,
                                .bp = context->regs.rbp,
                                .sp = context->regs.rsp,
                                .cs = context->regs.cs};
  bool in_user = regs.cs & 3;
  sample->record.kind = STOKER_RECORD_SAMPLE;
  sample->record.pid = id >> 32;
  sample->record.start_ns = task->group_leader->start_boottime;
  sample->stop = STOKER_STOP_COMPLETE;
  sample->user_frames = 0;

  __u32 kernel = 0;
  if (!in_user) {
    long bytes = bpf_get_stack(context, sample->frames, STOKER_MAX_KERNEL_FRAMES * 8, 0);
    if (bytes > 0) kernel = bytes / 8;
  }
  if (kernel > STOKER_MAX_KERNEL_FRAMES) kernel = STOKER_MAX_KERNEL_FRAMES;
  sample->kernel_frames = kernel;

  __u32 user = 0;
  if (task->mm) {
    if (!in_user) saved_registers(task, &regs);
    if (regs.cs == USER_CS_64) {
      user = walk_user(&regs, sample->frames + kernel, &sample->stop);
    } else if (regs.cs == USER_CS_32) {
      sample->stop = STOKER_STOP_COMPAT_TASK;
    }
  }
  if (user > STOKER_MAX_USER_FRAMES) user = STOKER_MAX_USER_FRAMES;
  sample->user_frames = user;

  __u64 size = __builtin_offsetof(struct stoker_sample, frames) + (kernel + user) * 8;
  if (size > sizeof(*sample)) return 0;
  bool wake = announce(sample->record.pid, sample->record.start_ns);
  if (bpf_ringbuf_output(&records, sample, size, wake ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP)) {
    count(STOKER_STAT_RING_FULL);
  }
  return 0;
}

static void tell(enum stoker_record_kind kind, __u32 pid) {
  struct stoker_record record = {.kind = kind, .pid = pid};
  // Of processes that were never sampled nobody knows anything that could be void.
  if (!bpf_map_lookup_elem(&announced, &pid)) return;
  bpf_map_delete_elem(&announced, &pid);
  if (bpf_ringbuf_output(&records, &record, sizeof(record), BPF_RB_NO_WAKEUP)) {
    count(STOKER_STAT_EVENT_LOST);
  }
}

SEC("tp_btf/sched_process_exec")
int on_exec(unsigned long long* arguments) {
  struct task_struct* task = (void*)arguments[0];
  tell(STOKER_RECORD_EXEC, task->tgid);
  return 0;
}

SEC("tp_btf/sched_process_exit")
int on_exit(unsigned long long* arguments) {
  struct task_struct* task = (void*)arguments[0];
  if (task->pid == task->tgid) tell(STOKER_RECORD_EXIT, task->tgid);
  return 0;
}
