#include "services/collector/ebpf/symbol_provider.h"

#include <algorithm>
#include <utility>
#include <vector>

#include <zstd.h>

#include "services/common/base/status.h"
#include "services/common/elf/byte_source.h"
#include "services/common/log/log.h"
#include "services/common/rpc/backoff.h"
#include "services/common/rpc/status.h"

namespace stoker::ebpf {
namespace {

using symbol::v1::PutUnavailable;

constexpr std::size_t kChunkBytes = std::size_t{512} << 10;
constexpr int kZstdLevel = 1;

std::string Compress(std::string_view bytes) {
  std::string out(ZSTD_compressBound(bytes.size()), '\0');
  out.resize(ZSTD_compress(out.data(), out.size(), bytes.data(), bytes.size(), kZstdLevel));
  return out;
}

// The bytes of all wanted sections, as one: where each begins in the data and in the file.
class SectionBytes {
 public:
  SectionBytes(const Binary& binary, const elf::ByteSource& file) : file_(file) {
    const auto& sections = binary.inspection.layout().sections();
    for (int i = 0; i < sections.size(); ++i) {
      if (!sections[i].has_data()) continue;
      parts_.push_back(
          {sections[i].data_offset(), sections[i].size_bytes(), binary.inspection.file_offset(i)});
    }
  }

  [[nodiscard]] absl::StatusOr<std::string> Read(std::uint64_t offset,
                                                 std::size_t max_bytes) const {
    std::string bytes;
    for (const Part& part : parts_) {
      const std::uint64_t at = offset + bytes.size();
      if (at < part.data_offset || at >= part.data_offset + part.size) continue;
      const std::uint64_t skip = at - part.data_offset;
      const std::uint64_t size =
          std::min<std::uint64_t>(part.size - skip, max_bytes - bytes.size());
      STOKER_ASSIGN_OR_RETURN(const std::string piece, file_.Read(part.file_offset + skip, size));
      bytes += piece;
      if (bytes.size() == max_bytes) break;
    }
    return bytes;
  }

