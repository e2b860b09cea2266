/* SPDX-License-Identifier: GPL-2.0 OR Apache-2.0 */
/* The frames of CPython 3.8 to 3.14 in a walk. Included by unwind_step.h, which names what has to
 * be defined before; besides that
 *
 *   stoker_read_bytes    (walk, address, bytes) → 0 when so many, less than
 * STOKER_PYTHON_READ_BYTES, could be read into walk->python.bytes
 *
 * Nothing that is read is believed: addresses are only read from, and a code object has to be one
 * by its type. How runs of the evaluation loop and frames go together: docs/design/0009-python.md.
 */
#pragma once

#include <linux/types.h>

#include "bpf/shared/interpreter_frame.h"
#include "bpf/shared/python.h"
#include "bpf/shared/records.h"
#include "bpf/shared/unwind_memory.h"

/* Threads that are looked at to find one's state, and states that one thread may have: one for each
 * interpreter that it is in. */
#define STOKER_PYTHON_MAX_THREADS 1024
#define STOKER_PYTHON_STATES 4
/* Frames that are looked at in one walk, whether or not they are shown. */
#define STOKER_PYTHON_MAX_LOOKS 1280
/* Bytes from a code object's first instruction to its last. */
#define STOKER_PYTHON_MAX_CODE (1 << 28)
/* enum _frameowner since 3.12: this, or what is above, is the evaluation loop's own. */
#define STOKER_PYTHON_OWNED_BY_GENERATOR 1
#define STOKER_PYTHON_OWNED_BY_LOOP 3

enum stoker_python_result {
  STOKER_PYTHON_GO_ON = 0,
  /* The frames of this run of the loop are all there. */
  STOKER_PYTHON_DONE = 1,
  /* What was found belongs to another run of the loop. */
  STOKER_PYTHON_ELSEWHERE = 2,
  STOKER_PYTHON_SENSELESS = 3,
  STOKER_PYTHON_FULL = 4,
};

/* The state of the Python part of a walk. */
struct stoker_python_walk {
  struct stoker_python process;
  /* The thread's number as Python has it: its pthread_self(). */
  __u64 thread_id;
  /* The first interpreter of the process. */
  __u64 head;
  /* Where the search for states is. */
  __u64 search_interpreter;
  __u64 search_thread;
  /* The thread's states, and where the frames begin that are not taken yet: a frame, or a
   * _PyCFrame where frames are marked. */
  __u64 state[STOKER_PYTHON_STATES];
  __u64 next[STOKER_PYTHON_STATES];
  __u32 states;
  __u32 chosen;
  /* The frame that is looked at, and what follows the run's frames. */
  __u64 frame;
  __u64 after;
  /* The native frames that the frames stand for, one or two, their place in the sample's user part,
   * and the stack of the last. */
  __u64 native[2];
  __u32 natives;
  __u32 place;
  __u32 words;
  __u64 stack_low;
  __u64 stack_high;
  __u32 looks;
  __u32 unused2;
  /* Frames of Python that the sample has. */
  __u32 shown;
  /* True: the process has Python; the frame that the walk was at is of the evaluation loop; the
   * states were looked for, in all threads; data did not make sense: nothing more is read. */
  __u8 present;
  __u8 in_loop;
  __u8 begun;
  __u8 searched;
  __u8 failed;
  __u8 unused[7];
  __u8 bytes[STOKER_PYTHON_READ_BYTES];
};

static int stoker_read_bytes(struct stoker_walk* walk, __u64 address, __u32 bytes);

static inline __u64 stoker_python_word(struct stoker_walk* walk, __u32 offset);

static inline struct stoker_python_walk* stoker_python_of(struct stoker_walk* walk);
static inline struct stoker_sample* stoker_sample_of(struct stoker_walk* walk);

/* Whether `address` lies in the evaluation loop. */
static inline int stoker_python_is_loop(struct stoker_walk* walk, __u64 address) {
  const struct stoker_python_loop* loops = stoker_python_of(walk)->process.loops;
  int found = 0;
  for (int i = 0; i < STOKER_PYTHON_LOOPS; i++) {
    found |= address - loops[i].start < loops[i].bytes;
  }
  return found;
}

/* Adds `state` to the thread's states if it is one; `next` is the thread after it. Not 0: it cannot
 * be read. */
