/* Reductions: with -Ofast compilers add lanes horizontally at the end. */
#include "check.h"

#define COUNT 103

static APART REAL dot_product(const REAL* x, const REAL* y, int count)
{
  REAL sum = 0;
  for (int i = 0; i < count; i++)
    sum += x[i] * y[i];
  return sum;
}

static APART REAL alternating(const REAL* x, int count)
{
  REAL sum = 0;
  for (int i = 0; i + 1 < count; i += 2)
    sum += x[i] - x[i + 1];
  return sum;
}

static APART REAL largest(const REAL* x, int count)
{
  REAL found = x[0];
  for (int i = 1; i < count; i++)
    found = x[i] > found ? x[i] : found;
  return found;
}

static APART REAL product(const REAL* x, int count)
{
  REAL all = 1;
  for (int i = 0; i < count; i++)
    all *= x[i];
  return all;
}

static APART REAL mean_of_floats(const float* x, int count)
{
  double sum = 0;
  for (int i = 0; i < count; i++)
    sum += x[i];
  return sum / count;
}

int main(void)
{
  REAL x[COUNT], y[COUNT], dot_of_y[COUNT];
  REAL expected_dot = 0, expected_alternating = 0, expected_product = 0;
  float floats[COUNT];
  for (int i = 0; i < COUNT; i++) {
    REAL dx = i % 4, dy = i % 2;
    x[i] = input(1 + i * 37 % 103 * (REAL)0.001, dx);
    dot_of_y[i] = dy;
    y[i] = input(2 - i * 11 % 103 * (REAL)0.001, dy);
    expected_dot += dx * y[i] + x[i] * dy;
    expected_alternating += i + 1 == COUNT ? 0 : i % 2 ? -dx : dx;
    expected_product += dx / x[i];
    floats[i] = (float)x[i];
  }
  check("dot product", dot_product(x, y, COUNT), expected_dot);
  check("alternating", alternating(x, COUNT), expected_alternating);
  check("product", product(x, COUNT), expected_product * product(x, COUNT));
  int where = 0;
  for (int i = 1; i < COUNT; i++)
    where = x[i] > x[where] ? i : where;
  check("largest", largest(x, COUNT), where % 4);
  for (int count = 0; count < 9; count++) {
    REAL expected = 0;
    for (int i = 0; i < count; i++)
      expected += i % 4 * y[i] + x[i] * dot_of_y[i];
    check("short", dot_product(x, y, count), expected);
  }
  check("mean", mean_of_floats(floats, 100), (REAL)1.5);
  return 0;
}
