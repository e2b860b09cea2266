/* SPDX-License-Identifier: GPL-2.0 */
/* The members of kernel structures that our programs read. libbpf finds their places in the running
 * kernel's BTF (CO-RE), so that no vmlinux.h of a build machine is needed. */
#pragma once

#include <linux/types.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

/* The kernel's names; those of user space's pt_regs differ. */
struct pt_regs___kernel {
  unsigned long r15;
  unsigned long r14;
  unsigned long r13;
  unsigned long r12;
  unsigned long bp;
  unsigned long bx;
  unsigned long r11;
  unsigned long r10;
  unsigned long r9;
  unsigned long r8;
  unsigned long ax;
  unsigned long cx;
  unsigned long dx;
  unsigned long si;
  unsigned long di;
  unsigned long ip;
  unsigned long cs;
  unsigned long sp;
};

struct mm_struct;

struct thread_struct {
  /* Where the thread's own data is: what pthread_self() says. */
  unsigned long fsbase;
};

struct task_struct {
  int pid;
  int tgid;
  char comm[16];
  struct task_struct* group_leader;
  struct mm_struct* mm;
  /* TASK_RUNNING and the like; 5.14 and later. */
  unsigned int __state;
  /* Nanoseconds of CLOCK_BOOTTIME; kernel 5.5 and later. */
  __u64 start_boottime;
  struct thread_struct thread;
};

#pragma clang attribute pop
