// What is on the wire: one line a field, enum value and method. A line that is gone or different
// breaks peers of another version; new lines are added to the golden file.
#include <fstream>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <gtest/gtest.h>

#include "proto/google/v1/profile.pb.h"
#include "proto/profile/v1/profile_service.pb.h"
#include "proto/push/v1/push.pb.h"
#include "proto/querier/v1/querier.pb.h"
#include "proto/sample/v1/sample_service.pb.h"
#include "proto/symbol/v1/symbol_service.pb.h"
#include "proto/target/v1/target_service.pb.h"
#include "proto/types/v1/types.pb.h"

namespace stoker {
namespace {

namespace pb = google::protobuf;

constexpr char kGolden[] = "tests/golden/proto/descriptors.txt";

std::string TypeName(const pb::FieldDescriptor& field) {
  std::string name = field.is_repeated() ? "repeated " : "";
  if (field.message_type() != nullptr) return name + field.message_type()->full_name();
  if (field.enum_type() != nullptr) return name + field.enum_type()->full_name();
  return name + field.type_name();
}

void Describe(const pb::EnumDescriptor& type, std::set<std::string>& lines) {
  for (int i = 0; i < type.value_count(); ++i) {
    lines.insert(type.full_name() + "." + type.value(i)->name() + " = " +
                 std::to_string(type.value(i)->number()));
  }
}

void Describe(const pb::Descriptor& message, std::set<std::string>& lines) {
  for (int i = 0; i < message.field_count(); ++i) {
    const pb::FieldDescriptor& field = *message.field(i);
    lines.insert(field.full_name() + " = " + std::to_string(field.number()) + ": " +
                 TypeName(field));
  }
  for (int i = 0; i < message.nested_type_count(); ++i) Describe(*message.nested_type(i), lines);
  for (int i = 0; i < message.enum_type_count(); ++i) Describe(*message.enum_type(i), lines);
}

void Describe(const pb::FileDescriptor& file, std::set<std::string>& lines) {
  for (int i = 0; i < file.message_type_count(); ++i) Describe(*file.message_type(i), lines);
  for (int i = 0; i < file.enum_type_count(); ++i) Describe(*file.enum_type(i), lines);
  for (int i = 0; i < file.service_count(); ++i) {
    for (int j = 0; j < file.service(i)->method_count(); ++j) {
      const pb::MethodDescriptor& method = *file.service(i)->method(j);
      lines.insert(method.full_name() + ": " + (method.client_streaming() ? "stream " : "") +
                   method.input_type()->full_name() + " -> " +
                   (method.server_streaming() ? "stream " : "") +
                   method.output_type()->full_name());
    }
  }
  for (int i = 0; i < file.dependency_count(); ++i) Describe(*file.dependency(i), lines);
}

std::set<std::string> Current() {
  std::set<std::string> lines;
  for (const pb::FileDescriptor* file :
       {target::v1::WatchRequest::descriptor()->file(),
        sample::v1::PushRequest::descriptor()->file(),
        symbol::v1::WantRequest::descriptor()->file(),
        profile::v1::PushRequest::descriptor()->file(), push::v1::PushRequest::descriptor()->file(),
        querier::v1::DiffRequest::descriptor()->file()}) {
    Describe(*file, lines);
  }
  return lines;
}

// Every line of the golden file still holds, and every line of today is in it.
TEST(DescriptorTest, MatchesGolden) {
  std::ifstream file(kGolden);
  std::set<std::string> golden;
  for (std::string line; std::getline(file, line);) golden.insert(line);
  const std::set<std::string> current = Current();
  for (const std::string& line : golden) {
    EXPECT_TRUE(current.contains(line)) << "gone or changed, which breaks peers: " << line;
  }
  for (const std::string& line : current) {
    EXPECT_TRUE(golden.contains(line)) << "new; add it to " << kGolden << ": " << line;
  }
  if (const char* folder = std::getenv("TEST_UNDECLARED_OUTPUTS_DIR"); folder != nullptr) {
    std::ofstream out(std::string(folder) + "/descriptors.txt");
    for (const std::string& line : current) out << line << "\n";
  }
}

}  // namespace
}  // namespace stoker
