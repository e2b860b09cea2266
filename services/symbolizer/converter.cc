#include "services/symbolizer/converter.h"

#include <optional>
#include <span>
#include <utility>

#include "services/common/base/status.h"
#include "services/symbolizer/table/table_job.h"

namespace stoker::symbolizer {
namespace {

// A core of 2015 reads some millions of symbols in this time.
constexpr absl::Duration kDeadline = absl::Seconds(30);
// The largest debug files have some GB.
constexpr absl::Duration kDebugDeadline = absl::Minutes(2);
// Leases bound what is on its way: this many never wait.
constexpr std::size_t kMaxWaiting = 4096;
constexpr absl::Duration kPopTimeout = absl::Seconds(1);

}  // namespace

Converter::Converter(sandbox::Sandbox& sandbox, const TableStore& store, const UploadFolder& folder,
                     int threads)
    : sandbox_(sandbox), store_(store), folder_(folder), jobs_(kMaxWaiting) {
  for (int i = 0; i < threads; ++i) threads_.emplace_back([this] { Run(); });
}

Converter::~Converter() {
  jobs_.Close();
  for (std::thread& thread : threads_) thread.join();
}

void Converter::Convert(std::unique_ptr<Upload> upload, const std::string& table_id, Done done) {
  Job job{std::move(upload), table_id, std::move(done)};
  if (!jobs_.TryPush(std::move(job))) job.done(absl::CancelledError("the symbolizer is stopping"));
}

void Converter::Run() {
  while (!jobs_.drained()) {
    std::optional<Job> job = jobs_.Pop(kPopTimeout);
    if (!job.has_value()) continue;
    const absl::Status made = MakeTable(*job);
    folder_.Remove(job->upload->id());
    job->done(made);
  }
}

absl::Status Converter::MakeTable(const Job& job) {
  const symbol::v1::PutHeader& header = job.upload->header();
  const bool kernel = header.data() == symbol::v1::SYMBOL_DATA_KERNEL_TABLE;
  const bool debug = header.data() == symbol::v1::SYMBOL_DATA_DEBUG_SECTIONS;
  const int fd = job.upload->fd();
  STOKER_ASSIGN_OR_RETURN(
      const std::string table,
      sandbox_.Run(kernel  ? kKernelTableJob
                   : debug ? kDebugTableJob
                           : kElfTableJob,
                   std::span(&fd, 1), kernel ? "" : header.layout().SerializeAsString(),
                   debug ? kDebugDeadline : kDeadline));
  return store_.WriteFile(job.table_id, table);
}

}  // namespace stoker::symbolizer
