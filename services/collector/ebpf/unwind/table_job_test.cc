// Proves that the sandboxed job makes the table of this very program, of a file without section
// headers, and refuses what is no program with a reason.
#include "services/collector/ebpf/unwind/table_job.h"

#include <fstream>
#include <iterator>
#include <string>

#include <elf.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "services/collector/ebpf/unwind/table.h"
#include "services/common/base/status.h"
#include "services/common/base/unique_fd.h"
#include "services/common/sandbox/worker.h"

namespace stoker::ebpf::unwind {
namespace {

UniqueFd FileOf(const std::string& bytes) {
  UniqueFd fd(memfd_create("file", MFD_CLOEXEC));
  EXPECT_EQ(write(fd.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
  return fd;
}

std::string SelfBytes() {
  std::ifstream file("/proc/self/exe", std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

absl::StatusOr<std::shared_ptr<const Table>> TableOf(int fd) {
  sandbox::Sandbox sandbox({.memory_bytes = kTableWorkerBytes});
  const UniqueFd made(memfd_create("table", MFD_CLOEXEC));
  STOKER_RETURN_IF_ERROR(MakeTableInSandbox(sandbox, fd, made.get(), absl::Seconds(30)));
  return Table::Open(made.get());
}

// Rules of all rows of both.
void ExpectEqual(const Table& a, const Table& b) {
  ASSERT_EQ(a.pages().size(), b.pages().size());
  EXPECT_GT(a.pages().size(), 1U);
  for (const TablePage& page : a.pages()) {
    for (std::uint32_t low = 0; low < STOKER_UNWIND_PAGE_BYTES; low += 7) {
      const std::uint64_t address = (std::uint64_t{page.number} << STOKER_UNWIND_PAGE_BITS) + low;
      ASSERT_EQ(Describe(a.Lookup(address)), Describe(b.Lookup(address))) << address;
    }
  }
}

TEST(TableJobTest, MakesTheTableOfThisProgram) {
  const UniqueFd self(open("/proc/self/exe", O_RDONLY | O_CLOEXEC));
  const auto table = TableOf(self.get());
  ASSERT_TRUE(table.ok()) << table.status();
  EXPECT_GT((*table)->header().raw_rows, 100U);

  // Without section headers .eh_frame is found by its program header.
  std::string stripped = SelfBytes();
  auto& header = *reinterpret_cast<Elf64_Ehdr*>(stripped.data());
  header.e_shoff = 0;
  header.e_shnum = 0;
  header.e_shstrndx = 0;
  const auto without = TableOf(FileOf(stripped).get());
  ASSERT_TRUE(without.ok()) << without.status();
  ExpectEqual(**table, **without);
}

TEST(TableJobTest, RefusesWithAReason) {
  const auto text = TableOf(FileOf("#!/bin/sh\n").get());
  EXPECT_EQ(text.status().code(), absl::StatusCode::kInvalidArgument);

  std::string bytes = SelfBytes();
  reinterpret_cast<Elf64_Ehdr*>(bytes.data())->e_machine = EM_SPARC;
  EXPECT_EQ(Message(TableOf(FileOf(bytes).get()).status()), "machine 2 is not known");

  bytes = SelfBytes();
  reinterpret_cast<Elf64_Ehdr*>(bytes.data())->e_phnum = 0;
  EXPECT_EQ(Message(TableOf(FileOf(bytes).get()).status()), "no executable segment");
}

}  // namespace
}  // namespace stoker::ebpf::unwind

int main(int argc, char** argv) {
  namespace unwind = stoker::ebpf::unwind;
  const stoker::sandbox::Jobs jobs = {{unwind::kTableJob, unwind::TableJob}};
  if (stoker::sandbox::IsWorker(argc, argv)) return stoker::sandbox::RunWorker(argv, jobs);
  testing::InitGoogleTest(&argc, argv);
  return RUN_ALL_TESTS();
}