static inline int stoker_python_take_state(struct stoker_walk* walk, __u64 state, __u64* next) {
  struct stoker_python_walk* python = stoker_python_of(walk);
  const struct stoker_python_layout* layout = &python->process.layout;
  *next = 0;
  if (stoker_read_bytes(walk, state, layout->thread_bytes)) return -1;
  *next = stoker_python_word(walk, layout->thread_next);
  if (stoker_python_word(walk, layout->thread_id) != python->thread_id) return 0;
  __u64 frames = stoker_python_word(walk, layout->thread_frames);
  if (layout->frames == STOKER_PYTHON_OWN_ENTRY && layout->has_control && frames != 0) {
    if (stoker_read_bytes(walk, frames + layout->control_frame, 8)) return -1;
    frames = stoker_python_word(walk, 0);
  }
  __u32 number = python->states;
  if (number >= STOKER_PYTHON_STATES) return 0;
  python->state[number] = state;
  python->next[number] = frames;
  python->states = number + 1;
  return 0;
}

/* Begins the search for the thread's states. Not 0: there is no interpreter, or it cannot be read.
 */
static inline int stoker_python_begin(struct stoker_walk* walk) {
  struct stoker_python_walk* python = stoker_python_of(walk);
  python->states = 0;
  python->chosen = 0;
  if (stoker_read_bytes(walk, python->process.runtime + python->process.layout.interpreters, 8)) {
    return -1;
  }
  python->head = stoker_python_word(walk, 0);
  python->search_interpreter = 0;
  python->search_thread = 0;
  return python->head == 0;
}

/* Looks at one more thread. Not 0: the search is over. */
static inline int stoker_python_search(struct stoker_walk* walk) {
  struct stoker_python_walk* python = stoker_python_of(walk);
  const struct stoker_python_layout* layout = &python->process.layout;
  if (python->search_thread == 0) {
    __u64 interpreter = python->search_interpreter;
    if (interpreter == 0) {
      interpreter = python->head;
    } else {
      if (stoker_read_bytes(walk, interpreter + layout->interpreter_next, 8)) return -1;
      interpreter = stoker_python_word(walk, 0);
    }
    if (interpreter == 0) return 1;
    python->search_interpreter = interpreter;
    if (stoker_read_bytes(walk, interpreter + layout->interpreter_threads, 8)) return -1;
    python->search_thread = stoker_python_word(walk, 0);
    return 0;
  }
  __u64 next = 0;
  if (stoker_python_take_state(walk, python->search_thread, &next)) return -1;
  python->search_thread = next;
  return python->states >= STOKER_PYTHON_STATES;
}

static inline int stoker_python_on_stack(const struct stoker_python_walk* python, __u64 address) {
  return address >= python->stack_low && address < python->stack_high;
}

/* Begins with the frames of the chosen state for the run of the loop that the walk was in. */
static inline enum stoker_python_result stoker_python_enter(struct stoker_walk* walk) {
  struct stoker_python_walk* python = stoker_python_of(walk);
  const struct stoker_python_layout* layout = &python->process.layout;
  __u32 chosen = python->chosen;
  python->words = 0;
  if (chosen >= STOKER_PYTHON_STATES) return STOKER_PYTHON_ELSEWHERE;
  python->frame = python->next[chosen];
  if (python->frame == 0) return STOKER_PYTHON_ELSEWHERE;
  if (layout->frames != STOKER_PYTHON_MARKED_ENTRY) return STOKER_PYTHON_GO_ON;
  __u64 control = python->frame;
  if (!stoker_python_on_stack(python, control)) return STOKER_PYTHON_ELSEWHERE;
  if (stoker_read_bytes(walk, control, 32)) return STOKER_PYTHON_SENSELESS;
  python->frame = stoker_python_word(walk, layout->control_frame);
  python->after = stoker_python_word(walk, layout->control_previous);
  return python->frame == 0 ? STOKER_PYTHON_ELSEWHERE : STOKER_PYTHON_GO_ON;
}

