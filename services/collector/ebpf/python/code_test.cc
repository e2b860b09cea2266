// Code objects in the memory of real interpreters have the names, files and lines that those
// interpreters themselves give them; memory that holds something else has none.
#include <csignal>
#include <cstring>
#include <sstream>
#include <string>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include "services/collector/ebpf/python/code_job.h"
#include "services/collector/ebpf/python/code_lines.h"
#include "services/collector/ebpf/python/interpreters.h"
#include "services/collector/ebpf/python/layout.h"

namespace stoker::ebpf {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr char kTestdata[] = "services/collector/ebpf/python/testdata";

std::string FromHex(const std::string& hex) {
  std::string bytes;
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    bytes.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
  }
  return bytes;
}

// As the compilers of the versions wrote them.
TEST(CodeLinesTest, EachFormat) {
  // One line on after two bytes, then a far jump in two steps.
  EXPECT_THAT(DecodeLines(0x0308, FromHex("02010a7f0003"), 5),
              ElementsAre(LineRange{0, 5}, LineRange{2, 6}, LineRange{12, 136}));
  EXPECT_THAT(DecodeLines(0x0309, FromHex("04ff"), 5),
              ElementsAre(LineRange{0, 5}, LineRange{4, 4}));
  // The line first, then its bytes; 0x80 is no line.
  EXPECT_THAT(DecodeLines(0x030a, FromHex("020104800602"), 5),
              ElementsAre(LineRange{0, 6}, LineRange{2, 0}, LineRange{6, 8}));
  // No columns; one line on, with columns; none; long, back by one.
  EXPECT_THAT(DecodeLines(0x030b,
                          FromHex("e800"
                                  "da0102"
                                  "f8"
                                  "f103000000"),
                          5),
              ElementsAre(LineRange{0, 5}, LineRange{2, 6}, LineRange{8, 0}, LineRange{10, 5}));
}

TEST(CodeLinesTest, Lookup) {
  const std::vector<LineRange> ranges = {{0, 0}, {2, 7}, {6, 0}, {10, 9}};
  EXPECT_EQ(FindLine(ranges, 0), 0u);
  EXPECT_EQ(FindLine(ranges, 2), 7u);
  EXPECT_EQ(FindLine(ranges, 5), 7u);
  EXPECT_EQ(FindLine(ranges, 8), 7u);
  EXPECT_EQ(FindLine(ranges, 1000), 9u);
  EXPECT_EQ(FindLine({}, 3), 0u);
}

TEST(CodeLinesTest, HostileTables) {
  EXPECT_THAT(DecodeLines(0x030b, "", 1), IsEmpty());
  EXPECT_THAT(DecodeLines(0x030b, std::string(10, '\x7f'), 1), testing::SizeIs(1));
  // Lines run below 1, and beyond what a line can be.
  EXPECT_EQ(FindLine(DecodeLines(0x0309, FromHex("02800280"), 1), 4), 1u);
  EXPECT_EQ(FindLine(DecodeLines(0x0309, FromHex("027f"), 0x7fffffff), 4), 0x7fffffffu);
  std::string endless;
  for (std::size_t i = 0; i < 2 * kMaxLineRanges; ++i) endless += "\x01\x01";
  EXPECT_EQ(DecodeLines(0x030a, endless, 1).size(), kMaxLineRanges);
}

[[maybe_unused]] void PrintTo(const Interpreter& interpreter, std::ostream* out) {
  *out << interpreter.path;
}

class InterpreterTest : public ::testing::TestWithParam<Interpreter> {};

