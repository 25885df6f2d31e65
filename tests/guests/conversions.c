/* Conversions between formats carry dot values, conversions to integers end them. */
#include "check.h"
#include <tgmath.h>

#define COUNT 17

static APART void narrowed(float* restrict out, const double* restrict x)
{
  for (int i = 0; i < COUNT; i++)
    out[i] = (float)x[i];
}

static APART void widened(double* restrict out, const float* restrict x)
{
  for (int i = 0; i < COUNT; i++)
    out[i] = x[i] * 2.0;
}

static APART void truncated(int* restrict out, const REAL* restrict x)
{
  for (int i = 0; i < COUNT; i++)
    out[i] = (int)x[i];
}

int main(void)
{
  REAL x = input(2.75, 3);
  check("narrow and widen", (REAL)(double)(float)(double)x, 3);
  check("integer part", x - (REAL)(int)x, 3);
  check("long integer part", x * (REAL)(long)x, 6);
  check("floor", x - floor(x), 3);
  check("floor alone", floor(x) + ceil(x) + trunc(x), 0);
  double wide[COUNT], twice[COUNT];
  float narrow[COUNT];
  REAL same[COUNT];
  int whole[COUNT];
  for (int i = 0; i < COUNT; i++) {
    same[i] = input(i * (REAL)0.75 - 4, i - 3);
    wide[i] = same[i];
  }
  narrowed(narrow, wide);
  widened(twice, narrow);
  truncated(whole, same);
  for (int i = 0; i < COUNT; i++) {
    check("arrays", (REAL)twice[i], 2 * (i - 3));
    check("integers", (REAL)whole[i], 0);
  }
  return 0;
}
