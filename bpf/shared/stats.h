/* SPDX-License-Identifier: GPL-2.0 */
#pragma once

/* What the sampler counts, per CPU: name and meaning. User space makes its texts from this list. */
#define STOKER_SAMPLER_STATS(X)                                         \
  X(TAKEN, "samples taken")                                             \
  X(RING_FULL, "samples lost because the ring buffer was full")         \
  X(EVENT_LOST, "process events lost because the ring buffer was full") \
  X(USER_READ_FAILED, "user stacks that ended at unreadable memory")    \
  X(DEFERRED, "samples whose user stack was left to user space")        \
  X(WALKS, "user stacks walked in the kernel")                          \
  X(WALKED_FRAMES, "their frames")                                      \
  X(PYTHON_FRAMES, "frames of Python among them")                       \
  X(WAITS, "waits of threads that ended")                               \
  X(NOT_INTERRUPTED, "waits lost because no interrupt came")

enum stoker_sampler_stat {
#define STOKER_STAT(name, meaning) STOKER_STAT_##name,
  STOKER_SAMPLER_STATS(STOKER_STAT)
#undef STOKER_STAT
      STOKER_STAT_COUNT,
};
