/* Quotients and square roots, alone and in loops that compilers vectorise. */
#include "check.h"
#include <math.h>
#include <tgmath.h>

#define COUNT 21

static APART void quotients(REAL* restrict q, REAL* restrict r, const REAL* restrict x, const REAL* restrict y)
{
  for (int i = 0; i < COUNT; i++) {
    q[i] = x[i] / y[i];
    r[i] = sqrt(x[i] * x[i] + 1) / (2 + y[i]);
  }
}

int main(void)
{
  REAL x = input(2.5, 3), y = input(-0.5, 0.25);
  check("quotient", x / y, 3 / y - x * (REAL)0.25 / (y * y));
  check("reciprocal", 1 / x, -3 / (x * x));
  check("by constant", x / 3, 1);
  check("root", sqrt(x), (REAL)1.5 / sqrt(x));
  check("norm", sqrt(x * x + y * y), (3 * x + (REAL)0.25 * y) / sqrt(x * x + y * y));
  check("root of quotient", sqrt(x / (x + 1)), 3 / (2 * sqrt(x / (x + 1)) * (x + 1) * (x + 1)));
  REAL a[COUNT], b[COUNT], q[COUNT], r[COUNT];
  for (int i = 0; i < COUNT; i++) {
    a[i] = input(1 + i * (REAL)0.125, i % 3);
    b[i] = input(2 - i * (REAL)0.0625, i % 2);
  }
  quotients(q, r, a, b);
  for (int i = 0; i < COUNT; i++) {
    REAL da = i % 3, db = i % 2, root = sqrt(a[i] * a[i] + 1);
    check("quotients", q[i], (da - q[i] * db) / b[i]);
    check("roots", r[i], (a[i] / root * da - r[i] * db) / (2 + b[i]));
  }
  return 0;
}
