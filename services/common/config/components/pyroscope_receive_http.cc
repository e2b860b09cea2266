#include "services/common/config/components/pyroscope_receive_http.h"

#include "services/common/base/status.h"
#include "services/common/config/components/schemas.h"

namespace stoker::config {
namespace {

using Config = PyroscopeReceiveHttp;
using Http = Config::Http;
using Tls = Config::Tls;

const Schema& ServerTlsSchema() {
  static const Schema* const schema =
      SchemaBuilder<Tls>()
          .Optional("cert_pem", &Tls::cert_pem, "PEM data of the server's certificate.")
          .Optional("cert_file", &Tls::cert_file, "Path to the server's certificate.")
          .Optional("key_pem", &Tls::key_pem, "PEM data of the server's key.")
          .Optional("key_file", &Tls::key_file, "Path to the server's key.")
          .Optional("client_auth_type", &Tls::client_auth_type,
                    "How clients authenticate, as Go's tls package names it.")
          .Optional("client_ca", &Tls::client_ca, "PEM data of the clients' CA.")
          .Optional("client_ca_file", &Tls::client_ca_file, "Path to the clients' CA.")
          .Optional("min_version", &Tls::min_version, "Oldest TLS version to accept.")
          .Ignored<std::vector<std::string>>("cipher_suites")
          .Validate([](const Tls& tls) {
            const bool has_key = !tls.key_pem.empty() || !tls.key_file.empty();
            if (tls.enabled() == has_key) return absl::OkStatus();
            return InvalidArgument("a certificate and its key must both be configured");
          })
          .Build();
  return *schema;
}

const Schema& Http2Schema() {
  static const Schema* const schema = [] {
    SchemaBuilder<Nothing> builder;
    builder.Ignored<bool>("enabled").Ignored<bool>("permit_prohibited_ciphers");
    for (const char* name :
         {"max_handlers", "max_concurrent_streams", "max_decoder_header_table_size",
          "max_encoder_header_table_size", "max_read_frame_size",
          "max_upload_buffer_per_connection", "max_upload_buffer_per_stream"}) {
      builder.Ignored<int>(name);
    }
    for (const char* name :
         {"idle_timeout", "read_idle_timeout", "ping_timeout", "write_byte_timeout"}) {
      builder.Ignored<absl::Duration>(name);
    }
    return builder.Build();
  }();
  return *schema;
}

// gRPC comes over the port of HTTP.
const Schema& GrpcSchema() {
  static const Schema* const schema = [] {
    SchemaBuilder<Nothing> builder;
    builder.Ignored<std::string>("listen_address");
    for (const char* name : {"listen_port", "conn_limit", "server_max_recv_msg_size",
                             "server_max_send_msg_size", "server_max_concurrent_streams"}) {
      builder.Ignored<int>(name);
    }
    for (const char* name :
         {"max_connection_age", "max_connection_age_grace", "max_connection_idle"}) {
      builder.Ignored<absl::Duration>(name);
    }
    return builder.Build();
  }();
  return *schema;
}

const Schema& HttpSchema() {
  static const Schema* const schema =
      SchemaBuilder<Http>()
          .Optional("listen_address", &Http::listen_address,
                    "Network address on which the server listens. All addresses when empty.")
          .Optional("listen_port", &Http::listen_port, "Port on which the server listens.")
          .Optional("conn_limit", &Http::conn_limit,
                    "Maximum number of simultaneous connections; 0 for no limit.")
          .Optional("server_read_timeout", &Http::server_read_timeout,
                    "Read timeout of the server.")
          .Optional("server_write_timeout", &Http::server_write_timeout,
                    "Write timeout of the server.")
          .Optional("server_idle_timeout", &Http::server_idle_timeout,
                    "Idle timeout of the server.")
          .Block("tls", &Http::tls, ServerTlsSchema(), "Configures TLS of the server.")
          .IgnoredBlock("http2", Http2Schema())
          .Validate([](const Http& http) {
            constexpr int kMaxPort = 65535;
            if (http.listen_port >= 0 && http.listen_port <= kMaxPort) return absl::OkStatus();
            return InvalidArgument("listen_port must be in [0, {}]", kMaxPort);
          })
          .Build();
  return *schema;
}

const Schema& OtlpSchema() {
  static const Schema* const schema =
      SchemaBuilder<Config::Otlp>()
          .Optional("grpc_address", &Config::Otlp::grpc_address,
                    "Where OTLP over gRPC is received; host:port. None when empty.")
          .Optional("http_address", &Config::Otlp::http_address,
                    "Where OTLP over HTTP is received; host:port. None when empty.")
          .Build();
  return *schema;
}

}  // namespace

const Schema& PyroscopeReceiveHttpSchema() {
  static const Schema* const schema =
      SchemaBuilder<Config>()
          .Receivers("forward_to", &Config::forward_to, true,
                     "List of receivers to send profiles to.")
          .Optional("graceful_shutdown_timeout", &Config::graceful_shutdown_timeout,
                    "How long running requests may take when the server stops.")
          .Optional("debug_info_upload_timeout", &Config::debug_info_upload_timeout,
                    "Timeout of an upload of debug information.")
          .Block("http", &Config::http, HttpSchema(), "Configures the HTTP server.")
          .Block("otlp", &Config::otlp, OtlpSchema(), "Configures receivers of OTLP.")
          .IgnoredBlock("grpc", GrpcSchema())
          .Build();
  return *schema;
}

}  // namespace stoker::config
