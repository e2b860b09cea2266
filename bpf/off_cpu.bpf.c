// SPDX-License-Identifier: GPL-2.0
// Samples the time that threads are not on a CPU: how long, why, and the stack that waited. A wait
// is chosen when it ends, with a probability that grows with its length; its stack is then taken in
// the interrupt that this program raises, which comes before the thread runs on.
#include <linux/bpf.h>
#include <stdbool.h>

#include "bpf/include/kernel_types.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>

#include "bpf/include/process_events.h"
#include "bpf/include/user_sample.h"

char LICENSE[] SEC("license") = "GPL";

// linux/sched.h
#define TASK_INTERRUPTIBLE 0x1
#define TASK_UNINTERRUPTIBLE 0x2
#define TASK_STOPPED 0x4
#define TASK_TRACED 0x8
#define TASK_DEAD 0x80

// The most that a switch is sampled with, in 1 / 2^32; 0: always.
const volatile __u32 threshold = 0;
// Whether sched_switch tells the state that it decided by (Linux 5.18). The task's own may be that
// of a wake-up since.
const volatile bool has_previous_state = false;

// A thread: its wait, and how its waits are chosen. Laid end to end, its short waits are divided
// into spans of equal length; in each a moment is drawn, and the wait in which it lies is chosen
// and stands for the whole span. So a wait is chosen in proportion to its length, and what a
// thread's samples stand for is what it waited, but for a span.
struct thread {
  // 0: it runs, or its wait is not to be sampled.
  __u64 start_ns;
  enum stoker_wait kind;
  // Of its span: nanoseconds, what is left of it, and how far the moment is.
  __u32 span;
  __u32 left;
  __u32 moment;
  // Its process is not wanted until then.
  __u64 unwanted_until_ns;
};
#define NO_MOMENT 0xffffffffu

struct {
  __uint(type, BPF_MAP_TYPE_TASK_STORAGE);
  __uint(map_flags, BPF_F_NO_PREALLOC);
  __type(key, int);
  __type(value, struct thread);
} threads SEC(".maps");

// Processes that nobody profiles, as user space says: their waits take nothing of what may be
// chosen.
struct {
  __uint(type, BPF_MAP_TYPE_LRU_HASH);
  __uint(max_entries, 8192);
  __type(key, __u32);
  __type(value, struct stoker_unwanted);
} unwanted SEC(".maps");

// What is chosen on a CPU, and how.
struct chooser {
  // The thread whose interrupt is to come; 0: none.
  __u32 expected;
  enum stoker_wait kind;
  // What the sample stands for; 0: the thread is only to get its storage.
  __u64 value;
  // Waits of this length and longer are chosen, and stand for themselves; of shorter ones it is the
  // length of spans. 0: all are chosen.
  __u32 step_ns;
  __u64 period_start_ns;
  // In this period, since the step was last changed; and what may be.
  __u32 spent_ns;
  __u32 budget_ns;
  // In this period; and whether the step has grown.
  __u32 switches;
  bool grown;
  // When the switch was that asked for the interrupt.
  __u64 switch_ns;
};

struct {
  __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
  __uint(max_entries, 1);
  __type(key, __u32);
  __type(value, struct chooser);
} choosers SEC(".maps");

// For each CPU a ring buffer that carries nothing: giving back what was reserved raises an
// interrupt on the CPU.
struct {
  __uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
  __uint(max_entries, 1);
  __type(key, __u32);
  __array(
      values, struct {
        __uint(type, BPF_MAP_TYPE_RINGBUF);
        __uint(max_entries, 16384);
      });
} bells SEC(".maps");

// What sampling may cost of a CPU's time: 1 % with what it takes to look at each switch, a quarter
// of that for samples however many switches there are; and what a sample counts for at least.
#define PERIOD_NS 500000000
#define MAX_COST_NS (PERIOD_NS / 100)
#define MIN_BUDGET_NS (MAX_COST_NS / 4)
#define SWITCH_COST_NS 150
#define MIN_SAMPLE_NS 20000
#define MIN_STEP_NS 1024
#define MAX_STEP_NS (1 << 30)

