/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* One step of an unwind, from a frame to its caller: the same code in the kernel and, over copied
 * memory, in user space. Before it is included these are defined:
 *
 *   stoker_tables        a type: what finds the memory of unwind_memory.h
 *   STOKER_SEARCH        how a search is declared; BPF's verifier looks at a global function once
 *   stoker_chunk         (tables, number) → the chunk's bytes, or null
 *   stoker_rule          (tables, number) → the rule, or null
 *   stoker_bounded       (value, mask) → value & mask, so that BPF's verifier sees it
 *   stoker_read_word     (walk, address, to) → 0, or not when the memory cannot be read
 *   stoker_read_words    (walk, address, to, count) → the same of several words
 *   stoker_read_code     (walk, address, to, bytes) → the same of instructions
 *
 * and what python_step.h names.
 *
 * Sources of the formats: System V ABI for x86-64, chapter 3; Linux 6.1,
 * arch/x86/include/uapi/asm/sigcontext.h and ucontext.h. */
#pragma once

#include <linux/types.h>

#include "bpf/shared/python_step.h"
#include "bpf/shared/records.h"
#include "bpf/shared/unwind.h"
#include "bpf/shared/unwind_memory.h"

/* How far from its first instruction a function without a frame of its own is believed to be. */
#define STOKER_FRAMELESS_BYTES 65536
/* call rel32: its opcode, and its size. */
#define STOKER_CALL_RELATIVE 0xe8
#define STOKER_CALL_BYTES 5
/* How large a frame is believed to be that only a frame pointer tells of. */
#define STOKER_MAX_FRAME_BYTES (1 << 20)
/* Words before the registers in a ucontext: flags, link, and the alternate stack's three. */
#define STOKER_UCONTEXT_REGISTERS 40
#define STOKER_SIGNAL_REGISTERS 17

/* The state of an unwind. The frames found so far, and why it ended, are in `sample`. */
struct stoker_walk {
  struct stoker_registers registers;
  struct stoker_unwind_process process;
  /* Of this walk, as stoker_unwind_page.used. */
  __u32 now;
  /* True: all registers are known, which is so in the innermost frame and in one that a signal
   * interrupted; and `ip` is an instruction, not a return address. */
  __u8 interrupted;
  /* False: the caller's bp was lost on the way. */
  __u8 bp_known;
  __u8 unused[2];
  /* The mapping of the last address, in bytes; none when `mapping_end` is 0. */
  __u64 mapping_start;
  __u64 mapping_end;
  __u64 mapping_elf;
  __u32 mapping_directory;
  __u32 mapping_kind;
  __u64 signal[STOKER_SIGNAL_REGISTERS];
  struct stoker_python_walk python;
  struct stoker_sample sample;
};

static inline struct stoker_python_walk* stoker_python_of(struct stoker_walk* walk) {
  return &walk->python;
}

static inline struct stoker_sample* stoker_sample_of(struct stoker_walk* walk) {
  return &walk->sample;
}

/* The word at `offset` of what was read last. */
static inline __u64 stoker_python_word(struct stoker_walk* walk, __u32 offset) {
  return *(const __u64*)(walk->python.bytes + stoker_bounded(offset, 0xf8));
}

/* The number of the last mapping that begins at or before `page`, in a piece that holds some; -1
 * when the piece cannot be read. */
STOKER_SEARCH int stoker_find_mapping(stoker_tables tables, __u32 place, __u32 count, __u64 page) {
  const __u8* chunk = stoker_chunk(tables, place >> STOKER_UNWIND_CHUNK_UNIT_BITS);
  if (!chunk) return -1;
  __u32 start = (place & ((1 << STOKER_UNWIND_CHUNK_UNIT_BITS) - 1)) << STOKER_UNWIND_UNIT_BITS;
  __u64 key = page << STOKER_UNWIND_KEY_SHIFT | STOKER_UNWIND_KEY_LOW;
  __u32 found = 0;
  /* Without a branch on what is found: BPF's verifier would follow each of them. */
  for (int i = 0; i < 13 && count > 1; i++) {
    __u32 half = count >> 1;
    __u32 at = stoker_bounded(start + (found + half) * 16, 0xfff0);
    __s64 after = (__s64)(key - *(const __u64*)(chunk + at));
    found += half & ~(__u32)(after >> 63);
    count -= half;
  }
  return (int)found;
}

