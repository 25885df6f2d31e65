/* Indirect jumps and calls by each kind of operand, to targets in the program and far above it, some of which share
   their low 16 bits. Flags and registers arrive as they were. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

/* Twice rcx, and the carry flag or zero. */
extern const unsigned char with_carry[], with_carry_end[], without_flags[], without_flags_end[];

/* Each goes to its first argument, with its second as the carry flag. */
typedef unsigned long branch(const void* target, unsigned carry);
extern branch by_rax, by_rcx, by_rdx, by_r11, by_memory, by_table, by_variable, call_by_rax, call_by_rbx, call_by_memory;

__asm__(".text\n"
        "with_carry: setc %sil; movzbl %sil, %eax; lea (%rax,%rcx,2), %rax; ret\n"
        "with_carry_end:\n"
        "without_flags: mov $0, %eax; lea (%rax,%rcx,2), %rax; xor %edx, %edx; ret\n"
        "without_flags_end:\n"
        "by_rax: mov %rdi, %rax; mov $0x1234, %ecx; bt $0, %esi; jmp *%rax\n"
        "by_rcx: mov %rdi, %rcx; bt $0, %esi; jmp *%rcx\n"
        "by_rdx: mov %rdi, %rdx; mov $0x1234, %ecx; bt $0, %esi; jmp *%rdx\n"
        "by_r11: mov %rdi, %r11; mov $0x1234, %ecx; bt $0, %esi; jmp *%r11\n"
        "by_memory: mov %rdi, -8(%rsp); mov $0x1234, %ecx; bt $0, %esi; jmp *-8(%rsp)\n"
        "by_table: mov %rdi, -16(%rsp); mov $2, %ecx; bt $0, %esi; jmp *-32(%rsp,%rcx,8)\n"
        "by_variable: mov %rdi, variable(%rip); mov $0x1234, %ecx; bt $0, %esi; jmp *variable(%rip)\n"
        ".local variable; .comm variable, 8, 8\n"
        "call_by_rax: mov %rdi, %rax; mov $0x1234, %ecx; sub $8, %rsp; bt $0, %esi; call *%rax; add $8, %rsp; ret\n"
        "call_by_rbx: push %rbx; mov %rdi, %rbx; mov $0x1234, %ecx; bt $0, %esi; call *%rbx; pop %rbx; ret\n"
        "call_by_memory: push %rdi; mov $0x1234, %ecx; bt $0, %esi; call *(%rsp); pop %rdi; ret\n");

static const struct {
  const char* name;
  branch* go;
} branches[] = {
    {"rax", by_rax},           {"rcx", by_rcx},           {"rdx", by_rdx},
    {"r11", by_r11},           {"memory", by_memory},     {"table", by_table},
    {"variable", by_variable}, {"call rax", call_by_rax}, {"call rbx", call_by_rbx}, {"call memory", call_by_memory},
};

static void try(const char* place, const void* target)
{
  for (unsigned k = 0; k < sizeof branches / sizeof branches[0]; k++) {
    printf("%s by %s:", place, branches[k].name);
    for (unsigned carry = 0; carry < 6; carry++) {
      unsigned long found = branches[k].go(target, carry);
      if (branches[k].go == by_rcx)
        found -= 2 * (unsigned long)target;
      printf(" %#lx", found);
    }
    printf("\n");
  }
}

/* The same code at a place of its own. */
static const void* copied(unsigned char* to, const unsigned char* code, const unsigned char* end)
{
  memcpy(to, code, end - code);
  return to;
}

int main(void)
{
  enum { PAGES = 1 << 17 };
  const int flags = MAP_PRIVATE | MAP_ANONYMOUS;
  unsigned char* near = mmap(NULL, PAGES, PROT_READ | PROT_WRITE | PROT_EXEC, flags | MAP_32BIT, -1, 0);
  unsigned char* far = mmap((void*)0x123400000000, PAGES, PROT_READ | PROT_WRITE | PROT_EXEC, flags, -1, 0);
  if (near == MAP_FAILED || far == MAP_FAILED)
    return 1;
  for (int round = 0; round < 2; round++) {
    try("carry", with_carry);
    try("none", without_flags);
    for (int part = 0; part < 2; part++) {
      /* 1 << 16 bytes apart, at the end of a page. */
      const size_t at = ((size_t)part << 16) + 4090;
      try("carry, near", copied(near + at, with_carry, with_carry_end));
      try("none, near", copied(near + at + 64, without_flags, without_flags_end));
      try("carry, far", copied(far + at, with_carry, with_carry_end));
      try("none, far", copied(far + at + 64, without_flags, without_flags_end));
    }
  }
  /* Both kinds share their low bits; none of them is written once it has been executed. */
  for (int below = 0; below < 2; below++) {
    const size_t with = (below ? 0 : 1 << 16) + 256 + 64 * below, without = (below ? 1 << 16 : 0) + 256 + 64 * below;
    const void* near_with = copied(near + with, with_carry, with_carry_end);
    const void* near_without = copied(near + without, without_flags, without_flags_end);
    const void* far_with = copied(far + with, with_carry, with_carry_end);
    const void* far_without = copied(far + without, without_flags, without_flags_end);
    for (int round = 0; round < 2; round++) {
      try("none, near", near_without);
      try("carry, near", near_with);
      try("none, far", far_without);
      try("carry, far", far_with);
    }
  }
  return 0;
}
