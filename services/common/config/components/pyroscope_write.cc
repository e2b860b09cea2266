#include "services/common/config/components/pyroscope_write.h"

#include "services/common/base/status.h"
#include "services/common/config/components/schemas.h"

namespace stoker::config {
namespace {

using Endpoint = PyroscopeWrite::Endpoint;

absl::Status ValidateEndpoint(const Endpoint& endpoint) {
  if (endpoint.url.empty()) return InvalidArgument("url must not be empty");
  if (endpoint.remote_timeout <= absl::ZeroDuration()) {
    return InvalidArgument("remote_timeout must be greater than 0");
  }
  if (endpoint.min_backoff_period < absl::ZeroDuration() ||
      endpoint.max_backoff_period < endpoint.min_backoff_period) {
    return InvalidArgument("max_backoff_period must not be less than min_backoff_period");
  }
  if (endpoint.max_backoff_retries < 0) {
    return InvalidArgument("max_backoff_retries must not be negative");
  }
  return absl::OkStatus();
}

const Schema& EndpointSchema() {
  using Protocol = PyroscopeWrite::Protocol;
  using Unresolved = PyroscopeWrite::Unresolved;
  static const Schema* const schema =
      SchemaBuilder<Endpoint>()
          .Required("url", &Endpoint::url, "Full URL to send profiles to.")
          .Optional("name", &Endpoint::name, "Name of the endpoint in metrics and messages.")
          .Optional("remote_timeout", &Endpoint::remote_timeout,
                    "Timeout of one attempt to send a profile.")
          .Optional("debug_info_upload_timeout", &Endpoint::debug_info_upload_timeout,
                    "Timeout of an upload of debug information.")
          .Optional("headers", &Endpoint::headers, "Extra headers to deliver with the request.")
          .Optional("min_backoff_period", &Endpoint::min_backoff_period,
                    "Initial backoff time between retries.")
          .Optional("max_backoff_period", &Endpoint::max_backoff_period,
                    "Maximum backoff time between retries.")
          .Optional("max_backoff_retries", &Endpoint::max_backoff_retries,
                    "Attempts to send a profile, the first included. 0 to retry infinitely.")
          .Optional("retry_on_http_429", &Endpoint::retry_on_http_429,
                    "Retry when an HTTP 429 status code is received.")
          .Choice("protocol", &Endpoint::protocol,
                  {{"pyroscope", Protocol::kPyroscope},
                   {"otlp_grpc", Protocol::kOtlpGrpc},
                   {"otlp_http", Protocol::kOtlpHttp},
                   {"file", Protocol::kFile}},
                  "What the far end speaks: pyroscope, otlp_grpc, otlp_http or file.")
          .Choice("unresolved", &Endpoint::unresolved,
                  {{"address", Unresolved::kAddress}, {"line", Unresolved::kLine}},
                  "What becomes of an address without a name: address keeps it for a far end that "
                  "can name it, line writes text.")
          .Squash(&Endpoint::client, HttpClientConfigSchema())
          .Validate(ValidateEndpoint)
          .Build();
  return *schema;
}

const Schema& TracingSchema() {
  static const Schema* const schema = SchemaBuilder<Nothing>()
                                          .Ignored<bool>("jaeger_propagator")
                                          .Ignored<bool>("trace_context_propagator")
                                          .Build();
  return *schema;
}

}  // namespace

const Schema& PyroscopeWriteSchema() {
  static const Schema* const schema =
      SchemaBuilder<PyroscopeWrite>()
          .Optional("external_labels", &PyroscopeWrite::external_labels,
                    "Labels to add to profiles sent over the network.")
          .Blocks("endpoint", &PyroscopeWrite::endpoints, EndpointSchema(),
                  "Location to send profiles to.")
          .IgnoredBlock("tracing", TracingSchema())
          .Build();
  return *schema;
}

}  // namespace stoker::config
