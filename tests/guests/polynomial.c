/* Sums, products, Horner's scheme, powers in loops. */
#include "check.h"

static APART REAL horner(const REAL* coefficients, int degree, REAL x)
{
  REAL sum = coefficients[degree];
  for (int i = degree - 1; i >= 0; i--)
    sum = sum * x + coefficients[i];
  return sum;
}

static APART REAL power(REAL x, int n)
{
  REAL product = 1;
  while (n > 0) {
    if (n & 1)
      product *= x;
    x *= x;
    n >>= 1;
  }
  return product;
}

static APART void powers(REAL* all, int count, REAL x)
{
  for (int i = 0; i < count; i++)
    all[i] = x * i - (x + 1) * (x - i) + x * x * x;
}

int main(void)
{
  static const REAL coefficients[] = {1, -2, 0.5, 3, -0.25};
  REAL x = input(1.25, 2), y = input(-0.75, 0.5);
  check("horner", horner(coefficients, 4, x), 2 * (-2 + x + 9 * x * x - x * x * x));
  check("power", power(y, 11), (REAL)0.5 * 11 * power(y, 10));
  check("mixed", x * x * y - 3 * x * y * y + 7, 2 * (2 * x * y - 3 * y * y) + (REAL)0.5 * (x * x - 6 * x * y));
  check("scaled", -(x - y) / 4 + (x + x), -(2 - (REAL)0.5) / 4 + 4);
  REAL all[37];
  powers(all, 37, x);
  for (int i = 0; i < 37; i += 5)
    check("powers", all[i], 2 * (i - (x - i) - (x + 1) + 3 * x * x));
  x -= 3;
  x *= y;
  x += 2;
  check("in place", x, 2 * y + (REAL)0.5 * (x - 2) / y);
  return 0;
}
