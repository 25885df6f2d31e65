/* Active values meet instructions and functions that are not differentiated. The line numbers are in the test. */
#include <derivgrind.h>
#include <math.h>
#include <stdio.h>

typedef int integers __attribute__((vector_size(16)));

__attribute__((noinline)) static double integer_product(const double* x)
{
  union { double numbers[2]; integers bits; } both = {{x[0], x[1]}};
  both.bits *= 7654321; /* PMULLD HERE */
  return both.numbers[0];
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
  sum += sin(x[0]);
  sum += exp(x[1]) + exp(x[0]);
  DG_SET_DOTVALUE(&sum, (&(double){0}), sizeof sum);
  return sum > 1000;
}