/* The number of the rule that holds `low` bytes after the page's start, of the page at `place` with
 * `counts` = rows | entries << 16; -1 when it cannot be read. */
STOKER_SEARCH int stoker_find_rule(stoker_tables tables, __u32 place, __u32 counts, __u32 low) {
  const __u8* chunk = stoker_chunk(tables, place >> STOKER_UNWIND_CHUNK_UNIT_BITS);
  if (!chunk) return -1;
  __u32 rows = counts & 0xffff;
  __u32 entries = counts >> 16;
  __u32 start = (place & ((1 << STOKER_UNWIND_CHUNK_UNIT_BITS) - 1)) << STOKER_UNWIND_UNIT_BITS;
  __u32 lows = start + entries * 8;
  __u32 row = 0;
  __u32 size = rows;
  for (int i = 0; i < 16 && size > 1; i++) {
    __u32 half = size >> 1;
    __u32 at = stoker_bounded(lows + (row + half) * 2, 0xfffe);
    __s64 after = (__s64)low - (__s64) * (const __u16*)(chunk + at);
    row += half & ~(__u32)(after >> 63);
    size -= half;
  }
  __u32 distance = low - *(const __u16*)(chunk + stoker_bounded(lows + row * 2, 0xfffe));
  __u32 numbers = lows + rows * 2;
  __u32 number = entries > 256 ? *(const __u16*)(chunk + stoker_bounded(numbers + row * 2, 0xfffe))
                               : chunk[stoker_bounded(numbers + row, 0xffff)];
  const struct stoker_unwind_entry* entry =
      (const struct stoker_unwind_entry*)(chunk + stoker_bounded(start + number * 8, 0xfff8));
  if (entry->after[1] != 0 && distance >= entry->after[1]) return entry->rule[2];
  if (entry->after[0] != 0 && distance >= entry->after[0]) return entry->rule[1];
  return entry->rule[0];
}

/* Makes the mapping of `address` the walk's; false when there is none. */
static inline int stoker_enter_mapping(stoker_tables tables, struct stoker_walk* walk,
                                       __u64 address) {
  if (address >= walk->mapping_start && address < walk->mapping_end) return 1;
  walk->mapping_end = 0;
  if (address >> STOKER_UNWIND_ADDRESS_BITS) return 0;
  __u64 page = address >> 12;
  __u32 place = walk->process.place[0];
  __u32 count = walk->process.count[0];
  for (int i = 1; i < STOKER_UNWIND_PIECES; i++) {
    if (walk->process.count[i] == 0 || page < walk->process.first[i]) break;
    place = walk->process.place[i];
    count = walk->process.count[i];
  }
  if (count == 0) return 0;
  int found = stoker_find_mapping(tables, place, count, page);
  if (found < 0) return 0;
  const __u8* chunk = stoker_chunk(tables, place >> STOKER_UNWIND_CHUNK_UNIT_BITS);
  if (!chunk) return 0;
  __u32 start = (place & ((1 << STOKER_UNWIND_CHUNK_UNIT_BITS) - 1)) << STOKER_UNWIND_UNIT_BITS;
  const struct stoker_unwind_mapping* mapping =
      (const struct stoker_unwind_mapping*)(chunk +
                                            stoker_bounded(start + (__u32)found * 16, 0xfff0));
  __u64 key = mapping->key;
  __u64 first = key >> STOKER_UNWIND_KEY_SHIFT;
  __u64 pages = mapping->pages;
  if (page < first || page >= first + pages) return 0;
  walk->mapping_start = first << 12;
  walk->mapping_end = (first + pages) << 12;
  walk->mapping_elf = (__u64)mapping->elf_page << 12;
  walk->mapping_directory = (__u32)(key & STOKER_UNWIND_KEY_LOW) >> 4;
  walk->mapping_kind = key & 15;
  return 1;
}

