/* Active values meet instructions and functions that are not differentiated. The line numbers are in the test. */
#define _GNU_SOURCE
#include <derivgrind.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

typedef int integers __attribute__((vector_size(16)));

__attribute__((noinline)) static double integer_product(const double* x)
{
  union { double numbers[2]; integers bits; } both = {{x[0], x[1]}};
  both.bits *= 7654321; /* PMULLD HERE */
  return both.numbers[0];
}

__attribute__((noinline)) static double bits_as_integer(volatile const double* x)
{
  long double integer;
  __asm__ volatile("fildll %1" : "=t"(integer) : "m"(*x)); /* X87 HERE */
  return (double)integer;
}

int main(int argc, char** argv)
{
  double x[2] = {0.5, 0.75}, dots[2] = {1, 1};
  double sum = 0;
  (void)argv;
  DG_SET_DOTVALUE(x, dots, sizeof x);
  if (argc > 1)
    return x[0] * x[1] + 1 > 2;
  for (int i = 0; i < 3; i++)
    sum += integer_product(x) != 0;
  sum += bits_as_integer(x) < 0;
  _Float128 wide;
  memcpy(&wide, x, sizeof wide);
  sum += sinf128(wide) > 2;
  sum += cosf128(wide) > 2;
  sum += cosf128(-wide) > 2;
  DG_SET_DOTVALUE(&sum, (&(double){0}), sizeof sum);
  return sum > 1000;
}
