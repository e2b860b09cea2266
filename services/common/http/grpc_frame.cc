#include "services/common/http/grpc_frame.h"

#include <charconv>
#include <cstdint>

#include <fmt/format.h>

#include "services/common/base/status.h"
#include "services/common/http/coding.h"

namespace stoker::http {
namespace {

constexpr std::size_t kPrefixBytes = 5;
constexpr char kCompressed = 1;
constexpr char kTrailers = '\x80';

std::string Frame(char flags, std::string_view payload) {
  std::string frame;
  frame.reserve(kPrefixBytes + payload.size());
  frame += flags;
  for (int shift = 24; shift >= 0; shift -= 8) {
    frame += static_cast<char>(payload.size() >> shift & 0xff);
  }
  frame += payload;
  return frame;
}

std::uint32_t LengthOf(std::string_view frame) {
  std::uint32_t length = 0;
  for (std::size_t i = 1; i < kPrefixBytes; ++i) {
    length = length << 8 | static_cast<unsigned char>(frame[i]);
  }
  return length;
}

// Printable ASCII but '%' stays.
std::string PercentEncode(std::string_view text) {
  std::string encoded;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x20 && byte < 0x7f && c != '%') {
      encoded += c;
    } else {
      encoded += fmt::format("%{:02X}", byte);
    }
  }
  return encoded;
}

}  // namespace

absl::StatusOr<std::string> UnframeMessage(std::string_view body, std::string_view encoding,
                                           std::size_t max_message_bytes) {
  if (body.size() < kPrefixBytes || body.size() - kPrefixBytes != LengthOf(body)) {
    return InvalidArgument("the body of {} bytes is not one gRPC message", body.size());
  }
  const std::string_view payload = body.substr(kPrefixBytes);
  if ((body[0] & ~kCompressed) != 0) return InvalidArgument("unknown flags of a gRPC message");
  const bool compressed = body[0] == kCompressed;
  return DecodeContent(compressed ? encoding : "identity", std::string(payload),
                       {.max_bytes = max_message_bytes});
}

std::string FrameMessage(std::string_view message) { return Frame(0, message); }

Headers GrpcTrailers(const absl::Status& status) {
  Headers trailers = {{"grpc-status", fmt::to_string(static_cast<int>(status.code()))}};
  if (!status.ok()) trailers.Add("grpc-message", PercentEncode(Message(status)));
  return trailers;
}

std::string FrameTrailers(const Headers& trailers) {
  std::string text;
  for (const auto& [name, value] : trailers.fields()) text += name + ": " + value + "\r\n";
  return Frame(kTrailers, text);
}

absl::Duration ParseGrpcTimeout(std::string_view text) {
  std::int64_t amount = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), amount);
  const bool one_unit = error == std::errc() && end + 1 == text.data() + text.size();
  if (!one_unit || text.size() > 9 || amount < 0) return absl::InfiniteDuration();
  switch (*end) {
    case 'H':
      return absl::Hours(amount);
    case 'M':
      return absl::Minutes(amount);
    case 'S':
      return absl::Seconds(amount);
    case 'm':
      return absl::Milliseconds(amount);
    case 'u':
      return absl::Microseconds(amount);
    case 'n':
      return absl::Nanoseconds(amount);
    default:
      return absl::InfiniteDuration();
  }
}

}  // namespace stoker::http
