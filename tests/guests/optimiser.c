/* Steepest descent with gradients of the tape in the running program: after each step the tape goes back to where it
 * began. Outside of a recording it says so. */
#include <derivgrind.h>
#include <math.h>
#include <stdio.h>

#define COUNT 10

static double function(const double* x)
{
  double sum = 0;
  for (int round = 0; round < 100; round++)
    for (int i = 0; i < COUNT; i++)
      sum += ((x[i] - i) * (x[i] - i) + 0.01 * sqrt(1 + x[i] * x[i])) / 100;
  return sum;
}

int main(void)
{
  double p[COUNT], worst = 0;
  unsigned long long start = 0, last = 0;
  if (DG_GET_MODE != 'b') {
    printf("%d %d\n", (int)DG_TAPE_POSITION(&start), (int)DG_TAPE_CLEAR_BARS);
    return 0;
  }
  for (int i = 0; i < COUNT; i++)
    p[i] = 2 + i * 0.1;
  if (!DG_TAPE_POSITION(&start))
    return 1;
  for (int step = 0; step < 200; step++) {
    double x[COUNT], one = 1;
    unsigned long long inputs[COUNT];
    if (!DG_TAPE_RESET(&start))
      return 2;
    for (int i = 0; i < COUNT; i++) {
      x[i] = p[i];
      inputs[i] = DG_INPUT(x[i]);
    }
    double y = function(x);
    unsigned long long output = DG_OUTPUT(y);
    if (step > 0 && output != last)
      return 3;
    last = output;
    if (!DG_TAPE_REVERSE(&output, &one, 1))
      return 4;
    for (int i = 0; i < COUNT; i++) {
      double bar = 0, expected = 2 * (p[i] - i) + 0.01 * p[i] / sqrt(1 + p[i] * p[i]);
      if (!DG_TAPE_GET_BAR(&inputs[i], &bar))
        return 5;
      worst = fmax(worst, fabs(bar - expected));
      p[i] -= 0.1 * bar;
    }
  }
  unsigned long long nonsense = 1ull << 60;
  double one = 1;
  if (DG_TAPE_REVERSE(&nonsense, &one, 1) || DG_TAPE_RESET(&nonsense))
    return 6;
  if (!DG_TAPE_CLEAR_BARS || DG_TAPE_GET_BAR(&last, &one))
    return 7;
  return worst < 1e-12 ? 0 : 8;
}
