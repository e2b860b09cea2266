#pragma once

#include <cstdint>

// Field numbers of google/pprof's profile.proto, for code that reads and writes it without
// generated classes.
namespace stoker::pprof::wire {

struct Profile {
  enum Field : std::uint32_t {
    kSampleType = 1,
    kSample = 2,
    kMapping = 3,
    kLocation = 4,
    kFunction = 5,
    kStringTable = 6,
    kDropFrames = 7,
    kKeepFrames = 8,
    kTimeNanos = 9,
    kDurationNanos = 10,
    kPeriodType = 11,
    kPeriod = 12,
    kComment = 13,
    kDefaultSampleType = 14,
  };
};

struct ValueType {
  enum Field : std::uint32_t { kType = 1, kUnit = 2 };
};

struct Sample {
  enum Field : std::uint32_t { kLocationId = 1, kValue = 2, kLabel = 3 };
};

struct Label {
  enum Field : std::uint32_t { kKey = 1, kStr = 2, kNum = 3, kNumUnit = 4 };
};

struct Mapping {
  enum Field : std::uint32_t {
    kId = 1,
    kMemoryStart = 2,
    kMemoryLimit = 3,
    kFileOffset = 4,
    kFilename = 5,
    kBuildId = 6,
    kHasFunctions = 7,
    kHasFilenames = 8,
    kHasLineNumbers = 9,
    kHasInlineFrames = 10,
  };
};

struct Location {
  enum Field : std::uint32_t {
    kId = 1,
    kMappingId = 2,
    kAddress = 3,
    kLine = 4,
    kIsFolded = 5,
  };
};

struct Line {
  enum Field : std::uint32_t { kFunctionId = 1, kLine = 2 };
};

struct Function {
  enum Field : std::uint32_t {
    kId = 1,
    kName = 2,
    kSystemName = 3,
    kFilename = 4,
    kStartLine = 5,
  };
};

}  // namespace stoker::pprof::wire
