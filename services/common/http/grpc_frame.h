#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include <absl/status/status.h>
#include <absl/status/statusor.h>
#include <absl/time/time.h>

#include "services/common/http/message.h"

namespace stoker::http {

// The framing of gRPC (PROTOCOL-HTTP2.md) and gRPC-Web (PROTOCOL-WEB.md): one flag byte, four bytes
// of length, big-endian, then the message.

// The one message of a unary request. `encoding` is its grpc-encoding, used where the flag says the
// message is compressed. INVALID_ARGUMENT for bad framing.
absl::StatusOr<std::string> UnframeMessage(std::string_view body, std::string_view encoding,
                                           std::size_t max_message_bytes);

std::string FrameMessage(std::string_view message);

// grpc-status and, for errors, grpc-message, percent-encoded.
Headers GrpcTrailers(const absl::Status& status);

// Trailers as gRPC-Web sends them: a frame of the body.
std::string FrameTrailers(const Headers& trailers);

// "10S", "500m": at most eight digits and a unit. Infinite for what is none.
absl::Duration ParseGrpcTimeout(std::string_view text);

}  // namespace stoker::http
