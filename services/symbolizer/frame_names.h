#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "proto/sample/v1/sample.pb.h"
#include "services/common/wire/stack_dictionary.h"
#include "services/symbolizer/table/table_store.h"

namespace stoker::symbolizer {

// What became of a frame.
enum class Naming : std::uint8_t {
  // Not looked up, or its table has not come.
  kNoTable,
  kNamed,
  // The table has no function at that address.
  kNoSymbol,
  // The node named it.
  kNamedByNode,
  // No file: nobody can name it.
  kNoFile,
};

// The names of the frames of one dictionary: each is looked up and demangled once, and again only
// while its table is missing. Used by one thread.
class FrameNames {
 public:
  struct Name {
    std::string shown;
    // As the binary has it, or empty when it is the same.
    std::string mangled;
  };
  struct Resolved {
    Naming naming = Naming::kNoTable;
    // An index for name(), when kNamed.
    std::uint32_t name = 0;
  };

  FrameNames(std::shared_ptr<const wire::StackDictionary> dictionary,
             sample::v1::Hello::Demangle demangle, std::string tenant, TableStore& tables);

  [[nodiscard]] const wire::StackDictionary& dictionary() const { return *dictionary_; }
  [[nodiscard]] bool IsOf(const wire::StackDictionary* dictionary) const {
    return dictionary_.get() == dictionary;
  }

  // What is to be known of one mapping's binary.
  struct Binary {
    // TableId of its key; empty: it has none.
    std::string id;
    symbol::v1::BinaryKey key;
    std::shared_ptr<const Table> table;
  };
  // By mapping number, up to the dictionary's last one.
  const std::vector<Binary>& Binaries();

  // Looks a frame up. `frame` is a number of the dictionary.
  Resolved Resolve(std::uint32_t frame) {
    if (frame >= resolved_.size()) Grow();
    const Resolved& known = resolved_[frame];
    return known.naming == Naming::kNoTable ? LookUp(frame) : known;
  }
  [[nodiscard]] const Name& name(std::uint32_t index) const { return names_[index]; }

  // The address to be named: that of a return address is the call before it.
  static std::uint64_t LookUpAddress(const wire::StackDictionary::Frame& frame) {
    return frame.address - (frame.is_return_address && frame.address != 0 ? 1 : 0);
  }

 private:
  void Grow();
  Resolved LookUp(std::uint32_t frame);
  Resolved NameFrame(const wire::StackDictionary::Frame& frame);
  std::uint32_t NameOf(std::uint32_t mapping, const Table& table, std::uint32_t range);

  const std::shared_ptr<const wire::StackDictionary> dictionary_;
  const sample::v1::Hello::Demangle demangle_;
  const std::string tenant_;
  TableStore& tables_;
  std::vector<Binary> binaries_;
  std::vector<Resolved> resolved_;
  std::vector<Name> names_;
  // (mapping, Table::NameId) -> index in names_.
  std::unordered_map<std::uint64_t, std::uint32_t> name_of_;
};

}  // namespace stoker::symbolizer
