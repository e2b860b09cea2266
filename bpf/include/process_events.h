/* SPDX-License-Identifier: GPL-2.0 */
/* The programs that tell of sampled processes that exec and end, in the ring buffer of the samples,
 * so in order. Include after bpf_core_read.h. */
#pragma once

#include "bpf/include/user_sample.h"

static void tell(enum stoker_record_kind kind, __u32 pid) {
  struct stoker_record record = {.kind = kind, .pid = pid};
  /* Of processes that were never sampled nobody knows anything that could be void. */
  if (!bpf_map_lookup_elem(&announced, &pid)) return;
  bpf_map_delete_elem(&announced, &pid);
  if (bpf_ringbuf_output(&records, &record, sizeof(record), BPF_RB_NO_WAKEUP)) {
    count(STOKER_STAT_EVENT_LOST, 1);
  }
}

SEC("tp_btf/sched_process_exec")
int on_exec(unsigned long long* arguments) {
  struct task_struct* task = (void*)arguments[0];
  __u32 pid = task->tgid;
  /* The mappings that it had are another program's. */
  bpf_map_delete_elem(&unwind_processes, &pid);
  tell(STOKER_RECORD_EXEC, pid);
  return 0;
}

SEC("tp_btf/sched_process_exit")
int on_exit(unsigned long long* arguments) {
  struct task_struct* task = (void*)arguments[0];
  if (task->pid == task->tgid) tell(STOKER_RECORD_EXIT, task->tgid);
  return 0;
}
