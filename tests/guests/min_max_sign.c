/* Minimum, maximum, absolute value, negative absolute value, negation and sign, by bit masks and by selection. */
#include "check.h"
#include <tgmath.h>

#define COUNT 19

static APART REAL smaller(REAL x, REAL y)
{
  return x < y ? x : y;
}

static APART REAL larger(REAL x, REAL y)
{
  return x > y ? x : y;
}

static APART REAL limited(REAL x)
{
  return x < -1 ? -1 : x > 1 ? 1 : x;
}

static APART void all(REAL* restrict out, const REAL* restrict x, const REAL* restrict y)
{
  for (int i = 0; i < COUNT; i++)
    out[i] = fabs(x[i]) + 2 * smaller(x[i], y[i]) - larger(-x[i], y[i] * 3) - fabs(y[i] - 1);
}

static APART void signs(REAL* restrict out, const REAL* restrict x, const REAL* restrict y)
{
  for (int i = 0; i < COUNT; i++)
    out[i] = copysign(x[i], y[i]) - x[i];
}

static REAL sign(REAL x)
{
  return x < 0 ? -1 : 1;
}

int main(void)
{
  REAL x = input(-1.5, 2), y = input(0.75, -3);
  check("fabs", fabs(x), -2);
  check("fabs of positive", fabs(y), -3);
  check("negated fabs", -fabs(x), 2);
  check("negation", -x, -2);
  check("copysign", copysign(x, y), -2);
  check("copysign", copysign(y, x), 3);
  check("copysign of constant", copysign((REAL)2, y) * y, -6);
  check("smaller", smaller(x, y), 2);
  check("larger", larger(x, y), -3);
  check("limited", limited(x), 0);
  check("limited", limited(y), -3);
  check("fmin", fmin(x, y), 2);
  check("fmax", fmax(x, y), -3);
  REAL a[COUNT], b[COUNT], c[COUNT], d[COUNT];
  for (int i = 0; i < COUNT; i++) {
    a[i] = input((i - 9) * (REAL)0.375, 1 + i);
    b[i] = input((i * 5 % 19 - 9) * (REAL)0.25, 2 - i);
  }
  all(c, a, b);
  signs(d, a, b);
  for (int i = 0; i < COUNT; i++) {
    REAL da = 1 + i, db = 2 - i;
    REAL expected = sign(a[i]) * da + 2 * (a[i] < b[i] ? da : db) - (-a[i] > b[i] * 3 ? -da : 3 * db);
    /* At a tie either derivative may be taken. */
    if (a[i] == 0 || a[i] == b[i] || -a[i] == b[i] * 3 || b[i] == 1)
      continue;
    check("all", c[i], expected - sign(b[i] - 1) * db);
    if (b[i] != 0)
      check("signs", d[i], sign(b[i]) * sign(a[i]) * da - da);
  }
  return 0;
}