// Makes the step follow what samples cost: shorter while they cost less than they may,
static __always_inline void adapt(struct chooser* chooser, __u64 now) {
  if (now - chooser->period_start_ns < PERIOD_NS) return;
  chooser->period_start_ns = now;
  if (!chooser->grown && chooser->spent_ns < chooser->budget_ns / 4) {
    chooser->step_ns /= 2;
  } else if (!chooser->grown && chooser->spent_ns < chooser->budget_ns / 4 * 3) {
    chooser->step_ns -= chooser->step_ns / 4;
  }
  chooser->grown = false;
  if (chooser->step_ns < MIN_STEP_NS) chooser->step_ns = 0;
  chooser->spent_ns = 0;
  __u64 looks = (__u64)chooser->switches * SWITCH_COST_NS;
  chooser->budget_ns = looks < MAX_COST_NS - MIN_BUDGET_NS ? MAX_COST_NS - looks : MIN_BUDGET_NS;
  chooser->switches = 0;
}

// and twice as long whenever they have cost it.
static __always_inline void spend(struct chooser* chooser, __u64 cost) {
  if (cost < MIN_SAMPLE_NS) cost = MIN_SAMPLE_NS;
  // A sample is no dearer for an interrupt of another kind in between.
  if (cost > MIN_BUDGET_NS / 4) cost = MIN_BUDGET_NS / 4;
  chooser->spent_ns += cost;
  if (chooser->spent_ns < chooser->budget_ns) return;
  chooser->spent_ns = 0;
  chooser->grown = true;
  __u32 step = chooser->step_ns * 2;
  if (step < MIN_STEP_NS) step = MIN_STEP_NS;
  if (step > MAX_STEP_NS) step = MAX_STEP_NS;
  chooser->step_ns = step;
}

// What a wait of that length stands for; 0: it is not chosen.
static __always_inline __u64 choose(const struct chooser* chooser, struct thread* thread,
                                    __u64 length) {
  if (length >= chooser->step_ns) return length;
  __u32 short_length = length;
  __u64 value = 0;
  if (thread->moment != NO_MOMENT) {
    if (thread->moment < short_length) {
      value = thread->span;
      thread->moment = NO_MOMENT;
    } else {
      thread->moment -= short_length;
    }
  }
  if (short_length < thread->left) {
    thread->left -= short_length;
    return value;
  }
  // The next span begins within the wait, and does not end in it.
  __u32 into = short_length - thread->left;
  __u32 span = chooser->step_ns;
  __u32 moment = (__u64)bpf_get_prandom_u32() * span >> 32;
  thread->span = span;
  thread->left = span - into;
  if (moment < into) {
    thread->moment = NO_MOMENT;
    return value + span;
  }
  thread->moment = moment - into;
  return value;
}

// What a sample stands for when only some switches are looked at.
static __always_inline __u64 weighted(__u64 value) {
  if (!threshold) return value;
  // value << 32 may be too much for 64 bits.
  return (value / threshold << 32) + (value % threshold << 32) / threshold;
}

static __always_inline enum stoker_wait kind_of(bool preempt, __u32 state) {
  if (preempt || state == 0) return STOKER_WAIT_PREEMPTED;
  if (state & TASK_INTERRUPTIBLE) return STOKER_WAIT_SLEEP;
  if (state & TASK_UNINTERRUPTIBLE) return STOKER_WAIT_UNINTERRUPTIBLE;
  if (state & TASK_STOPPED) return STOKER_WAIT_STOPPED;
  if (state & TASK_TRACED) return STOKER_WAIT_TRACED;
  return STOKER_WAIT_OTHER;
}

// An interrupt comes on this CPU as soon as it may: in the thread that is about to run, before it
// is in user space.
static __always_inline bool ring(void) {
  __u32 cpu = bpf_get_smp_processor_id();
  void* bell = bpf_map_lookup_elem(&bells, &cpu);
  if (!bell) return false;
  void* nothing = bpf_ringbuf_reserve(bell, 8, 0);
  if (!nothing) return false;
  bpf_ringbuf_discard(nothing, BPF_RB_FORCE_WAKEUP);
  return true;
}

static __always_inline void not_interrupted(struct chooser* chooser) {
  count(STOKER_STAT_NOT_INTERRUPTED, 1);
  spend(chooser, MIN_SAMPLE_NS);
}

static __always_inline void expect(struct chooser* chooser, struct task_struct* task,
                                   enum stoker_wait kind, __u64 value) {
  if (!ring()) {
    if (value) not_interrupted(chooser);
    return;
  }
  chooser->expected = task->pid;
  chooser->kind = kind;
  chooser->value = value;
}

