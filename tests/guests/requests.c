/* Results of all requests, and of sequences that are none of ours. */
#include <derivgrind.h>
#include <stdio.h>
#include <string.h>

static unsigned long foreign(unsigned long code, unsigned long default_result)
{
  volatile unsigned long block[6] = {code, 1, 2, 3, 4, 5};
  unsigned long result = default_result;
  __asm__ volatile("rolq $3, %%rdi\n\trolq $13, %%rdi\n\trolq $61, %%rdi\n\trolq $51, %%rdi\n\txchgq %%rbx, %%rbx"
                   : "+d"(result)
                   : "a"(&block[0])
                   : "cc", "memory");
  return result;
}

static unsigned long flags_after_sequence(void)
{
  unsigned long value = 0x123456789abcdef0ul, before = value;
  __asm__ volatile("movq %0, %%rdi\n\trolq $3, %%rdi\n\trolq $13, %%rdi\n\trolq $61, %%rdi\n\trolq $51, %%rdi\n\tmovq %%rdi, %0"
                   : "+r"(value)
                   :
                   : "rdi", "cc");
  return value == before;
}

int main(void)
{
  double x = 1.5, dot = 2.5, read = -1;
  float single = 1.5f, single_dot = -3.5f, single_read = -1;
  double all[5] = {1, 2, 3, 4, 5}, dots[5] = {5, 4, 3, 2, 1}, all_read[5];
  printf("mode %lu\n", (unsigned long)DG_GET_MODE);
  printf("set %lu\n", (unsigned long)DG_SET_DOTVALUE(&x, &dot, sizeof x));
  printf("get %lu", (unsigned long)DG_GET_DOTVALUE(&x, &read, sizeof x));
  printf(" %g\n", read);
  DG_SET_DOTVALUE(&single, &single_dot, sizeof single);
  DG_GET_DOTVALUE(&single, &single_read, sizeof single);
  printf("float %g\n", single_read);
  DG_SET_DOTVALUE(all, dots, sizeof all);
  memset(all_read, 0, sizeof all_read);
  DG_GET_DOTVALUE(all, all_read, sizeof all_read);
  printf("array %g %g %g %g %g\n", all_read[0], all_read[1], all_read[2], all_read[3], all_read[4]);
  DG_GET_DOTVALUE(&all[2], all_read, sizeof all[0]);
  printf("element %g, dot value of a dot value ", all_read[0]);
  DG_GET_DOTVALUE(all_read, &read, sizeof read);
  printf("%g\n", read);
  printf("disable %lu", (unsigned long)DG_DISABLE(1, 0));
  printf(" %lu", (unsigned long)DG_DISABLE(2, 0));
  printf(" %lu", (unsigned long)DG_DISABLE(0, 3));
  printf(" %lu\n", (unsigned long)DG_DISABLE(0, 0));
  DG_DISABLE(1, 0);
  double product = x * x;
  DG_GET_DOTVALUE(&product, &read, sizeof read);
  DG_DISABLE(0, 1);
  printf("while disabled %g\n", read);
  DG_SET_DOTVALUE(&x, &(double){0}, sizeof x);
  DG_GET_DOTVALUE(&x, &read, sizeof x);
  printf("cleared %g, value %g\n", read, x);
  derivgrind_index index = 77;
  printf("index %lu", (unsigned long)DG_GET_INDEX(&x, &index));
  printf(" %lu\n", (unsigned long)DG_SET_INDEX(&x, &index));
  printf("running on valgrind %lu\n", foreign(0x1001, 0));
  printf("foreign %lu %lu\n", foreign(0x4d430000, 1234), foreign(0x44480000, 99));
  printf("rotations alone %lu\n", flags_after_sequence());
  return 0;
}
