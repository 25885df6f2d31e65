/* A loop of calls of mathematical functions, whose results depend on one variable.
 *
 * transcendental POINTS [passive]
 * With `passive` the variable is not declared as an input.
 */
#include <derivgrind.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The functions, each on an argument of its own in their ordinary range. */
static double term(double x)
{
  double sum = sin(x) * exp(-x);
  sum += cos(3 * x) * log(1 + x);
  sum += pow(x, 1.5) + tan(x / 8);
  sum += atan(2 * x) * tanh(x);
  sum += sqrt(x) + exp2(x / 4) + log10(x);
  return sum;
}

int main(int argc, char** argv)
{
  const long points = argc > 1 ? atol(argv[1]) : 1000000;
  double scale = 5.0;
  double dot = 1.0;
  if (argc < 3 || strcmp(argv[2], "passive") != 0) {
    DG_SET_DOTVALUE(&scale, &dot, sizeof(dot));
    DG_INPUTF(scale);
  }
  double sum = 0;
  for (long point = 1; point <= points; point++)
    sum += term(scale * (double)point / (double)points);
  dot = 0;
  DG_GET_DOTVALUE(&sum, &dot, sizeof(dot));
  DG_OUTPUTF(sum);
  printf("%.17g %.17g\n", sum, dot);
  return 0;
}
