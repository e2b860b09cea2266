#include "services/symbolizer/process.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include <absl/strings/numbers.h>
#include <absl/time/clock.h>

#include "services/common/base/status.h"
#include "services/common/forwarding/forwarder_client.h"
#include "services/common/log/log.h"
#include "services/common/runtime/core_thread.h"
#include "services/symbolizer/converter.h"
#include "services/symbolizer/sample_service.h"
#include "services/symbolizer/symbol_service.h"
#include "services/symbolizer/symbolizer.h"

namespace stoker::symbolizer {
namespace {

constexpr absl::Duration kTick = absl::Milliseconds(100);
// For what is held to reach the forwarder, and for streams to end.
constexpr absl::Duration kFlush = absl::Seconds(5);
constexpr absl::Duration kGrace = absl::Seconds(2);
constexpr int kConversions = 2;
constexpr int kDebugConversions = 1;
// A worker that reads DWARF has its sections in memory, inflated.
constexpr std::size_t kDebugMemoryBytes = std::size_t{4} << 30;

struct Settings {
  std::string forwarder;
  std::uint64_t table_bytes = 0;
  Wants::Options wants;
};

// The forwarder is where the flag says, else the `stoker` block, else at the socket in the run
// folder. A process that runs stays with the address that it began with.
absl::Status Configure(runtime::Service& service, std::string& forwarder) {
  const runtime::Options& options = service.options();
  forwarder = options.flags.at("forwarder");
  const auto configured = std::make_shared<std::optional<std::string>>();
  STOKER_RETURN_IF_ERROR(
      service.Configure([configured](const runtime::ConfigurationPtr& configuration) {
        const std::string& address = configuration->stoker().forwarder.address;
        if (!*configured) {
          *configured = address;
        } else if (**configured != address) {
          log::Warn("the forwarder has another address now; it is taken over at the next start",
                    {{"address", address}});
        }
        return absl::OkStatus();
      }));
  if (forwarder.empty()) forwarder = configured->value_or("");
  if (forwarder.empty()) forwarder = "unix:" + options.run_dir + "/forwarder.sock";
  return absl::OkStatus();
}

absl::StatusOr<Settings> ReadSettings(runtime::Service& service) {
  const runtime::Options& options = service.options();
  Settings settings;
  STOKER_RETURN_IF_ERROR(Configure(service, settings.forwarder));
  const std::string& wait = options.flags.at("symbol-wait");
  if (!absl::ParseDuration(wait, &settings.wants.symbol_wait) ||
      settings.wants.symbol_wait < absl::ZeroDuration()) {
    return InvalidArgument("--symbol-wait: {} is no duration, such as 30s", wait);
  }
  const std::string& bytes = options.flags.at("table-bytes");
  if (!absl::SimpleAtoi(bytes, &settings.table_bytes)) {
    return InvalidArgument("--table-bytes: {} is no number of bytes", bytes);
  }
  return settings;
}

// All of the process; HTTP handlers outlive RunProcess, and with them what they ask.
struct Parts {
  Parts(runtime::Service& service, const Settings& settings, std::unique_ptr<TableStore> store,
        UploadFolder uploads)
      : tables(std::move(store)),
        folder(std::move(uploads)),
        metrics(service.metrics()),
        client(service.dialer(), settings.forwarder, service.random()),
        wants(settings.wants, service.random(),
              [this](const std::string& id) { return folder.PartialBytes(id); }),
        core({}, service.clock(), *tables, wants, client, metrics),
        sandbox({.workers = kConversions}),
        debug_sandbox({.workers = kDebugConversions, .memory_bytes = kDebugMemoryBytes}),
        thread(kTick, [this] { core.Tick(); }),
        converter(sandbox, *tables, folder, kConversions),
        debug_converter(debug_sandbox, *tables, folder, kDebugConversions),
        samples(thread, core),
        symbols({thread, core, wants, folder, converter, debug_converter, metrics}) {}

  const std::unique_ptr<TableStore> tables;
  const UploadFolder folder;
  Metrics metrics;
  forwarding::ForwarderClient client;
  Wants wants;
  Symbolizer core;
  sandbox::Sandbox sandbox;
  sandbox::Sandbox debug_sandbox;
  runtime::CoreThread thread;
  Converter converter;
  Converter debug_converter;
  SampleService samples;
  SymbolService symbols;
};

absl::StatusOr<std::shared_ptr<Parts>> Open(runtime::Service& service) {
  STOKER_ASSIGN_OR_RETURN(const Settings settings, ReadSettings(service));
  const std::string& folder = service.options().data_dir;
  STOKER_ASSIGN_OR_RETURN(std::unique_ptr<TableStore> tables,
                          TableStore::Open(folder + "/tables", settings.table_bytes));
  STOKER_ASSIGN_OR_RETURN(UploadFolder uploads, UploadFolder::Open(folder + "/uploads"));
  return std::make_shared<Parts>(service, settings, std::move(tables), std::move(uploads));
}

forwarding::ForwarderClient::Events ForwarderEvents(runtime::CoreThread& thread, Symbolizer& core) {
  return {.connected = [&] { thread.Post([&core] { core.OnForwarderConnected(); }); },
          .lost = [&] { thread.Post([&core] { core.OnForwarderLost(); }); },
          .answers =
              [&](profile::v1::PushResponse response) {
                thread.Post([&core, response = std::move(response)] { core.OnAnswers(response); });
              }};
}

nlohmann::json DebugState(Parts& parts) {
  nlohmann::json state;
  parts.thread.Call([&] { state = parts.core.State(); });
  return state;
}

// Hands what is held to the forwarder, as far as it takes it in time.
void Flush(Parts& parts) {
  const absl::Time deadline = absl::Now() + kFlush;
  bool idle = false;
  parts.thread.Call([&] { parts.core.Finish(); });
  while (!idle && absl::Now() < deadline) {
    absl::SleepFor(kTick);
    parts.thread.Call([&] { idle = parts.core.idle(); });
  }
}

}  // namespace

runtime::ServiceInfo Info() {
  return {
      .process = "symbolizer",
      .summary =
          "Takes raw stacks from the ebpf collectors, asks them for the symbols of the "
          "binaries that it has not seen, names the frames, and hands profiles to the "
          "forwarder. Needs no privilege and opens no file but its own.",
      .http_listen = "127.0.0.1:12344",
      .grpc_listen = "127.0.0.1:4042",
      .config_required = false,
      .flags = {
          {"symbol-wait", "30s", "How long profiles wait for a binary's symbols."},
          {"forwarder", "",
           "Address of the forwarder. Without it that of the `stoker` block, else its socket in "
           "the run folder."},
          {"table-bytes", "4294967296",
           "Bytes of symbol tables kept on disk; those unused for longest go first."}}};
}

absl::Status RunProcess(runtime::Service& service) {
  STOKER_ASSIGN_OR_RETURN(const std::shared_ptr<Parts> parts, Open(service));
  service.AddDebugState("symbolizer", [parts] { return DebugState(*parts); });
  parts->client.Start(ForwarderEvents(parts->thread, parts->core));
  STOKER_RETURN_IF_ERROR(service.Serve({&parts->samples, &parts->symbols}));
  service.WaitForStop();
  Flush(*parts);
  service.StopGrpc(kGrace);
  parts->client.Stop();
  parts->thread.Stop();
  return absl::OkStatus();
}

}  // namespace stoker::symbolizer
