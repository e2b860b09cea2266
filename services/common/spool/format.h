#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace stoker::spool {

// A segment file, little-endian:
//
//   header   32 bytes: magic, version, number, checksum
//   records  48 bytes of header, then the payload; any number
//   footer   56 bytes at the file's end, once it is sealed; a crash leaves a file without
//
// Checksums are XXH3 64, seeded with the segment's number and the place in the file: bytes of one
// spool inside a payload, or moved within a file, are never taken for a record.

inline constexpr std::uint32_t kVersion = 1;
inline constexpr std::size_t kSegmentHeaderBytes = 32;
inline constexpr std::size_t kRecordHeaderBytes = 48;
inline constexpr std::size_t kFooterBytes = 56;

struct SegmentHeader {
  std::uint32_t version = kVersion;
  // The lowest sequence that a record of it may have.
  std::uint64_t number = 0;
};

struct RecordHeader {
  std::uint32_t payload_bytes = 0;
  // Rises from record to record over the life of a spool, with gaps.
  std::uint64_t sequence = 0;
  // Unix time of the append.
  std::int64_t time_ns = 0;
  // Samples that the payload stands for.
  std::uint64_t samples = 0;
  std::uint64_t payload_checksum = 0;
};

struct Footer {
  // Where the last record ends.
  std::uint64_t data_end = 0;
  std::uint64_t samples = 0;
  std::uint64_t last_sequence = 0;
  // The newest record's.
  std::int64_t time_ns = 0;
  std::uint64_t records = 0;
};

std::string EncodeSegmentHeader(const SegmentHeader& header);
// Nothing when it is damaged. Another version is returned: its other fields mean nothing.
std::optional<SegmentHeader> DecodeSegmentHeader(std::string_view bytes);

// Appends header and payload, as they stand at `offset` of segment `number`.
void EncodeRecord(std::uint64_t number, std::uint64_t offset, RecordHeader header,
                  std::string_view payload, std::string& to);
std::optional<RecordHeader> DecodeRecordHeader(std::uint64_t number, std::uint64_t offset,
                                               std::string_view bytes);
bool PayloadIsSound(const RecordHeader& header, std::string_view payload);

// Where the next record might start in `bytes`: the place of a magic number, or bytes.size().
std::size_t FindRecordMagic(std::string_view bytes);

std::string EncodeFooter(std::uint64_t number, const Footer& footer);
std::optional<Footer> DecodeFooter(std::uint64_t number, std::string_view bytes);

// "000000000000002a.spool", and back.
std::string SegmentName(std::uint64_t number);
std::optional<std::uint64_t> ParseSegmentName(std::string_view name);

}  // namespace stoker::spool
