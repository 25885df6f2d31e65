/* Data behind the segment bases GS and FS: the client's own, with derivatives. */
#define _GNU_SOURCE
#include <asm/prctl.h>
#include <cpuid.h>
#include <derivgrind.h>
#include <immintrin.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/syscall.h>
#include <unistd.h>

static double area[16], other[16];

static double read_gs(long offset)
{
  double value;
  __asm__ volatile("movsd %%gs:(%1), %0" : "=x"(value) : "r"(offset));
  return value;
}

static void write_gs(long offset, double value)
{
  __asm__ volatile("movsd %0, %%gs:(%1)" : : "x"(value), "r"(offset) : "memory");
}

static double add_gs(double value, long offset)
{
  __asm__ volatile("addsd %%gs:8(%1), %0" : "+x"(value) : "r"(offset));
  return value;
}

static void show(const char* what, double value, double expected)
{
  double dot = 0, probe = 0, one = 1;
  DG_SET_DOTVALUE(&probe, &one, sizeof one);
  DG_GET_DOTVALUE(&probe, &probe, sizeof probe);
  DG_GET_DOTVALUE(&value, &dot, sizeof dot);
  printf("%s %g %s\n", what, value, probe == 0 || dot == expected ? "as expected" : "WRONG");
  if (probe != 0 && dot != expected)
    printf("  %g instead of %g\n", dot, expected);
}

static void use(void)
{
  double one = 1, two = 2;
  for (int i = 0; i < 16; i++)
    area[i] = i;
  DG_SET_DOTVALUE(&area[3], &one, sizeof one);
  DG_SET_DOTVALUE(&area[4], &two, sizeof two);
  show("read", read_gs(24), 1);
  write_gs(40, read_gs(32) * 3);
  show("written", area[5], 6);
  show("sum", add_gs(area[3], 24), 3);
  show("passive", read_gs(8), 0);
}

static void* in_thread(void* argument)
{
  unsigned long base = 1;
  syscall(SYS_arch_prctl, ARCH_GET_GS, &base);
  printf("base in a new thread %d\n", base == 0 || base == (unsigned long)area);
  syscall(SYS_arch_prctl, ARCH_SET_GS, other);
  other[2] = 77;
  printf("own base %g\n", read_gs(16));
  return argument;
}

int main(void)
{
  unsigned long base = 1;
  syscall(SYS_arch_prctl, ARCH_GET_GS, &base);
  printf("base at the start %lx\n", base);
  syscall(SYS_arch_prctl, ARCH_SET_GS, area);
  use();
  pthread_t thread;
  pthread_create(&thread, NULL, in_thread, NULL);
  pthread_join(thread, NULL);
  syscall(SYS_arch_prctl, ARCH_GET_GS, &base);
  printf("base kept %d\n", base == (unsigned long)area);
  printf("bad base %ld\n", syscall(SYS_arch_prctl, ARCH_SET_GS, ~0ul));
  if (getauxval(AT_HWCAP2) & 2) {
    __asm__ volatile("wrgsbase %0" : : "r"(other));
    __asm__ volatile("rdgsbase %0" : "=r"(base));
    printf("wrgsbase %d\n", base == (unsigned long)other);
    other[1] = 5;
    printf("read %g\n", read_gs(8));
    __asm__ volatile("wrgsbase %0" : : "r"(area));
    use();
    unsigned long fs;
    __asm__ volatile("rdfsbase %0" : "=r"(fs));
    unsigned long own;
    syscall(SYS_arch_prctl, ARCH_GET_FS, &own);
    __asm__ volatile("wrfsbase %0" : : "r"(fs));
    printf("fs %d\n", fs == own);
  }
  return 0;
}