/* The number of the rule that holds at `address`, which lies in the walk's mapping of kind TABLE;
 * -1 when none does, or minus an enum stoker_stop. */
static inline int stoker_rule_at(stoker_tables tables, struct stoker_walk* walk, __u64 address) {
  __u32 place = walk->mapping_directory;
  __u8* chunk = stoker_chunk(tables, place >> STOKER_UNWIND_CHUNK_UNIT_BITS);
  if (!chunk) return -STOKER_STOP_TABLE_ABSENT;
  __u32 start = (place & ((1 << STOKER_UNWIND_CHUNK_UNIT_BITS) - 1)) << STOKER_UNWIND_UNIT_BITS;
  const struct stoker_unwind_directory* directory =
      (const struct stoker_unwind_directory*)(chunk + stoker_bounded(start, 0xfff0));
  __u64 elf = address - walk->mapping_start + walk->mapping_elf;
  __u64 number = (elf >> STOKER_UNWIND_PAGE_BITS) - directory->first;
  if (number >= directory->count) return -1;
  struct stoker_unwind_page* page =
      (struct stoker_unwind_page*)(chunk + stoker_bounded(start + 16 + (__u32)number * 16, 0xfff0));
  __u64 body = *(volatile __u64*)&page->body;
  if (body == 0) return -STOKER_STOP_PAGE_ABSENT;
  if ((__u32)body == STOKER_UNWIND_NO_ROWS) return -1;
  if (page->used != walk->now) page->used = walk->now;
  return stoker_find_rule(tables, (__u32)body, (__u32)(body >> 32),
                          (__u32)elf & (STOKER_UNWIND_PAGE_BYTES - 1));
}

static inline int stoker_end(struct stoker_walk* walk, enum stoker_stop stop) {
  walk->sample.stop = stop;
  return 1;
}

/* Goes to the caller: 0. */
static inline int stoker_enter_caller(struct stoker_walk* walk, __u64 ip, __u64 sp, __u64 bp) {
  walk->registers.ip = ip;
  walk->registers.value[STOKER_REGISTER_SP] = sp;
  walk->registers.value[STOKER_REGISTER_BP] = bp;
  walk->interrupted = 0;
  return 0;
}

/* True when the instruction before `return_address` calls a function that `ip` may lie in. */
static inline int stoker_calls(struct stoker_walk* walk, __u64 return_address, __u64 ip) {
  __u8 call[8];
  if (stoker_read_code(walk, return_address - STOKER_CALL_BYTES, call, STOKER_CALL_BYTES)) return 0;
  if (call[0] != STOKER_CALL_RELATIVE) return 0;
  __s32 distance =
      (__s32)((__u32)call[1] | (__u32)call[2] << 8 | (__u32)call[3] << 16 | (__u32)call[4] << 24);
  __u64 callee = return_address + (__u64)(__s64)distance;
  return callee <= ip && ip - callee < STOKER_FRAMELESS_BYTES;
}

