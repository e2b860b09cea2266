// Decodes any bytes as a batch, twice on one stream, and walks what was accepted.
#include <cstddef>
#include <cstdint>

#include "services/common/wire/raw_stack_decoder.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  stoker::sample::v1::RawStackBatch batch;
  if (!batch.ParseFromArray(data, static_cast<int>(size))) return 0;
  stoker::wire::RawStackDecoder decoder;
  for (int i = 0; i < 2; ++i) {
    const auto decoded = decoder.Decode(batch);
    if (!decoded.ok()) return 0;
    const stoker::wire::StackDictionary& dictionary = *decoded->dictionary;
    for (const auto& sample : decoded->samples) {
      (void)decoded->series.at(sample.series);
      for (const std::uint32_t frame : dictionary.StackFrames(sample.stack)) {
        const auto& entry = dictionary.frames.at(frame);
        (void)dictionary.mappings.at(entry.mapping);
        (void)dictionary.strings.at(entry.function);
      }
    }
  }
  return 0;
}
