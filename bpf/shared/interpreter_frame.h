/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* How a frame of an interpreted language stands among the addresses of a user stack: two words,
 * which no address of x86-64 user space can be. Where the native frame of the interpreter's own
 * loop was, its interpreted frames stand, the innermost first. */
#pragma once

#include <linux/types.h>

/* The highest bit: a word of such a frame. */
#define STOKER_INTERPRETED (1ull << 63)

enum stoker_language {
  STOKER_LANGUAGE_PYTHON = 1,
};

/* First word: bit 63, the language in bits 56 to 62, the address of the code object below.
 * Second word: bit 63; in bits 32 to 62 the low 31 bits of the code's first line, by which user
 * space sees that the object is still the one that ran; in bits 0 to 31 the instruction that runs,
 * in bytes from the code's first, or STOKER_NOT_STARTED. */
#define STOKER_NOT_STARTED 0xffffffffu

static inline __u64 stoker_interpreted_code(enum stoker_language language, __u64 code) {
  return STOKER_INTERPRETED | (__u64)language << 56 | (code & ((1ull << 56) - 1));
}

static inline __u64 stoker_interpreted_place(__u32 first_line, __u32 instruction) {
  return STOKER_INTERPRETED | (__u64)(first_line & 0x7fffffff) << 32 | instruction;
}