/* A step by the frame pointer, where nothing else is known. `stop` tells why nothing else is. */
static inline int stoker_frame_pointer_step(stoker_tables tables, struct stoker_walk* walk,
                                            enum stoker_stop stop) {
  __u64 sp = walk->registers.value[STOKER_REGISTER_SP];
  __u64 bp = walk->registers.value[STOKER_REGISTER_BP];
  __u64 next = 0;
  __u64 caller = 0;
  /* A function that has no frame yet, or never makes one: its return address stands at the top of
   * the stack, or under the caller's frame pointer just pushed. */
  if (walk->interrupted && !stoker_read_word(walk, sp, &caller)) {
    __u64 size = 8;
    if (caller == bp) {
      size = 16;
      if (stoker_read_word(walk, sp + 8, &caller)) caller = 0;
    }
    if (caller != 0 && stoker_calls(walk, caller, walk->registers.ip)) {
      return stoker_enter_caller(walk, caller, sp + size, bp);
    }
  }
  if (!walk->bp_known) return stoker_end(walk, stop);
  /* By convention the outermost frame's is 0. */
  if (bp == 0 && stop == STOKER_STOP_FRAME_POINTERS_END) {
    return stoker_end(walk, STOKER_STOP_COMPLETE);
  }
  /* By convention the chain also leads from one stack to another, as Go's systemstack does. */
  int far = bp < sp || bp - sp > STOKER_MAX_FRAME_BYTES;
  if ((bp & 7) != 0 || (far && stop != STOKER_STOP_FRAME_POINTERS_END)) {
    return stoker_end(walk, stop);
  }
  if (stoker_read_word(walk, bp, &next) || stoker_read_word(walk, bp + 8, &caller)) {
    /* Far away it may be no address at all. */
    return stoker_end(walk, far ? stop : STOKER_STOP_READ_FAILED);
  }
  if (caller == 0 && stop == STOKER_STOP_FRAME_POINTERS_END) {
    return stoker_end(walk, STOKER_STOP_COMPLETE);
  }
  if (far && next != 0 && (next <= bp || (next & 7) != 0)) return stoker_end(walk, stop);
  if (!stoker_enter_mapping(tables, walk, caller - 1)) return stoker_end(walk, stop);
  return stoker_enter_caller(walk, caller, bp + 16, next);
}

/* Goes to what a signal interrupted: its registers are in the ucontext at `ucontext`. */
static inline int stoker_signal_step(struct stoker_walk* walk, __u64 ucontext) {
  __u64* words = walk->signal;
  if (stoker_read_words(walk, ucontext + STOKER_UCONTEXT_REGISTERS, words,
                        STOKER_SIGNAL_REGISTERS)) {
    return stoker_end(walk, STOKER_STOP_READ_FAILED);
  }
  __u64* value = walk->registers.value;
  for (int i = 0; i < 8; i++) value[8 + i] = words[i]; /* r8 to r15 */
  value[5] = words[8];                                 /* rdi */
  value[4] = words[9];                                 /* rsi */
  value[6] = words[10];                                /* rbp */
  value[3] = words[11];                                /* rbx */
  value[1] = words[12];                                /* rdx */
  value[0] = words[13];                                /* rax */
  value[2] = words[14];                                /* rcx */
  value[7] = words[15];                                /* rsp */
  walk->registers.ip = words[16];
  walk->interrupted = 1;
  walk->bp_known = 1;
  return 0;
}

/* The canonical frame address by `rule`: 0, or an enum stoker_stop. */
static inline int stoker_find_cfa(struct stoker_walk* walk, const struct stoker_unwind_rule* rule,
                                  __u64* cfa) {
  __u64 sp = walk->registers.value[STOKER_REGISTER_SP];
  __u64 offset = (__u64)(__s64)rule->cfa_offset;
  __u8 kind = rule->cfa;
  __u64 base = sp;
  if (kind == STOKER_CFA_BP || kind == STOKER_CFA_AT_BP) {
    if (!walk->bp_known) return STOKER_STOP_UNSUPPORTED_RULE;
    base = walk->registers.value[STOKER_REGISTER_BP];
  }
  if (kind == STOKER_CFA_REGISTER || kind == STOKER_CFA_AT_REGISTER) {
    if (!walk->interrupted) return STOKER_STOP_UNSUPPORTED_RULE;
    base = walk->registers.value[rule->registers & 15];
  }
  base += offset;
  if (kind == STOKER_CFA_PLT && (walk->registers.ip & 15) >= (__u64)(__s64)rule->extra) base += 8;
  if (kind == STOKER_CFA_AT_SP || kind == STOKER_CFA_AT_BP || kind == STOKER_CFA_AT_REGISTER) {
    if (stoker_read_word(walk, base, &base)) return STOKER_STOP_READ_FAILED;
    base += (__u64)(__s64)rule->extra;
  }
  *cfa = base;
  return 0;
}

