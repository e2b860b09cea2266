#include "services/common/config/components/logging.h"

#include "services/common/config/components/schemas.h"

namespace stoker::config {

const Schema& LoggingSchema() {
  static const Schema* const schema =
      SchemaBuilder<Logging>()
          .Choice("level", &Logging::level,
                  {{"error", log::Level::kError},
                   {"warn", log::Level::kWarn},
                   {"info", log::Level::kInfo},
                   {"debug", log::Level::kDebug}},
                  "Level at which log lines should be written.")
          .Choice("format", &Logging::format,
                  {{"logfmt", log::Format::kLogfmt}, {"json", log::Format::kJson}},
                  "Format to use for writing log lines.")
          .Ignored<std::vector<Value>>("write_to")
          .Ignored<std::string>("destination")
          .Build();
  return *schema;
}

}  // namespace stoker::config