/* Shows a frame of `code`, unless it has not begun. `instruction` is as the frame has it. */
static inline enum stoker_python_result stoker_python_show(struct stoker_walk* walk, __u64 code,
                                                           __u64 instruction, __u32 owner) {
  struct stoker_python_walk* python = stoker_python_of(walk);
  struct stoker_sample* sample = stoker_sample_of(walk);
  const struct stoker_python_layout* layout = &python->process.layout;
  if (code == 0 || (code & 7) != 0 || code >> STOKER_UNWIND_ADDRESS_BITS) {
    return STOKER_PYTHON_SENSELESS;
  }
  if (stoker_read_bytes(walk, code, layout->code_bytes)) return STOKER_PYTHON_SENSELESS;
  if (python->process.code_type != 0 &&
      stoker_python_word(walk, layout->code_type) != python->process.code_type) {
    return STOKER_PYTHON_SENSELESS;
  }
  /* A member of four bytes in the word that holds it. */
  __u32 first_line = (__u32)(stoker_python_word(walk, layout->code_first_line & ~7u) >>
                             ((layout->code_first_line & 7) * 8));
  __s64 at = (__s64)instruction;
  if (layout->frames == STOKER_PYTHON_OBJECTS) {
    at = (__s64)(__s32)(__u32)instruction * layout->instruction_bytes;
  } else {
    at = (__s64)(instruction - (code + layout->code_instructions));
    __u32 traceable = (__u32)(stoker_python_word(walk, layout->code_first_traceable & ~7u) >>
                              ((layout->code_first_traceable & 7) * 8));
    /* The interpreter itself does not show such: it prepares them, or they are its own. */
    if (owner != STOKER_PYTHON_OWNED_BY_GENERATOR && at < (__s64)(__s32)traceable * 2) {
      return at >= -2 ? STOKER_PYTHON_GO_ON : STOKER_PYTHON_SENSELESS;
    }
  }
  if (at < -2 || at >= STOKER_PYTHON_MAX_CODE) return STOKER_PYTHON_SENSELESS;
  __u32 user = python->place + python->words;
  __u32 index = (__u32)sample->kernel_frames + user;
  if (user + 2 > STOKER_MAX_USER_FRAMES) return STOKER_PYTHON_FULL;
  if (index >= STOKER_MAX_KERNEL_FRAMES + STOKER_MAX_USER_FRAMES - 1) return STOKER_PYTHON_FULL;
  sample->frames[index] = stoker_interpreted_code(STOKER_LANGUAGE_PYTHON, code);
  sample->frames[index + 1] =
      stoker_interpreted_place(first_line, at < 0 ? STOKER_NOT_STARTED : (__u32)at);
  python->words += 2;
  return STOKER_PYTHON_GO_ON;
}

/* Takes the frame that the walk looks at, and goes to its caller. */
static inline enum stoker_python_result stoker_python_frame(struct stoker_walk* walk) {
  struct stoker_python_walk* python = stoker_python_of(walk);
  const struct stoker_python_layout* layout = &python->process.layout;
  __u64 frame = python->frame;
  if (python->looks >= STOKER_PYTHON_MAX_LOOKS) return STOKER_PYTHON_SENSELESS;
  python->looks++;
  if ((frame & 7) != 0 || stoker_read_bytes(walk, frame, layout->frame_bytes)) {
    return STOKER_PYTHON_SENSELESS;
  }
  /* Since 3.14 the low bits say how the reference is counted. */
  __u64 code = stoker_python_word(walk, layout->frame_code) & ~7ull;
  __u64 previous = stoker_python_word(walk, layout->frame_previous);
  __u64 instruction = stoker_python_word(walk, layout->frame_instruction);
  __u32 owner = (__u8)(stoker_python_word(walk, layout->frame_owner & ~7u) >>
                       ((layout->frame_owner & 7) * 8));
  enum stoker_python_result result = STOKER_PYTHON_GO_ON;
  if (layout->frames == STOKER_PYTHON_OWN_ENTRY && owner >= STOKER_PYTHON_OWNED_BY_LOOP) {
    python->after = previous;
    return stoker_python_on_stack(python, frame) ? STOKER_PYTHON_DONE : STOKER_PYTHON_ELSEWHERE;
  }
  if (layout->frames == STOKER_PYTHON_OBJECTS) {
    python->after = previous;
    result = stoker_python_show(walk, code, instruction, 0);
    return result == STOKER_PYTHON_GO_ON ? STOKER_PYTHON_DONE : result;
  }
  int is_entry = layout->frames == STOKER_PYTHON_MARKED_ENTRY && owner != 0;
  /* What 3.11 has beside its mark: the owner. */
  if (layout->frames == STOKER_PYTHON_MARKED_ENTRY) {
    owner = (__u8)(stoker_python_word(walk, (layout->frame_owner + 1u) & ~7u) >>
                   (((layout->frame_owner + 1u) & 7) * 8));
  }
  python->frame = previous;
  result = stoker_python_show(walk, code, instruction, owner);
  if (result != STOKER_PYTHON_GO_ON) return result;
  if (is_entry) return STOKER_PYTHON_DONE;
  return previous == 0 ? STOKER_PYTHON_SENSELESS : STOKER_PYTHON_GO_ON;
}

/* Ends with the run of the loop: what was found of it takes the place of its native frame. Not 0:
 * there is no room for more frames. */
