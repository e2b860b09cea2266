#pragma once

#include <cstdint>

#include <elf.h>

namespace stoker::ebpf::unwind {

// What unwinding knows of an architecture: the DWARF numbers of its registers.
struct Machine {
  // As in the ELF header.
  std::uint16_t elf_machine = 0;
  std::uint32_t sp = 0;
  std::uint32_t bp = 0;
  // Where the return address is when a function begins. On x86-64 it is no register of its own but
  // the word below the CFA; DWARF gives it a number all the same.
  std::uint32_t return_address = 0;
  bool return_address_in_register = false;
  // Bytes that a call pushes: the CFA less this is sp when a function begins.
  std::int32_t call_pushes = 0;
};

inline constexpr Machine kX64 = {.elf_machine = EM_X86_64,
                                 .sp = 7,
                                 .bp = 6,
                                 .return_address = 16,
                                 .return_address_in_register = false,
                                 .call_pushes = 8};

// The x29 and x30 of its procedure call standard stand where x86-64 has bp and the return address.
inline constexpr Machine kAarch64 = {.elf_machine = EM_AARCH64,
                                     .sp = 31,
                                     .bp = 29,
                                     .return_address = 30,
                                     .return_address_in_register = true,
                                     .call_pushes = 0};

// The machine of an ELF header's number, or nullptr.
inline const Machine* FindMachine(std::uint16_t elf_machine) {
  if (elf_machine == kX64.elf_machine) return &kX64;
  if (elf_machine == kAarch64.elf_machine) return &kAarch64;
  return nullptr;
}

}  // namespace stoker::ebpf::unwind
