#pragma once

#include <cstdint>
#include <cstring>
#include <string>
#include <string_view>
#include <vector>

#include <elf.h>

namespace stoker::ebpf::unwind {

// Writes small 64-bit ELF files by hand, for tests.
class FakeElf {
 public:
  explicit FakeElf(std::uint16_t machine = EM_X86_64) : machine_(machine) {}

  FakeElf& Entry(std::uint64_t address) {
    entry_ = address;
    return *this;
  }

  // Bytes in a section of their own.
  FakeElf& Section(std::string_view name, std::uint64_t address, std::string_view bytes,
                   std::uint64_t flags = SHF_ALLOC) {
    Elf64_Shdr header{};
    header.sh_name = static_cast<std::uint32_t>(names_.size());
    header.sh_type = SHT_PROGBITS;
    header.sh_flags = flags;
    header.sh_addr = address;
    header.sh_offset = Append(bytes);
    header.sh_size = bytes.size();
    names_ += std::string(name) + '\0';
    sections_.push_back(header);
    return *this;
  }

  // A segment of code that loads `bytes` at `address`; `memory_bytes` where that is more.
  FakeElf& Code(std::uint64_t address, std::string_view bytes, std::uint64_t memory_bytes = 0) {
    Elf64_Phdr header{};
    header.p_type = PT_LOAD;
    header.p_flags = PF_R | PF_X;
    header.p_offset = Append(bytes);
    header.p_vaddr = address;
    header.p_filesz = bytes.size();
    header.p_memsz = memory_bytes > bytes.size() ? memory_bytes : bytes.size();
    segments_.push_back(header);
    return *this;
  }

  [[nodiscard]] std::string Bytes() const {
    FakeElf whole = *this;
    whole.Section(".shstrtab", 0, names_ + std::string(".shstrtab") + '\0', 0);
    whole.sections_.back().sh_type = SHT_STRTAB;
    Elf64_Ehdr header{};
    std::memcpy(header.e_ident, ELFMAG, SELFMAG);
    header.e_ident[EI_CLASS] = ELFCLASS64;
    header.e_ident[EI_DATA] = ELFDATA2LSB;
    header.e_ident[EI_VERSION] = EV_CURRENT;
    header.e_type = ET_EXEC;
    header.e_machine = machine_;
    header.e_version = EV_CURRENT;
    header.e_entry = entry_;
    header.e_ehsize = sizeof header;
    header.e_phentsize = sizeof(Elf64_Phdr);
    header.e_phnum = static_cast<std::uint16_t>(segments_.size());
    header.e_shentsize = sizeof(Elf64_Shdr);
    header.e_shnum = static_cast<std::uint16_t>(whole.sections_.size());
    header.e_shstrndx = static_cast<std::uint16_t>(whole.sections_.size() - 1);
    header.e_phoff = whole.Append(
        {reinterpret_cast<const char*>(segments_.data()), segments_.size() * sizeof(Elf64_Phdr)});
    header.e_shoff = whole.Append({reinterpret_cast<const char*>(whole.sections_.data()),
                                   whole.sections_.size() * sizeof(Elf64_Shdr)});
    std::memcpy(whole.bytes_.data(), &header, sizeof header);
    return whole.bytes_;
  }

 private:
  // Returns where they stand.
  std::uint64_t Append(std::string_view bytes) {
    while (bytes_.size() % 8 != 0) bytes_ += '\0';
    const std::uint64_t at = bytes_.size();
    bytes_ += bytes;
    return at;
  }

  std::uint16_t machine_;
  std::uint64_t entry_ = 0;
  std::string bytes_ = std::string(sizeof(Elf64_Ehdr), '\0');
  std::string names_ = std::string(1, '\0');
  // The first is none.
  std::vector<Elf64_Shdr> sections_ = std::vector<Elf64_Shdr>(1);
  std::vector<Elf64_Phdr> segments_;
};

}  // namespace stoker::ebpf::unwind
