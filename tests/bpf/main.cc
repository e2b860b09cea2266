// The main of tests that run the sandbox: its workers are the test's own binary.
#include <gtest/gtest.h>

#include "services/collector/ebpf/python/runtime.h"
#include "services/collector/ebpf/unwind/table_job.h"
#include "services/common/elf/inspect.h"
#include "services/common/sandbox/worker.h"

int main(int argc, char** argv) {
  if (stoker::sandbox::IsWorker(argc, argv)) {
    return stoker::sandbox::RunWorker(
        argv, {{stoker::elf::kInspectJob, stoker::elf::InspectJob},
               {stoker::ebpf::unwind::kTableJob, stoker::ebpf::unwind::TableJob},
               {stoker::ebpf::kPythonRuntimeJob, stoker::ebpf::PythonRuntimeJob}});
  }
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
