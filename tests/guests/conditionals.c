/* Branches, selections that compilers turn into masks or blends, and switches. */
#include "check.h"

#define COUNT 23

static APART void select_branch(REAL* restrict out, const REAL* restrict x, const REAL* restrict y)
{
  for (int i = 0; i < COUNT; i++)
    out[i] = x[i] > y[i] ? x[i] * x[i] : x[i] == 0 ? y[i] : x[i] * y[i];
}

static APART void masked(REAL* restrict out, const REAL* restrict x)
{
  for (int i = 0; i < COUNT; i++)
    if (x[i] > 1)
      out[i] = x[i] * 5;
}

static APART REAL table(int which, REAL x)
{
  switch (which) {
  case 0: return x;
  case 1: return x * x;
  case 2: return 1 / x;
  case 3: return x - 1;
  case 4: return 4;
  case 5: return -x;
  default: return x * 0;
  }
}

static APART REAL newton(REAL x)
{
  REAL root = x;
  for (int i = 0; i < 50; i++) {
    REAL next = (root + x / root) / 2;
    REAL change = next - root;
    root = next;
    if (change * change < (REAL)1e-30)
      break;
  }
  return root;
}

int main(void)
{
  REAL x[COUNT], y[COUNT], out[COUNT], part[COUNT];
  for (int i = 0; i < COUNT; i++) {
    x[i] = input((i % 7 - 3) * (REAL)0.75, i);
    y[i] = input((i % 5 - 2) * (REAL)0.5, -i);
    part[i] = y[i];
  }
  select_branch(out, x, y);
  masked(part, x);
  for (int i = 0; i < COUNT; i++) {
    REAL d = i;
    check("selected", out[i], x[i] > y[i] ? 2 * x[i] * d : x[i] == 0 ? -d : d * y[i] - x[i] * d);
    check("masked", part[i], x[i] > 1 ? 5 * d : -d);
  }
  REAL z = input(1.5, 2);
  REAL expected[] = {2, 4 * z, -2 / (z * z), 2, 0, -2, 0};
  for (int i = 0; i < 7; i++)
    check("switch", table(i, z), expected[i]);
  check("loop until converged", newton(z), 1 / newton(z));
  return 0;
}