// Every instruction of the code of many modules.
TEST_P(InterpreterTest, LinesAreAsTheInterpreterHasThem) {
  std::istringstream dump(
      RunShell(fmt::format("{} -I {}/dump_lines.py 60", GetParam().path, kTestdata)));
  std::size_t codes = 0;
  std::size_t runs = 0;
  for (std::string line; std::getline(dump, line);) {
    std::istringstream words(line);
    std::uint32_t first_line = 0;
    std::string table;
    words >> first_line >> table;
    const std::vector<LineRange> ranges =
        DecodeLines(GetParam().version, FromHex(table), first_line);
    std::vector<LineRange> expected;
    for (std::string word; words >> word;) {
      const auto colon = word.find(':');
      // Line 0, where a module begins, is none, either.
      const int number = std::max(std::stoi(word.substr(colon + 1)), 0);
      const LineRange range = {static_cast<std::uint32_t>(std::stoul(word)),
                               static_cast<std::uint32_t>(number)};
      if (expected.empty() || expected.back().line != range.line) expected.push_back(range);
    }
    ASSERT_GE(ranges.size(), expected.size()) << line;
    // Ranges may lie behind the code's end.
    ASSERT_EQ(std::vector<LineRange>(ranges.begin(),
                                     ranges.begin() + static_cast<std::ptrdiff_t>(expected.size())),
              expected)
        << line;
    ++codes;
    runs += expected.size();
  }
  EXPECT_GT(codes, 1000u);
  EXPECT_GT(runs, 10'000u);
}

PythonCodeRequest RequestOf(const PythonCodeLayout& layout) {
  PythonCodeRequest request;
  FillRequest(layout, request);
  return request;
}

// An interpreter that runs serve_code.py, and what it says of its code objects.
class CodeServer {
 public:
  struct Code {
    std::string name;
    std::uint64_t address = 0;
    std::uint32_t first_line = 0;
    std::string file;
    std::vector<int> lines;
  };

  explicit CodeServer(const std::string& interpreter) {
    int input[2];
    int output[2];
    EXPECT_EQ(pipe2(input, O_CLOEXEC), 0);
    EXPECT_EQ(pipe2(output, O_CLOEXEC), 0);
    pid_ = fork();
    if (pid_ == 0) {
      dup2(input[0], 0);
      dup2(output[1], 1);
      const std::string script = std::string(kTestdata) + "/serve_code.py";
      execl(interpreter.c_str(), "python3", "-I", script.c_str(), nullptr);
      _exit(1);
    }
    close(input[0]);
    close(output[1]);
    input_ = input[1];
    Read(output[0]);
    close(output[0]);
    memory_ = open(fmt::format("/proc/{}/mem", pid_).c_str(), O_RDONLY | O_CLOEXEC);
  }
  ~CodeServer() {
    End();
    close(memory_);
  }

  void End() {
    if (pid_ == 0) return;
    close(input_);
    waitpid(std::exchange(pid_, 0), nullptr, 0);
  }

  [[nodiscard]] const std::vector<Code>& codes() const { return codes_; }
  [[nodiscard]] PythonCodeLayout Layout(std::uint16_t version) const {
    if (version < 0x030d) return FindPythonCodeLayout(version).value();
    const auto layout = ReadPythonCodeLayout(runtime_);
    EXPECT_TRUE(layout.ok()) << layout.status();
    return layout.ok() ? *layout : PythonCodeLayout();
  }
  [[nodiscard]] int memory() const { return memory_; }

 private:
  // Until ten lines are there: first the head of _PyRuntime.
  void Read(int fd) {
    std::string text;
    char buffer[4096];
    while (std::ranges::count(text, '\n') < 10) {
      const ssize_t count = read(fd, buffer, sizeof(buffer));
      if (count <= 0) break;
      text.append(buffer, static_cast<std::size_t>(count));
    }
    std::istringstream all(text);
    std::string runtime;
    std::getline(all, runtime);
    runtime_ = FromHex(runtime);
    for (std::string line; std::getline(all, line);) {
      std::istringstream fields(line);
      Code& code = codes_.emplace_back();
      std::string number;
      std::getline(fields, code.name, '\t');
      std::getline(fields, number, '\t');
      code.address = std::stoull(number);
      std::getline(fields, number, '\t');
      code.first_line = static_cast<std::uint32_t>(std::stoul(number));
      std::getline(fields, code.file, '\t');
      while (std::getline(fields, number, ',')) code.lines.push_back(std::stoi(number));
    }
  }

  pid_t pid_ = 0;
  int input_ = -1;
  int memory_ = -1;
  std::string runtime_;
  std::vector<Code> codes_;
};

PythonCodes RunJob(const CodeServer& server, const PythonCodeRequest& request) {
  const std::array<int, 1> fds = {server.memory()};
  const auto bytes = PythonCodeJob(fds, request.SerializeAsString());
  EXPECT_TRUE(bytes.ok()) << bytes.status();
  PythonCodes answer;
  EXPECT_TRUE(bytes.ok() && answer.ParseFromString(*bytes));
  return answer;
}

// Names of all widths, lines of every instruction.
TEST_P(InterpreterTest, CodeIsReadFromItsMemory) {
  CodeServer server(GetParam().path);
  ASSERT_EQ(server.codes().size(), 9u);
  PythonCodeRequest request = RequestOf(server.Layout(GetParam().version));
  for (const CodeServer::Code& code : server.codes()) {
    request.add_code(code.address);
    request.add_check(code.first_line);
  }
  // Another line than is there, and addresses of no code.
  request.add_code(server.codes()[0].address);
  request.add_check(server.codes()[0].first_line + 1);
  for (const std::uint64_t address :
       {std::uint64_t{0}, std::uint64_t{8}, ~std::uint64_t{0}, server.codes()[0].address + 8}) {
    request.add_code(address);
    request.add_check(server.codes()[0].first_line);
  }
  const PythonCodes answer = RunJob(server, request);
  ASSERT_EQ(answer.codes_size(), request.code_size());
  for (int i = 0; i < 9; ++i) {
    const CodeServer::Code& expected = server.codes()[static_cast<std::size_t>(i)];
    const PythonCode& code = answer.codes(i);
    ASSERT_TRUE(code.found()) << expected.name;
    EXPECT_EQ(code.function(), expected.name.substr(0, 4096));
    // The interpreter wrote "?" for what no character is.
    if (i == 7) {
      EXPECT_EQ(code.file(), "/nowhere/größe/\xEF\xBF\xBD.py");
      EXPECT_EQ(code.first_line(), 41u);
    } else {
      EXPECT_EQ(code.file(), expected.file);
    }
    std::vector<LineRange> ranges;
    for (int r = 0; r < code.range_start_size(); ++r) {
      ranges.push_back({code.range_start(r), code.range_line(r)});
    }
    for (std::size_t at = 0; at < expected.lines.size(); ++at) {
      if (expected.lines[at] < 0) continue;
      EXPECT_EQ(FindLine(ranges, static_cast<std::uint32_t>(2 * at)),
                static_cast<std::uint32_t>(expected.lines[at]))
          << expected.name << " at " << 2 * at;
    }
  }
  for (int i = 9; i < answer.codes_size(); ++i) EXPECT_FALSE(answer.codes(i).found()) << i;
}

// Memory of a process that has ended reads as nothing.
TEST_P(InterpreterTest, AnEndedProcessHasNone) {
  CodeServer server(GetParam().path);
  ASSERT_EQ(server.codes().size(), 9u);
  PythonCodeRequest request = RequestOf(server.Layout(GetParam().version));
  request.add_code(server.codes()[0].address);
  request.add_check(server.codes()[0].first_line);
  ASSERT_TRUE(RunJob(server, request).codes(0).found());
  server.End();
  EXPECT_FALSE(RunJob(server, request).codes(0).found());
}

INSTANTIATE_TEST_SUITE_P(All, InterpreterTest, ::testing::ValuesIn(FindInterpreters()),
                         [](const auto& test) {
                           return fmt::format("{}_{}_{}", test.param.version >> 8,
                                              test.param.version & 0xff, test.index);
                         });
// A machine without a Python has nothing to be proven with.
GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(InterpreterTest);

// An object that changes between the first look and the last is not the one that ran.
TEST(ReadPythonCodesTest, AChangingObjectIsNone) {
  const PythonCodeLayout layout = FindPythonCodeLayout(0x030b).value();
  std::string object(256, '\0');
  const auto put = [&](std::size_t offset, std::uint64_t value, std::size_t size) {
    std::memcpy(object.data() + offset, &value, size);
  };
  put(layout.qualname, 0x2000, 8);
  put(layout.filename, 0x2000, 8);
  put(layout.first_line, 3, 4);
  std::string str(64, '\0');
  const std::uint64_t length = 4;
  // One byte a character, compact, ascii.
  const std::uint32_t state = 1 << 2 | 1 << 5 | 1 << 6;
  std::memcpy(str.data() + layout.str_length, &length, 8);
  std::memcpy(str.data() + layout.str_state, &state, 4);
  str.replace(layout.str_ascii, 4, "main");
  PythonCodeRequest request = RequestOf(layout);
  request.add_code(0x1000);
  request.add_check(3);
  bool changes = false;
  const ReadMemory memory = [&](std::uint64_t address, char* into, std::size_t size) {
    const std::string& from = address < 0x2000 ? object : str;
    const std::size_t offset = address & 0xfff;
    if (offset >= from.size()) return std::size_t{0};
    const std::size_t count = std::min(size, from.size() - offset);
    std::memcpy(into, from.data() + offset, count);
    if (changes && address >= 0x2000) object[layout.filename + 1]++;
    return count;
  };
  EXPECT_EQ(ReadPythonCodes(request, memory).codes(0).function(), "main");
  // Of an object without a line table, the first line is known.
  EXPECT_EQ(ReadPythonCodes(request, memory).codes(0).first_line(), 3u);
  changes = true;
  EXPECT_FALSE(ReadPythonCodes(request, memory).codes(0).found());
}

}  // namespace
}  // namespace stoker::ebpf
