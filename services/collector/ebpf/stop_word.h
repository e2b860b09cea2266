#pragma once

#include "bpf/shared/records.h"

namespace stoker::ebpf {

// The word for why a walk ended, in metrics.
inline const char* StopWord(stoker_stop stop) {
  switch (stop) {
    case STOKER_STOP_COMPLETE:
      return "complete";
    case STOKER_STOP_FRAME_LIMIT:
      return "frame_limit";
    case STOKER_STOP_NO_MAPPING:
      return "no_mapping";
    case STOKER_STOP_PROCESS_ABSENT:
      return "process_absent";
    case STOKER_STOP_TABLE_ABSENT:
      return "table_absent";
    case STOKER_STOP_PAGE_ABSENT:
      return "page_absent";
    case STOKER_STOP_NO_RULE:
      return "no_rule";
    case STOKER_STOP_UNSUPPORTED_RULE:
      return "unsupported_rule";
    case STOKER_STOP_READ_FAILED:
      return "read_failed";
    case STOKER_STOP_NO_PROGRESS:
      return "no_progress";
    case STOKER_STOP_FRAME_POINTERS_END:
      return "frame_pointers_end";
    case STOKER_STOP_PROGRAM_LIMIT:
      return "program_limit";
    case STOKER_STOP_COMPAT_TASK:
      return "compat_task";
    case STOKER_STOP_INTERPRETER_DATA:
      return "interpreter_data";
    case STOKER_STOP_COUNT:
      break;
  }
  return "unknown";
}

}  // namespace stoker::ebpf
