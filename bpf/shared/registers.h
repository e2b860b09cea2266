/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
#pragma once

#include <linux/types.h>

/* DWARF's numbers of the registers of x86-64 that an unwind follows. */
#define STOKER_REGISTER_BP 6
#define STOKER_REGISTER_SP 7
#define STOKER_REGISTERS 16

/* What a thread had in its registers, by DWARF's numbers: rax, rdx, rcx, rbx, rsi, rdi, rbp, rsp,
 * r8 to r15. */
struct stoker_registers {
  __u64 value[STOKER_REGISTERS];
  __u64 ip;
};