static __always_inline void begin_wait(struct task_struct* task, bool preempt, __u32 state,
                                       __u64 now) {
  if (state & TASK_DEAD) return;
  struct thread* thread = bpf_task_storage_get(&threads, task, 0, 0);
  if (!thread) return;
  if (now < thread->unwanted_until_ns) return;
  if (threshold && bpf_get_prandom_u32() >= threshold) return;
  thread->kind = kind_of(preempt, state);
  thread->start_ns = now;
}

static __always_inline bool is_unwanted(struct task_struct* task, struct thread* thread,
                                        __u64 now) {
  __u32 pid = task->tgid;
  const struct stoker_unwanted* known = bpf_map_lookup_elem(&unwanted, &pid);
  if (!known || now >= known->until_ns) return false;
  // Another process may have the number now.
  if (known->start_ticks != task->group_leader->start_boottime / NS_PER_TICK) return false;
  thread->unwanted_until_ns = known->until_ns;
  return true;
}

static __always_inline void end_wait(struct task_struct* task, struct chooser* chooser, __u64 now) {
  struct thread* thread = bpf_task_storage_get(&threads, task, 0, 0);
  if (!thread) return expect(chooser, task, STOKER_WAIT_NONE, 0);
  __u64 start = thread->start_ns;
  if (!start) return;
  thread->start_ns = 0;
  if (start >= now) return;
  count(STOKER_STAT_WAITS, 1);
  adapt(chooser, now);
  __u64 value = choose(chooser, thread, now - start);
  if (!value || is_unwanted(task, thread, now)) return;
  count(STOKER_STAT_TAKEN, 1);
  struct scratch* scratch = own_scratch();
  if (!scratch) return;
  // As it lies since the wait began.
  struct stoker_sample* sample = &scratch->walk.sample;
  long bytes = bpf_get_task_stack(task, sample->frames, STOKER_MAX_KERNEL_FRAMES * 8, 0);
  sample->kernel_frames = bytes > 0 ? bytes / 8 : 0;
  expect(chooser, task, thread->kind, weighted(value));
}

SEC("tp_btf/sched_switch")
int on_switch(unsigned long long* arguments) {
  bool preempt = arguments[0];
  struct task_struct* previous = (void*)arguments[1];
  struct task_struct* next = (void*)arguments[2];
  __u32 zero = 0;
  struct chooser* chooser = bpf_map_lookup_elem(&choosers, &zero);
  if (!chooser) return 0;
  if (chooser->expected) {
    if (chooser->value) not_interrupted(chooser);
    chooser->expected = 0;
  }
  __u64 now = bpf_ktime_get_ns();
  chooser->switch_ns = now;
  chooser->switches++;
  if (previous->mm) {
    __u32 state = has_previous_state ? (__u32)arguments[3] : previous->__state;
    begin_wait(previous, preempt, state, now);
  }
  if (next->mm) end_wait(next, chooser, now);
  return 0;
}

static __always_inline void take(struct task_struct* task, const struct chooser* chooser) {
  struct scratch* scratch = own_scratch();
  if (!scratch) return;
  struct stoker_sample* sample = &scratch->walk.sample;
  identify(task, &sample->record);
  sample->record.wait = chooser->kind;
  sample->record.value = chooser->value;
  bool wake = announce(sample->record.pid, sample->record.start_ns);
  struct stoker_registers* registers = own_registers();
  if (!registers) return;
  take_user_stack(scratch, saved_registers(task, registers), wake);
}

// The interrupt that `ring` has raised; or another's.
SEC("tp_btf/irq_work_entry")
int on_interrupt(unsigned long long* arguments) {
  (void)arguments;
  __u32 zero = 0;
  struct chooser* chooser = bpf_map_lookup_elem(&choosers, &zero);
  if (!chooser || !chooser->expected) return 0;
  struct task_struct* task = bpf_get_current_task_btf();
  if ((__u32)task->pid != chooser->expected) return 0;
  chooser->expected = 0;
  // Not in sched_switch, where no memory should be asked for.
  if (!chooser->value) {
    bpf_task_storage_get(&threads, task, 0, BPF_LOCAL_STORAGE_GET_F_CREATE);
  } else {
    take(task, chooser);
    spend(chooser, bpf_ktime_get_ns() - chooser->switch_ns);
  }
  return 0;
}
