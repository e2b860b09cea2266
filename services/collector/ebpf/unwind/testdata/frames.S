// What assemblers make of the directives that compilers and people write; see frames.golden.
#ifdef ONLY_DEBUG_FRAME
  .cfi_sections .debug_frame
#endif
  .text

  .globl pushes
  .type pushes, @function
pushes:
  .cfi_startproc
  push %rbp
  .cfi_def_cfa_offset 16
  .cfi_offset %rbp, -16
  push %rbx
  .cfi_def_cfa_offset 24
  .cfi_offset %rbx, -24
  sub $40, %rsp
  .cfi_def_cfa_offset 64
  test %edi, %edi
  je 1f
  .cfi_remember_state
  add $40, %rsp
  .cfi_def_cfa_offset 24
  pop %rbx
  .cfi_def_cfa_offset 16
  pop %rbp
  .cfi_restore %rbp
  .cfi_def_cfa_offset 8
  ret
1:
  .cfi_restore_state
  ud2
  .cfi_endproc
  .size pushes, . - pushes

  .globl frame_pointer
  .type frame_pointer, @function
frame_pointer:
  .cfi_startproc
  push %rbp
  .cfi_def_cfa_offset 16
  .cfi_offset %rbp, -16
  mov %rsp, %rbp
  .cfi_def_cfa_register %rbp
  leave
  .cfi_def_cfa %rsp, 8
  ret
  .cfi_endproc
  .size frame_pointer, . - frame_pointer

  .globl realigned
  .type realigned, @function
realigned:
  .cfi_startproc
  lea 8(%rsp), %r10
  .cfi_def_cfa %r10, 0
  and $-32, %rsp
  push -8(%r10)
  push %rbp
  mov %rsp, %rbp
  // rbp is saved at rbp
  .cfi_escape 0x10, 6, 2, 0x76, 0
  push %r10
  // CFA = *(rbp - 8)
  .cfi_escape 0x0f, 3, 0x76, 0x78, 6
  pop %r10
  .cfi_def_cfa %r10, 0
  pop %rbp
  lea -8(%r10), %rsp
  .cfi_def_cfa %rsp, 8
  ret
  .cfi_endproc
  .size realigned, . - realigned

  .globl outermost
  .type outermost, @function
outermost:
  .cfi_startproc
  .cfi_undefined %rip
  xor %ebp, %ebp
  ud2
  .cfi_endproc
  .size outermost, . - outermost

  .globl returns_by_rdi
  .type returns_by_rdi, @function
returns_by_rdi:
  .cfi_startproc
  pop %rdi
  .cfi_adjust_cfa_offset -8
  .cfi_register %rip, %rdi
  push %rdi
  .cfi_adjust_cfa_offset 8
  .cfi_restore %rip
  ret
  .cfi_endproc
  .size returns_by_rdi, . - returns_by_rdi

  .globl undescribed
  .type undescribed, @function
undescribed:
  .skip 32, 0x90
  .size undescribed, . - undescribed

  // As glibc describes it, but beginning at its first byte.
  .globl restore_rt
  .type restore_rt, @function
restore_rt:
  .cfi_startproc
  .cfi_signal_frame
  .cfi_escape 0x0f, 4, 0x77, 0xa0, 1, 6
  .cfi_escape 0x10, 6, 3, 0x77, 0xf8, 0
  .cfi_escape 0x10, 16, 3, 0x77, 0xa8, 1
  mov $15, %rax
  syscall
  .cfi_endproc
  .size restore_rt, . - restore_rt

  .section .note.GNU-stack, "", @progbits
