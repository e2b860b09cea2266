#include "services/common/sandbox/worker.h"
#include "services/symbolizer/process.h"
#include "services/symbolizer/table/table_job.h"

int main(int argc, char** argv) {
  using namespace stoker;
  if (sandbox::IsWorker(argc, argv)) return sandbox::RunWorker(argv, symbolizer::TableJobs());
  return runtime::ServiceMain(argc, argv, symbolizer::Info(), symbolizer::RunProcess);
}