/* Goes to the caller by a rule that finds a CFA. */
static inline int stoker_cfa_step(struct stoker_walk* walk, const struct stoker_unwind_rule* rule) {
  __u64 sp = walk->registers.value[STOKER_REGISTER_SP];
  __u64 bp = walk->registers.value[STOKER_REGISTER_BP];
  __u64 cfa = 0;
  __u64 caller = 0;
  int failed = stoker_find_cfa(walk, rule, &cfa);
  if (failed) return stoker_end(walk, (enum stoker_stop)failed);
  if (rule->ra == STOKER_RA_REGISTER) {
    if (!walk->interrupted) return stoker_end(walk, STOKER_STOP_UNSUPPORTED_RULE);
    caller = walk->registers.value[rule->registers >> 4];
    if (cfa < sp) return stoker_end(walk, STOKER_STOP_NO_PROGRESS);
  } else {
    if (cfa <= sp) return stoker_end(walk, STOKER_STOP_NO_PROGRESS);
    if (stoker_read_word(walk, cfa - 8, &caller)) return stoker_end(walk, STOKER_STOP_READ_FAILED);
  }
  if (rule->bp == STOKER_BP_UNKNOWN) walk->bp_known = 0;
  if (rule->bp == STOKER_BP_AT_CFA || rule->bp == STOKER_BP_AT_BP) {
    __u64 at = (rule->bp == STOKER_BP_AT_CFA ? cfa : bp) + (__u64)(__s64)rule->bp_offset;
    /* Only a later frame may need it. */
    walk->bp_known =
        (rule->bp == STOKER_BP_AT_CFA || walk->bp_known) && !stoker_read_word(walk, at, &bp);
  }
  /* The ABI's mark of the outermost frame. */
  if (caller == 0) return stoker_end(walk, STOKER_STOP_COMPLETE);
  return stoker_enter_caller(walk, caller, cfa, bp);
}

/* Takes what is known of the process' Python, if it has one. */
static inline void stoker_enter_python(stoker_tables tables, struct stoker_walk* walk) {
  struct stoker_python_walk* python = &walk->python;
  __u32 place = walk->process.python;
  python->present = 0;
  python->in_loop = 0;
  python->begun = 0;
  python->searched = 0;
  python->failed = 0;
  python->states = 0;
  python->looks = 0;
  python->shown = 0;
  if (place == 0) return;
  const __u8* chunk = stoker_chunk(tables, place >> STOKER_UNWIND_CHUNK_UNIT_BITS);
  __u32 start = (place & ((1 << STOKER_UNWIND_CHUNK_UNIT_BITS) - 1)) << STOKER_UNWIND_UNIT_BITS;
  start = stoker_bounded(start, 0xfff0);
  if (!chunk || start > STOKER_UNWIND_CHUNK_BYTES - sizeof(python->process)) return;
  python->process = *(const struct stoker_python*)(chunk + start);
  python->present = 1;
}

/* Begins a walk at `walk->registers`, with `walk->process`. */
static inline void stoker_begin(stoker_tables tables, struct stoker_walk* walk) {
  stoker_enter_python(tables, walk);
  walk->interrupted = 1;
  walk->bp_known = 1;
  walk->mapping_end = 0;
  walk->sample.user_frames = 0;
  walk->sample.stop = STOKER_STOP_FRAME_LIMIT;
}

/* The frame that was just added is of Python's evaluation loop. */
static inline void stoker_enter_loop(struct stoker_walk* walk) {
  struct stoker_python_walk* python = &walk->python;
  __u32 place = walk->sample.user_frames - 1;
  __u32 index = (__u32)walk->sample.kernel_frames + place;
  python->in_loop = 1;
  python->native[0] = walk->registers.ip;
  python->natives = 1;
  if (python->process.is_called && place > 0 && index > 0 &&
      index < STOKER_MAX_KERNEL_FRAMES + STOKER_MAX_USER_FRAMES &&
      !(walk->sample.frames[index - 1] & STOKER_INTERPRETED)) {
    python->native[1] = python->native[0];
    python->native[0] = walk->sample.frames[index - 1];
    python->natives = 2;
    place--;
  }
  python->place = place;
  python->stack_low = walk->registers.value[STOKER_REGISTER_SP];
}

