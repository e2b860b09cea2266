#include "services/store/diagnosis_file.h"

#include <filesystem>
#include <fstream>

#include <gtest/gtest.h>
#include <sys/stat.h>

#include "services/common/base/status.h"

namespace stoker::store {
namespace {

std::string Write(const std::string& text) {
  const std::string path = ::testing::TempDir() + "/doctor.json";
  std::ofstream(path, std::ios::binary) << text;
  return path;
}

// What the supervisor writes comes back, without what the page has no use for.
TEST(DiagnosisFileTest, Checks) {
  const auto read = ReadDiagnosisFile(
      Write(R"({"checks":[{"id":"btf","level":"error","title":"No BTF","detail":"d","remedy":"r",)"
            R"("secret":1},{"id":"clock","level":"ok"}],"more":true})"));
  ASSERT_TRUE(read.ok()) << Message(read.status());
  EXPECT_EQ(*read,
            R"({"checks":[{"detail":"d","id":"btf","level":"error","remedy":"r","title":"No BTF"},)"
            R"({"detail":"","id":"clock","level":"ok","remedy":"","title":""}]})");
}

// A store without a supervisor has nothing to say.
TEST(DiagnosisFileTest, Absent) {
  EXPECT_EQ(*ReadDiagnosisFile(""), R"({"checks":[]})");
  EXPECT_EQ(*ReadDiagnosisFile(::testing::TempDir() + "/absent"), R"({"checks":[]})");
}

// Whatever else lies there is refused: other forms, too much of it, things that are no files.
TEST(DiagnosisFileTest, Malformed) {
  std::string many = R"({"checks":[{})";
  for (int i = 0; i < 200; ++i) many += ",{}";
  for (const std::string& text :
       {std::string(), std::string("{"), std::string("[]"), std::string(R"({"checks":{}})"),
        std::string(R"({"checks":[1]})"), std::string(R"({"checks":[{"id":1}]})"), many + "]}",
        std::string(300 << 10, ' ')}) {
    EXPECT_EQ(ReadDiagnosisFile(Write(text)).status().code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_FALSE(ReadDiagnosisFile(::testing::TempDir()).ok());
  const std::string fifo = ::testing::TempDir() + "/fifo";
  std::filesystem::remove(fifo);
  ASSERT_EQ(mkfifo(fifo.c_str(), 0600), 0);
  EXPECT_FALSE(ReadDiagnosisFile(fifo).ok());
}

// Bytes that are no text do not make the answer break.
TEST(DiagnosisFileTest, NoUtf8) {
  EXPECT_FALSE(ReadDiagnosisFile(Write("{\"checks\":[{\"id\":\"\xff\"}]}")).ok());
}

}  // namespace
}  // namespace stoker::store
