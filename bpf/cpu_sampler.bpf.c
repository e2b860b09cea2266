// SPDX-License-Identifier: GPL-2.0
// Samples what runs on each CPU: kernel stack and user stack, one record a sample; and tells of
// processes that exec and end, in the same ring buffer, so in order. User stacks whose tables are
// not there yet go to user space as they are.
#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>
#include <stdbool.h>

#include "bpf/include/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/include/process_events.h"
#include "bpf/include/user_sample.h"

char LICENSE[] SEC("license") = "GPL";

static void interrupted_registers(struct bpf_perf_event_data* context,
                                  struct stoker_registers* to) {
  to->value[0] = context->regs.rax;
  to->value[1] = context->regs.rdx;
  to->value[2] = context->regs.rcx;
  to->value[3] = context->regs.rbx;
  to->value[4] = context->regs.rsi;
  to->value[5] = context->regs.rdi;
  to->value[6] = context->regs.rbp;
  to->value[7] = context->regs.rsp;
  to->value[8] = context->regs.r8;
  to->value[9] = context->regs.r9;
  to->value[10] = context->regs.r10;
  to->value[11] = context->regs.r11;
  to->value[12] = context->regs.r12;
  to->value[13] = context->regs.r13;
  to->value[14] = context->regs.r14;
  to->value[15] = context->regs.r15;
  to->ip = context->regs.rip;
}

SEC("perf_event")
int on_cpu(struct bpf_perf_event_data* context) {
  if (bpf_get_current_pid_tgid() == 0) return 0;
  count(STOKER_STAT_TAKEN, 1);
  struct scratch* scratch = own_scratch();
  if (!scratch) return 0;
  struct stoker_sample* sample = &scratch->walk.sample;
  struct task_struct* task = bpf_get_current_task_btf();
  bool in_user = context->regs.cs & 3;
  identify(task, &sample->record);

  __u32 kernel = 0;
  if (!in_user) {
    long bytes = bpf_get_stack(context, sample->frames, STOKER_MAX_KERNEL_FRAMES * 8, 0);
    if (bytes > 0) kernel = bytes / 8;
  }
  if (kernel > STOKER_MAX_KERNEL_FRAMES) kernel = STOKER_MAX_KERNEL_FRAMES;
  sample->kernel_frames = kernel;
  bool wake = announce(sample->record.pid, sample->record.start_ns);

  __u64 segment = 0;
  if (task->mm) {
    struct stoker_registers* registers = own_registers();
    if (!registers) return 0;
    segment = context->regs.cs;
    // One after the other: the verifier refuses what the compiler makes of two alternatives.
    interrupted_registers(context, registers);
    asm volatile("" ::: "memory");
    if (!in_user) segment = saved_registers(task, registers);
  }
  take_user_stack(scratch, segment, wake);
  return 0;
}