/* What follows each step: 0, or not when the walk has ended, as `ended` says of the step. */
static inline int stoker_after_step(struct stoker_walk* walk, int ended) {
  if (!walk->python.in_loop) return ended;
  __u32 stop = walk->sample.stop;
  /* User space is to see the address that it has to bring something for. */
  if (ended && (stop == STOKER_STOP_NO_MAPPING || stop == STOKER_STOP_TABLE_ABSENT ||
                stop == STOKER_STOP_PAGE_ABSENT)) {
    return ended;
  }
  walk->python.stack_high = walk->registers.value[STOKER_REGISTER_SP];
  if (stoker_python_frames(walk, ended)) return stoker_end(walk, STOKER_STOP_FRAME_LIMIT);
  return ended;
}

/* What a walk ends with. */
static inline void stoker_finish(struct stoker_walk* walk) {
  if (walk->python.failed && walk->sample.stop == STOKER_STOP_COMPLETE) {
    walk->sample.stop = STOKER_STOP_INTERPRETER_DATA;
  }
}

/* Adds the frame that the walk is at and goes to its caller: 0. Not 0: the walk has ended, and
 * `sample.stop` says why. */
static inline int stoker_step(stoker_tables tables, struct stoker_walk* walk) {
  if (walk->sample.user_frames >= STOKER_MAX_USER_FRAMES) {
    return stoker_end(walk, STOKER_STOP_FRAME_LIMIT);
  }
  __u32 index = (__u32)walk->sample.kernel_frames + walk->sample.user_frames;
  if (index >= STOKER_MAX_KERNEL_FRAMES + STOKER_MAX_USER_FRAMES) {
    return stoker_end(walk, STOKER_STOP_FRAME_LIMIT);
  }
  walk->sample.frames[index] = walk->registers.ip;
  walk->sample.user_frames++;
  /* A call may be the last instruction of a function. */
  __u64 address = walk->registers.ip - (walk->interrupted ? 0 : 1);
  if (walk->python.present && stoker_python_is_loop(walk, address)) stoker_enter_loop(walk);
  if (!stoker_enter_mapping(tables, walk, address)) return stoker_end(walk, STOKER_STOP_NO_MAPPING);
  if (walk->mapping_kind == STOKER_UNWIND_PENDING) {
    return stoker_end(walk, STOKER_STOP_TABLE_ABSENT);
  }
  if (walk->mapping_kind != STOKER_UNWIND_TABLE) {
    return stoker_frame_pointer_step(tables, walk, STOKER_STOP_FRAME_POINTERS_END);
  }
  int number = stoker_rule_at(tables, walk, address);
  if (number < -1) return stoker_end(walk, (enum stoker_stop) - number);
  const struct stoker_unwind_rule* rule = number < 0 ? 0 : stoker_rule(tables, (__u32)number);
  __u32 cfa = rule ? rule->cfa : (__u32)STOKER_CFA_NONE;
  if (cfa == STOKER_CFA_NONE) return stoker_frame_pointer_step(tables, walk, STOKER_STOP_NO_RULE);
  if (cfa == STOKER_CFA_FRAME_POINTER) {
    return stoker_frame_pointer_step(tables, walk, STOKER_STOP_FRAME_POINTERS_END);
  }
  if (cfa == STOKER_CFA_END) return stoker_end(walk, STOKER_STOP_COMPLETE);
  if (cfa >= STOKER_CFA_UNSUPPORTED) return stoker_end(walk, STOKER_STOP_UNSUPPORTED_RULE);
  if (cfa == STOKER_CFA_SIGNAL) {
    return stoker_signal_step(
        walk, walk->registers.value[STOKER_REGISTER_SP] + (__u64)(__s64)rule->cfa_offset);
  }
  return stoker_cfa_step(walk, rule);
}
