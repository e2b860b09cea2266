// Reads any bytes as the memory of a Python process, and as line tables: what is found is bounded,
// and lines can be looked up.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <string_view>

#include "services/collector/ebpf/python/code_job.h"
#include "services/collector/ebpf/python/code_lines.h"

namespace {

using namespace stoker::ebpf;

// Ascending, so that a search finds its way.
void CheckLines(const std::vector<LineRange>& ranges) {
  for (std::size_t i = 1; i < ranges.size(); ++i) {
    if (ranges[i].start <= ranges[i - 1].start) std::abort();
  }
  if (ranges.size() > kMaxLineRanges + 1) std::abort();
  for (const std::uint32_t at : {0u, 1u, 2u, 1000u, 0xffffffffu}) (void)FindLine(ranges, at);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  for (const std::uint16_t version : {0x0308, 0x030a, 0x030b}) {
    CheckLines(DecodeLines(version, bytes, 1));
    CheckLines(DecodeLines(version, bytes, 0x7fffffff));
  }
  // The first twelve bytes are offsets, the next a code's address; all of them are memory, too.
  if (size < 13) return 0;
  PythonCodeRequest request;
  request.set_version(0x030b);
  request.set_filename(data[0]);
  request.set_name(data[1]);
  request.set_qualname(data[2]);
  request.set_first_line(data[3]);
  request.set_line_table(data[4]);
  request.set_str_state(data[5]);
  request.set_str_length(data[6]);
  request.set_str_ascii(data[7]);
  request.set_str_other(data[8]);
  request.set_bytes_size(data[9]);
  request.set_bytes_data(data[10]);
  for (std::uint32_t check = 0; check < 4; ++check) {
    request.add_code(data[11]);
    request.add_check(check);
  }
  const auto memory = [&](std::uint64_t address, char* into, std::size_t wanted) {
    // Pointers are small numbers here.
    address &= 0xff;
    if (address >= size) return std::size_t{0};
    const std::size_t count = std::min(wanted, size - static_cast<std::size_t>(address));
    std::memcpy(into, data + address, count);
    return count;
  };
  const PythonCodes answer = ReadPythonCodes(request, memory);
  for (const PythonCode& code : answer.codes()) {
    if (code.found() && code.function().empty()) std::abort();
    if (code.function().size() > 5 * 4096 || code.file().size() > 5 * 4096) std::abort();
  }
  return 0;
}
