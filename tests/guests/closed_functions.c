/* Calls of functions of a library whose inside nobody knows, and of one of this program, whose derivatives the user has
 * described. */
#include "check.h"
#include <math.h>

double closed_product(double x, double y);
float closed_wave(float x);
long double closed_root(int n, long double x);
double closed_blend(double x, double y, double z, double w);
double closed_seed(double x, double y);
double closed_square(double x);

APART double function_of_program(double x)
{
  return (double)(long long)(x * 0x1p40) / 0x1p40;
}

static volatile double active;

/* Nested calls, each with an active argument. */
APART double nested_function(double x, int depth)
{
  const double inner = depth > 0 ? nested_function(active, depth - 1) : 0;
  return (double)(long long)(x * 0x1p40) / 0x1p40 + 0 * inner;
}

static APART float input_of_float(float x)
{
  const double t = input(x, 1);
  return (float)t;
}

static APART long double input_of_long_double(long double x)
{
  const double t = input((double)x, 1);
  return t;
}

int main(void)
{
  double (*volatile by_pointer)(double, double) = closed_product;
  const double a = 1.25, b = 3.5;
  check("product of both", closed_product(input(a, 2), input(b, 0.5)), 2 * b + a / 2);
  check("product by pointer", by_pointer(a, input(b, 1)), a);
  check("wave", closed_wave(input_of_float(0.75f)), (float)(3 * cos(3 * 0.75)));
  check("root", (double)closed_root(3, input_of_long_double(2)), (double)(powl(2, 1 / 3.0L) / 6));
  check("blend", closed_blend(input(a, 1), input(a, 1), input(a, 1), input(a, 1)), 1 + 2 - 0.25 + 8);
  check("seed", closed_seed(input(a, 1), input(b, 1)), 0);
  check("square", closed_square(input(a, 1)), 2 * a);
  check("function of the program", function_of_program(input(a, 1)), 1);
  active = input(b, 1);
  check("nested function", nested_function(input(a, 1), 200), 1);
  return 0;
}
