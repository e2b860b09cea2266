#pragma once

#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "services/common/pprof/hash_index.h"
#include "services/common/pprof/string_table.h"

namespace stoker::pprof {

// Writes a pprof profile (google/pprof's profile.proto). Equal strings, mappings, functions and
// locations are written once. Samples go straight to the output: the caller has already counted
// equal ones. One profile per builder; not thread-safe.
class ProfileBuilder {
 public:
  struct Mapping {
    std::uint64_t start = 0;
    std::uint64_t limit = 0;
    std::uint64_t offset = 0;
    std::string_view filename;
    std::string_view build_id;
    bool has_functions = false;
    bool has_filenames = false;
    bool has_line_numbers = false;
    bool has_inline_frames = false;
  };
  struct Function {
    // As shown, demangled.
    std::string_view name;
    // As in the symbol table; "" for the same as `name`.
    std::string_view system_name;
    std::string_view filename;
    std::int64_t start_line = 0;
  };
  struct Line {
    // From AddFunction.
    std::uint64_t function_id = 0;
    // 0 for unknown.
    std::int64_t line = 0;
  };
  struct Label {
    std::string_view key;
    // Of a string label; "" for a numeric one.
    std::string_view str;
    std::int64_t num = 0;
    std::string_view num_unit;
  };

  ProfileBuilder();

  // In the order of the samples' values.
  void AddSampleType(std::string_view type, std::string_view unit);
  // An empty type: there is none.
  void SetPeriod(std::string_view type, std::string_view unit, std::int64_t period);
  // Unix time of the start, and the duration, in nanoseconds.
  void SetTime(std::int64_t time_nanos, std::int64_t duration_nanos);
  void SetDefaultSampleType(std::string_view type);
  void SetDropFrames(std::string_view regex);
  void SetKeepFrames(std::string_view regex);
  void AddComment(std::string_view text);

  // These return the id of an equal one that is there already.
  std::uint64_t AddMapping(const Mapping& mapping);
  std::uint64_t AddFunction(const Function& function);
  // `mapping_id` 0 for none. `lines` innermost inlined function first; none for an address that
  // nobody has named yet.
  std::uint64_t AddLocation(std::uint64_t mapping_id, std::uint64_t address,
                            std::span<const Line> lines, bool is_folded = false);
  std::uint64_t AddLocation(std::uint64_t mapping_id, std::uint64_t address,
                            std::initializer_list<Line> lines) {
    return AddLocation(mapping_id, address, std::span<const Line>(lines.begin(), lines.size()));
  }

  // `location_ids` the leaf first; one value for each sample type.
  void AddSample(std::span<const std::uint64_t> location_ids, std::span<const std::int64_t> values,
                 std::span<const Label> labels = {});

  [[nodiscard]] std::size_t samples() const { return samples_; }
  // About the size of Finish(): never less.
  [[nodiscard]] std::size_t size() const;

  // The message, bare. The builder is used up.
  std::string Finish() &&;
  // The message in gzip, level 1.
  std::string FinishGzip() &&;

 private:
  // Things written once: the number of an equal key, or the next number for a new one.
  class Distinct {
   public:
    // True where `key` is new; `id` is 1-based.
    bool Insert(std::span<const std::uint64_t> key, std::uint64_t& id);

   private:
    std::vector<std::uint64_t> pool_;
    std::vector<std::size_t> starts_ = {0};
    HashIndex index_;
  };

  void AddValueType(std::uint32_t field, std::string_view type, std::string_view unit);

  std::string out_;
  std::string scratch_;
  std::string inner_;
  std::vector<std::uint64_t> key_;
  StringTable strings_;
  Distinct mappings_;
  Distinct functions_;
  Distinct locations_;
  std::size_t samples_ = 0;
};

}  // namespace stoker::pprof