static inline int stoker_python_leave(struct stoker_walk* walk, enum stoker_python_result result) {
  struct stoker_python_walk* python = stoker_python_of(walk);
  struct stoker_sample* sample = stoker_sample_of(walk);
  if (result == STOKER_PYTHON_ELSEWHERE) python->words = 0;
  if (result == STOKER_PYTHON_SENSELESS) python->failed = 1;
  if (result == STOKER_PYTHON_DONE && python->chosen < STOKER_PYTHON_STATES) {
    python->next[python->chosen] = python->after;
  }
  if (python->words == 0) {
    __u32 index = (__u32)sample->kernel_frames + python->place;
    if (index >= STOKER_MAX_KERNEL_FRAMES + STOKER_MAX_USER_FRAMES - 1) return 0;
    sample->frames[index] = python->native[0];
    if (python->natives > 1) sample->frames[index + 1] = python->native[1];
    return 0;
  }
  sample->user_frames = (__u16)(python->place + python->words);
  python->shown += python->words / 2;
  return result == STOKER_PYTHON_FULL;
}

/* Calls of the functions above, each of which BPF's verifier looks at once. */
static int stoker_call_python_search(struct stoker_walk* walk);
static int stoker_call_python_find(struct stoker_walk* walk);
static int stoker_call_python_frame(struct stoker_walk* walk);
static int stoker_call_python_run(struct stoker_walk* walk);
/* The thread's state as it was found before, or 0; and keeps it, when it is the only one. */
static __u64 stoker_known_python_state(struct stoker_walk* walk);
static void stoker_keep_python_state(struct stoker_walk* walk);

/* Looks at all threads for the states of this one. What was taken of a state stays taken. */
static inline int stoker_python_find(struct stoker_walk* walk) {
  struct stoker_python_walk* python = stoker_python_of(walk);
  __u64 known = python->states > 0 ? python->state[0] : 0;
  __u64 next = python->next[0];
  python->searched = 1;
  if (stoker_python_begin(walk)) return -1;
  for (int i = 0; i < STOKER_PYTHON_MAX_THREADS; i++) {
    if (stoker_call_python_search(walk)) break;
  }
  for (__u32 i = 0; i < STOKER_PYTHON_STATES; i++) {
    if (known != 0 && python->state[i] == known) python->next[i] = next;
  }
  if (python->states == 1) stoker_keep_python_state(walk);
  return 0;
}

/* One run of the loop with the chosen state. */
static inline enum stoker_python_result stoker_python_run(struct stoker_walk* walk) {
  int result = stoker_python_enter(walk);
  for (int i = 0; i <= STOKER_PYTHON_MAX_LOOKS; i++) {
    if (result != STOKER_PYTHON_GO_ON) break;
    result = stoker_call_python_frame(walk);
  }
  return (enum stoker_python_result)result;
}

/* Finds the thread's states for the first run of a walk. Not 0: there is none. */
static inline int stoker_python_start(struct stoker_walk* walk) {
  struct stoker_python_walk* python = stoker_python_of(walk);
  if (stoker_python_begin(walk)) return -1;
  __u64 known = stoker_known_python_state(walk);
  __u64 next = 0;
  if (known != 0 && !stoker_python_take_state(walk, known, &next) && python->states == 1) return 0;
  if (stoker_call_python_find(walk)) return -1;
  return python->states == 0;
}

/* Puts the frames of Python in the place of the run of the loop that the walk was in last. `ended`:
 * the walk has ended there. Not 0: there is no room for more frames. */
static inline int stoker_python_frames(struct stoker_walk* walk, int ended) {
  struct stoker_python_walk* python = stoker_python_of(walk);
  python->in_loop = 0;
  if (python->failed) return 0;
  python->stack_high = ended ? ~0ull : python->stack_high;
  if (!python->begun) {
    python->begun = 1;
    if (stoker_python_start(walk)) {
      python->failed = 1;
      return 0;
    }
  }
  int result = stoker_call_python_run(walk);
  if (result == STOKER_PYTHON_ELSEWHERE && !python->searched) {
    if (stoker_call_python_find(walk)) {
      python->failed = 1;
      return stoker_python_leave(walk, STOKER_PYTHON_ELSEWHERE);
    }
    python->chosen = STOKER_PYTHON_STATES;
  }
  __u32 before = python->chosen;
  for (__u32 i = 0; i < STOKER_PYTHON_STATES; i++) {
    if (result != STOKER_PYTHON_ELSEWHERE || i >= python->states) break;
    if (i == before) continue;
    python->chosen = i;
    result = stoker_call_python_run(walk);
  }
  if (result == STOKER_PYTHON_ELSEWHERE)
    python->chosen = before < STOKER_PYTHON_STATES ? before : 0;
  return stoker_python_leave(walk, (enum stoker_python_result)result);
}
