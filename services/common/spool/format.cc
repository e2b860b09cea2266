#include "services/common/spool/format.h"

#include <array>
#include <bit>
#include <charconv>
#include <cstring>

#include <fmt/format.h>
#include <xxhash.h>

namespace stoker::spool {
namespace {

static_assert(std::endian::native == std::endian::little, "the format is little-endian");

constexpr std::uint64_t kSegmentMagic = 0x0a4c504f4f505353;  // "SSPOOPL\n"
constexpr std::uint64_t kFooterMagic = 0x0a444e4544454c53;   // "SLEDEND\n"
constexpr std::uint32_t kRecordMagic = 0xb15dc0de;
constexpr std::string_view kSuffix = ".spool";

template <typename T>
void Put(std::string& to, T value) {
  to.append(reinterpret_cast<const char*>(&value), sizeof(value));
}

template <typename T>
T Take(std::string_view bytes, std::size_t offset) {
  T value;
  std::memcpy(&value, bytes.data() + offset, sizeof(value));
  return value;
}

std::uint64_t Seed(std::uint64_t number, std::uint64_t offset) {
  return number * 0x9e3779b97f4a7c15 + offset;
}

std::uint64_t Checksum(std::string_view bytes, std::uint64_t seed) {
  return XXH3_64bits_withSeed(bytes.data(), bytes.size(), seed);
}

// Whether the last 8 of `size` bytes are the checksum of those before.
bool IsSound(std::string_view bytes, std::size_t size, std::uint64_t seed) {
  return Take<std::uint64_t>(bytes, size - 8) == Checksum(bytes.substr(0, size - 8), seed);
}

}  // namespace

std::string EncodeSegmentHeader(const SegmentHeader& header) {
  std::string bytes;
  Put(bytes, kSegmentMagic);
  Put(bytes, header.version);
  Put(bytes, std::uint32_t{0});
  Put(bytes, header.number);
  Put(bytes, Checksum(bytes, 0));
  return bytes;
}

std::optional<SegmentHeader> DecodeSegmentHeader(std::string_view bytes) {
  if (bytes.size() < kSegmentHeaderBytes) return std::nullopt;
  if (Take<std::uint64_t>(bytes, 0) != kSegmentMagic) return std::nullopt;
  if (!IsSound(bytes, kSegmentHeaderBytes, 0)) return std::nullopt;
  return SegmentHeader{.version = Take<std::uint32_t>(bytes, 8),
                       .number = Take<std::uint64_t>(bytes, 16)};
}

void EncodeRecord(std::uint64_t number, std::uint64_t offset, RecordHeader header,
                  std::string_view payload, std::string& to) {
  const std::size_t start = to.size();
  Put(to, kRecordMagic);
  Put(to, static_cast<std::uint32_t>(payload.size()));
  Put(to, header.sequence);
  Put(to, header.time_ns);
  Put(to, header.samples);
  Put(to, Checksum(payload, header.sequence));
  Put(to, Checksum(std::string_view(to).substr(start), Seed(number, offset)));
  to.append(payload);
}

std::optional<RecordHeader> DecodeRecordHeader(std::uint64_t number, std::uint64_t offset,
                                               std::string_view bytes) {
  if (bytes.size() < kRecordHeaderBytes) return std::nullopt;
  if (Take<std::uint32_t>(bytes, 0) != kRecordMagic) return std::nullopt;
  if (!IsSound(bytes, kRecordHeaderBytes, Seed(number, offset))) return std::nullopt;
  return RecordHeader{.payload_bytes = Take<std::uint32_t>(bytes, 4),
                      .sequence = Take<std::uint64_t>(bytes, 8),
                      .time_ns = Take<std::int64_t>(bytes, 16),
                      .samples = Take<std::uint64_t>(bytes, 24),
                      .payload_checksum = Take<std::uint64_t>(bytes, 32)};
}

bool PayloadIsSound(const RecordHeader& header, std::string_view payload) {
  return payload.size() == header.payload_bytes &&
         Checksum(payload, header.sequence) == header.payload_checksum;
}

std::size_t FindRecordMagic(std::string_view bytes) {
  std::array<char, sizeof(kRecordMagic)> magic{};
  std::memcpy(magic.data(), &kRecordMagic, magic.size());
  const std::size_t found = bytes.find(std::string_view(magic.data(), magic.size()));
  return found == std::string_view::npos ? bytes.size() : found;
}

std::string EncodeFooter(std::uint64_t number, const Footer& footer) {
  std::string bytes;
  Put(bytes, kFooterMagic);
  Put(bytes, footer.data_end);
  Put(bytes, footer.samples);
  Put(bytes, footer.last_sequence);
  Put(bytes, footer.time_ns);
  Put(bytes, footer.records);
  Put(bytes, Checksum(bytes, number));
  return bytes;
}

std::optional<Footer> DecodeFooter(std::uint64_t number, std::string_view bytes) {
  if (bytes.size() < kFooterBytes) return std::nullopt;
  if (Take<std::uint64_t>(bytes, 0) != kFooterMagic) return std::nullopt;
  if (!IsSound(bytes, kFooterBytes, number)) return std::nullopt;
  return Footer{.data_end = Take<std::uint64_t>(bytes, 8),
                .samples = Take<std::uint64_t>(bytes, 16),
                .last_sequence = Take<std::uint64_t>(bytes, 24),
                .time_ns = Take<std::int64_t>(bytes, 32),
                .records = Take<std::uint64_t>(bytes, 40)};
}

std::string SegmentName(std::uint64_t number) { return fmt::format("{:016x}{}", number, kSuffix); }

std::optional<std::uint64_t> ParseSegmentName(std::string_view name) {
  if (name.size() != 16 + kSuffix.size() || !name.ends_with(kSuffix)) return std::nullopt;
  std::uint64_t number = 0;
  const char* end = name.data() + 16;
  if (std::from_chars(name.data(), end, number, 16).ptr != end) return std::nullopt;
  return number;
}

}  // namespace stoker::spool