 private:
  struct Part {
    std::uint64_t data_offset = 0;
    std::uint64_t size = 0;
    std::uint64_t file_offset = 0;
  };
  const elf::ByteSource& file_;
  std::vector<Part> parts_;
};

}  // namespace

SymbolProvider::SymbolProvider(Options options, rpc::Dialer& dialer, Random& random,
                               const BinaryStore& binaries, const KernelSymbols& kernel,
                               std::function<void(std::uint64_t bytes)> sent)
    : options_(std::move(options)),
      random_(random),
      binaries_(binaries),
      kernel_(kernel),
      sent_(std::move(sent)),
      channel_(dialer.Dial(options_.address)),
      thread_([this] { Run(); }) {}

SymbolProvider::~SymbolProvider() {
  {
    absl::MutexLock lock(&mutex_);
    stopping_ = true;
    for (grpc::ClientContext* context : {want_, put_}) {
      if (context != nullptr) context->TryCancel();
    }
  }
  thread_.join();
}

bool SymbolProvider::Begin(grpc::ClientContext*& slot, grpc::ClientContext* context) {
  absl::MutexLock lock(&mutex_);
  if (stopping_) return false;
  slot = context;
  return true;
}

void SymbolProvider::End(grpc::ClientContext*& slot) {
  absl::MutexLock lock(&mutex_);
  slot = nullptr;
}

bool SymbolProvider::Pause(absl::Duration duration) {
  absl::MutexLock lock(&mutex_);
  return mutex_.AwaitWithTimeout(absl::Condition(&stopping_), duration);
}

void SymbolProvider::Run() {
  rpc::Backoff backoff(absl::Milliseconds(100), absl::Seconds(2), random_);
  const auto stub = symbol::v1::SymbolService::NewStub(channel_);
  absl::Status last;
  while (true) {
    const absl::Status status = Watch(*stub);
    const bool stopping = Pause(backoff.Next());
    if (stopping) return;
    if (last.ok()) log::Warn("stream of wanted symbols ended", {{"error", status}});
    last = status;
    if (backoff.retries() > 8) backoff.Reset();
  }
}

absl::Status SymbolProvider::Watch(symbol::v1::SymbolService::Stub& stub) {
  grpc::ClientContext context;
  if (!Begin(want_, &context)) return absl::OkStatus();
  const auto reader = stub.Want(&context, options_.request);
  symbol::v1::WantResponse response;
  while (reader->Read(&response)) {
    for (const symbol::v1::Wanted& wanted : response.wanted()) Put(stub, wanted);
  }
  const grpc::Status status = reader->Finish();
  End(want_);
  return rpc::FromGrpc(status);
}

void SymbolProvider::Put(symbol::v1::SymbolService::Stub& stub, const symbol::v1::Wanted& wanted) {
  grpc::ClientContext context;
  if (!Begin(put_, &context)) return;
  symbol::v1::PutResponse response;
  const auto writer = stub.Put(&context, &response);
  const bool sent = wanted.data() == symbol::v1::SYMBOL_DATA_KERNEL_TABLE
                        ? PutKernel(*writer, wanted)
                        : PutElf(*writer, wanted);
  if (sent) {
    writer->WritesDone();
  } else {
    context.TryCancel();
  }
  const grpc::Status status = writer->Finish();
  End(put_);
  if (status.ok() || status.error_code() == grpc::StatusCode::CANCELLED) return;
  log::Warn("symbols not taken", {{"path", wanted.path()}, {"error", rpc::FromGrpc(status)}});
}

bool SymbolProvider::PutElf(Writer& writer, const symbol::v1::Wanted& wanted) {
  const BinaryPtr binary = binaries_.Find(wanted.key());
  if (binary == nullptr) {
    return Refuse(writer, wanted, PutUnavailable::REASON_GONE, "no process has it any more");
  }
  if (binary->inspection.put_bytes() == 0) {
    return Refuse(writer, wanted, PutUnavailable::REASON_NO_SYMBOLS,
                  "the file has no symbol table");
  }
  const auto file = elf::OpenFdSource(binary->fd.get());
  if (!file.ok()) {
    return Refuse(writer, wanted, PutUnavailable::REASON_UNREADABLE,
                  std::string(Message(file.status())));
  }
  symbol::v1::PutHeader header;
  header.set_size_bytes(binary->inspection.put_bytes());
  *header.mutable_layout() = binary->inspection.layout();
  const SectionBytes bytes(*binary, **file);
  return PutData(writer, wanted, std::move(header),
                 [&](std::uint64_t offset, std::size_t size) { return bytes.Read(offset, size); });
}

bool SymbolProvider::PutKernel(Writer& writer, const symbol::v1::Wanted& wanted) {
  symbol::v1::BinaryKey key = wanted.key();
  key.clear_tenant();
  const std::string wanted_key = key.SerializeAsString();
  const auto region = std::ranges::find_if(kernel_.regions(), [&](const KernelRegion& candidate) {
    return candidate.key.SerializeAsString() == wanted_key;
  });
  if (region == kernel_.regions().end()) {
    return Refuse(writer, wanted, PutUnavailable::REASON_GONE,
                  "the kernel or its modules are others now");
  }
  symbol::v1::PutHeader header;
  header.set_size_bytes(region->table.size());
  return PutData(writer, wanted, std::move(header),
                 [&](std::uint64_t offset, std::size_t size) -> absl::StatusOr<std::string> {
                   return region->table.substr(offset, size);
                 });
}

bool SymbolProvider::PutData(Writer& writer, const symbol::v1::Wanted& wanted,
                             symbol::v1::PutHeader header, const Source& source) {
  header.set_data(wanted.data());
  header.set_lease_id(wanted.lease_id());
  *header.mutable_key() = wanted.key();
  const std::uint64_t size = header.size_bytes();
  symbol::v1::PutRequest request;
  *request.mutable_header() = std::move(header);
  if (!writer.Write(request)) return false;
  for (std::uint64_t offset = std::min(wanted.resume_offset(), size); offset < size;) {
    const absl::StatusOr<std::string> bytes = source(offset, kChunkBytes);
    if (!bytes.ok() || bytes->empty()) {
      return Refuse(writer, wanted, PutUnavailable::REASON_UNREADABLE,
                    bytes.ok() ? "the file ends early" : std::string(Message(bytes.status())));
    }
    request.mutable_chunk()->set_offset(offset);
    request.mutable_chunk()->set_zstd(Compress(*bytes));
    if (!writer.Write(request)) return false;
    offset += bytes->size();
    sent_(bytes->size());
    if (Pause(absl::Seconds(static_cast<double>(bytes->size()) / kBytesPerSecond))) return false;
  }
  return true;
}

bool SymbolProvider::Refuse(Writer& writer, const symbol::v1::Wanted& wanted,
                            symbol::v1::PutUnavailable::Reason reason, std::string message) {
  symbol::v1::PutRequest request;
  symbol::v1::PutUnavailable& unavailable = *request.mutable_unavailable();
  *unavailable.mutable_key() = wanted.key();
  unavailable.set_lease_id(wanted.lease_id());
  unavailable.set_reason(reason);
  unavailable.set_message(std::move(message));
  return writer.Write(request);
}

}  // namespace stoker::ebpf
