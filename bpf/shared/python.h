/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* What the walker is told of a process that runs CPython. Included by C for BPF and by C++. */
#pragma once

#include <linux/types.h>

/* Of what is read of a thread's state, a frame, a code object: no member lies further on. */
#define STOKER_PYTHON_READ_BYTES 256
/* Ranges of a process' text that are its evaluation loop: the function and its cold part; or the
 * calls by which it is entered. */
#define STOKER_PYTHON_LOOPS 16

/* How the frames of one run of the evaluation loop are told from those of its callers. */
enum stoker_python_frames {
  /* 3.8 to 3.10: a run has one frame, an object of the heap. */
  STOKER_PYTHON_OBJECTS = 1,
  /* 3.11: the loop keeps a _PyCFrame on the C stack that leads to its innermost frame; the
   * outermost has `is_entry`. */
  STOKER_PYTHON_MARKED_ENTRY = 2,
  /* Since 3.12: the loop keeps a frame of its own on the C stack, owned by the interpreter, before
   * which its frames end. */
  STOKER_PYTHON_OWN_ENTRY = 3,
};

/* Offsets in bytes. */
struct stoker_python_layout {
  /* 0x030b is 3.11. */
  __u16 version;
  /* enum stoker_python_frames */
  __u16 frames;
  /* _PyRuntimeState.interpreters.head; PyInterpreterState: next, threads.head. */
  __u32 interpreters;
  __u32 interpreter_next;
  __u32 interpreter_threads;
  /* PyThreadState: how much of it is read; next, interp, thread_id, and what leads to its frames:
   * frame, cframe or current_frame. */
  __u16 thread_bytes;
  __u16 thread_next;
  __u16 thread_interpreter;
  __u16 thread_id;
  __u16 thread_frames;
  /* True: `thread_frames` leads to a _PyCFrame. Its current_frame and previous. */
  __u16 has_control;
  __u16 control_frame;
  __u16 control_previous;
  /* PyFrameObject or _PyInterpreterFrame: how much of it is read; the code, the caller, the
   * instruction (3.8 to 3.10: a number, else an address), `owner` or `is_entry`. */
  __u16 frame_bytes;
  __u16 frame_code;
  __u16 frame_previous;
  __u16 frame_instruction;
  __u16 frame_owner;
  /* PyCodeObject: how much of it is read; its type, first line, the number of the first instruction
   * that is traced, the first instruction. */
  __u16 code_bytes;
  __u16 code_type;
  __u16 code_first_line;
  __u16 code_first_traceable;
  __u16 code_instructions;
  /* Bytes that f_lasti counts in: 1, since 3.10 2. */
  __u16 instruction_bytes;
  __u16 unused;
};

struct stoker_python_loop {
  __u64 start;
  __u64 bytes;
};

/* Lies in the memory of unwind_memory.h, at stoker_unwind_process.python. */
struct stoker_python {
  /* Where _PyRuntime is, and PyCode_Type; 0: that is not known. */
  __u64 runtime;
  __u64 code_type;
  struct stoker_python_loop loops[STOKER_PYTHON_LOOPS];
  /* True: `loops` are calls, each of the first of a row of functions that jump to one another, an
   * instruction of Python each (3.14, where it is made with tail calls). What such a call returns
   * from is a part of the loop, too. */
  __u32 is_called;
  __u32 unused;
  struct stoker_python_layout layout;
};
