#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/status/statusor.h>

#include "services/common/http/message.h"

namespace stoker::http {

// What a compressed body may grow to: both hold.
struct DecodeLimits {
  std::size_t max_bytes = std::size_t{64} << 20;
  // Content over compressed size; no body is held to less than 1 MiB by it.
  std::size_t max_ratio = 256;
};

// The content of `body`, whose Content-Encoding is `encoding` ("", "identity" or "gzip").
// UNIMPLEMENTED for another, INVALID_ARGUMENT for damaged gzip, RESOURCE_EXHAUSTED past a limit.
absl::StatusOr<std::string> DecodeContent(std::string_view encoding, std::string body,
                                          const DecodeLimits& limits = {});

// A smaller body is not worth the effort: what Pyroscope's server compresses from.
inline constexpr std::size_t kMinCompressedBytes = 1400;

// Compresses the body where the request's Accept-Encoding allows gzip, the body has
// kMinCompressedBytes and no coding yet, and adds Vary.
void CompressResponse(const Request& request, Response& response);

}  // namespace stoker::http
