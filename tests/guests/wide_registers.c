/* Values in zmm0 to zmm15 outlive code whose shadow code borrows these registers. Built for AVX-512. */
#include "check.h"
#include <immintrin.h>
#include <string.h>

/* Two-operand code on few registers: shadow code takes others. */
static APART void arithmetic(double* x)
{
  __asm__ volatile("vmovsd (%0), %%xmm14\n\tvmulsd %%xmm14, %%xmm14, %%xmm15\n\tvaddsd %%xmm14, %%xmm15, %%xmm15\n\t"
                   "vmovsd %%xmm15, (%0)"
                   :
                   : "r"(x)
                   : "memory");
}

#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13)
#define LOAD(n) "vmovdqu64 64*" #n "(%1), %%zmm" #n "\n\t"
#define STORE(n) "vmovdqu64 %%zmm" #n ", 64*" #n "(%2)\n\t"

int main(void)
{
  double x = input(1.5, 1);
  unsigned char before[14 * 64], after[14 * 64];
  for (unsigned i = 0; i < sizeof before; i++)
    before[i] = (unsigned char)(i * 7 + 1);
  memset(after, 0, sizeof after);
  __asm__ volatile(EACH(LOAD) "mov %0, %%rdi\n\tcall *%3\n\t" EACH(STORE)
                   :
                   : "r"(&x), "r"(before), "r"(after), "r"(arithmetic)
                   : "memory", "rdi", "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9",
                     "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15", "rax", "rcx", "rdx", "rsi", "r8", "r9", "r10",
                     "r11");
  check("arithmetic", x, 4);
  check("registers kept", (double)(memcmp(before, after, sizeof before) == 0), 0);
  return 0;
}
