/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* How mappings, page directories and pages of rows lie in the memory that user space writes and the
 * walker reads. Included by C for BPF and by C++.
 *
 * The memory is chunks of 64 KiB; sixteen are a part, which is one array map; parts are made when
 * they are needed. A place is a number of 16-byte units from the first chunk's start; what lies at
 * a place does not cross its chunk. Places 0 and 1 hold nothing. */
#pragma once

#include <linux/types.h>

#include "bpf/shared/unwind.h"

#define STOKER_UNWIND_CHUNK_BYTES 65536
#define STOKER_UNWIND_PART_CHUNKS 16
#define STOKER_UNWIND_MAX_PARTS 256
#define STOKER_UNWIND_UNIT_BITS 4
#define STOKER_UNWIND_CHUNK_UNIT_BITS 12
#define STOKER_UNWIND_MAX_RULES 65536

/* A directory entry's place for a page that has no rows: its functions are described by nothing. */
#define STOKER_UNWIND_NO_ROWS 1

enum stoker_unwind_kind {
  /* Its table is not there yet. */
  STOKER_UNWIND_PENDING = 0,
  STOKER_UNWIND_TABLE = 1,
  /* It has no table: code made at run time, or a file that could not be read. Frame pointers are
   * believed where they verify. */
  STOKER_UNWIND_FRAME_POINTERS = 2,
};

/* An executable mapping, or a part of one: of a file whose text spans several directories a mapping
 * is several. Addresses are below 1 << 47 and counted in pages of 4 KiB. */
struct stoker_unwind_mapping {
  /* first page << 28 | place of the directory << 4 | enum stoker_unwind_kind: mappings are sorted
   * by this one number. */
  __u64 key;
  __u32 pages;
  /* The ELF virtual address of its first byte, in 4 KiB. */
  __u32 elf_page;
};
#define STOKER_UNWIND_KEY_SHIFT 28
#define STOKER_UNWIND_KEY_LOW ((1u << STOKER_UNWIND_KEY_SHIFT) - 1)
#define STOKER_UNWIND_ADDRESS_BITS 47

/* At the place of a directory, before its entries. */
struct stoker_unwind_directory {
  /* The number of the first page, as STOKER_UNWIND_PAGE_BITS says, and how many there are. */
  __u32 first;
  __u32 count;
  __u32 unused[2];
};

struct stoker_unwind_page {
  /* place | rows << 32 | entries << 48, written at once; a place of 0: not there. */
  __u64 body;
  /* When the walker last came here, in units of 2^30 ns of CLOCK_MONOTONIC. */
  __u32 used;
  __u32 unused;
};
/* Of one directory: 128 MiB of text. */
#define STOKER_UNWIND_DIRECTORY_BITS 11

#define STOKER_UNWIND_PIECES 4
#define STOKER_UNWIND_PIECE_MAPPINGS 4096

/* What is known of a process, by its thread group's number. */
struct stoker_unwind_process {
  /* Field 22 of /proc/PID/stat: 1/100 s of CLOCK_BOOTTIME. */
  __u64 start_ticks;
  /* Its mappings, ascending, in pieces of at most STOKER_UNWIND_PIECE_MAPPINGS. */
  __u32 place[STOKER_UNWIND_PIECES];
  __u32 count[STOKER_UNWIND_PIECES];
  /* The first page of each piece, in 4 KiB. */
  __u64 first[STOKER_UNWIND_PIECES];
  /* The place of a struct stoker_python; 0: the process has none. */
  __u32 python;
  __u32 unused;
};
