/* SPDX-License-Identifier: GPL-2.0 */
/* How one step of an unwind is told: the rules and the pages of rows that user space derives from a
 * file's call frame information and the walker reads. Included by C for BPF and by C++. x86-64's
 * names are used: sp, bp and ip are what DWARF numbers 7, 6 and 16 there. */
#pragma once

#include <linux/types.h>

/* Where the canonical frame address (CFA), the stack pointer before the call, is found. */
enum stoker_cfa {
  /* No rule: the address is in no function that is described. */
  STOKER_CFA_NONE = 0,
  /* The outermost frame: its return address is undefined. The stack is whole. */
  STOKER_CFA_END = 1,
  /* sp + cfa_offset */
  STOKER_CFA_SP = 2,
  /* bp + cfa_offset */
  STOKER_CFA_BP = 3,
  /* *(sp + cfa_offset) + extra */
  STOKER_CFA_AT_SP = 4,
  /* *(bp + cfa_offset) + extra: a frame that was realigned */
  STOKER_CFA_AT_BP = 5,
  /* register `cfa_register` + cfa_offset: only where all registers are known, which is the
   * innermost frame and the one that a signal interrupted */
  STOKER_CFA_REGISTER = 6,
  /* *(register `cfa_register` + cfa_offset) + extra; as above */
  STOKER_CFA_AT_REGISTER = 7,
  /* A stub of the procedure linkage table: sp + cfa_offset, and 8 more where
   * (ip & 15) >= extra */
  STOKER_CFA_PLT = 8,
  /* The kernel's signal frame: all registers are in the ucontext at sp + cfa_offset; the frame that
   * follows was interrupted, so its address is an instruction's, not a return address. */
  STOKER_CFA_SIGNAL = 9,
  /* A frame pointer is kept here by convention, without information: {bp, return address} at bp,
   * believed only where it verifies. */
  STOKER_CFA_FRAME_POINTER = 10,
  /* Described by what no rule can express. */
  STOKER_CFA_UNSUPPORTED = 11,
};

/* Where the caller's bp is. */
enum stoker_bp {
  STOKER_BP_SAME = 0,
  /* *(CFA + bp_offset) */
  STOKER_BP_AT_CFA = 1,
  /* *(bp + bp_offset): of a frame that was realigned */
  STOKER_BP_AT_BP = 2,
  STOKER_BP_UNKNOWN = 3,
};

/* Where the return address is. */
enum stoker_ra {
  /* *(CFA - 8) */
  STOKER_RA_AT_CFA = 0,
  /* in register `ra_register`; as STOKER_CFA_REGISTER */
  STOKER_RA_REGISTER = 1,
};

/* DWARF numbers of registers, 0 to 15, take a nibble each in `registers`. */
struct stoker_unwind_rule {
  __u8 cfa;       /* enum stoker_cfa */
  __u8 bp;        /* enum stoker_bp */
  __u8 ra;        /* enum stoker_ra */
  __u8 registers; /* cfa_register | ra_register << 4 */
  __s32 cfa_offset;
  __s32 bp_offset;
  __s32 extra;
};

/* Rows are kept by pages of a file's ELF virtual addresses: page p holds [p << 16, (p + 1) << 16).
 */
#define STOKER_UNWIND_PAGE_BITS 16
#define STOKER_UNWIND_PAGE_BYTES (1 << STOKER_UNWIND_PAGE_BITS)

/* What a row means, shared by the rows of a page: up to three rules in a row, so that the pushes
 * and pops of a prologue need one row. rule[0] holds from the row's address, rule[1] from
 * `after[0]` bytes later, rule[2] from `after[1]` bytes after the row's address; an `after` of 0:
 * not used. */
struct stoker_unwind_entry {
  __u16 rule[3];
  __u8 after[2];
};

/* A page lies in memory as three columns, without padding between them:
 *
 *   struct stoker_unwind_entry entries[entry_count];
 *   __u16 low[row_count];    ascending; the low bits of the address from which a row holds
 *   __u8 or __u16 entry[row_count];    a number into `entries`; __u16 where entry_count > 256
 *
 * Each page stands alone: its first row has low 0 (what held before it, or a rule NONE). */
#define STOKER_UNWIND_MAX_PAGE_BYTES 65536
