/* Complex arithmetic; without -ffast-math products and quotients call functions of the compiler's own library. */
#include "check.h"
#include <complex.h>

typedef REAL complex number;

static APART number polynomial(number z)
{
  return z * z * z - (2 + 3 * I) * z + 1;
}

static APART void products(number* restrict out, const number* restrict x, const number* restrict y)
{
  for (int i = 0; i < 9; i++)
    out[i] = x[i] * y[i] + x[i];
}

static void check_both(const char* name, number z, number expected)
{
  check(name, __real__ z, __real__ expected);
  check(name, __imag__ z, __imag__ expected);
}

static number complex_input(REAL real, REAL imaginary, REAL dreal, REAL dimaginary)
{
  number z;
  __real__ z = input(real, dreal);
  __imag__ z = input(imaginary, dimaginary);
  return z;
}

int main(void)
{
  number z = complex_input(1.25, -0.5, 2, 1), w = complex_input(-0.75, 1.5, 0, -1);
  number dz = 2 + 1 * I, dw = -1 * I;
  check_both("product", z * w, dz * w + z * dw);
  check_both("quotient", z / w, dz / w - z * dw / (w * w));
  check_both("polynomial", polynomial(z), (3 * z * z - (2 + 3 * I)) * dz);
  check_both("conjugate", z * ~w, dz * ~w + z * ~dw);
  check("square of modulus", __real__(z * ~z), 2 * __real__(z * ~dz));
  number x[9], y[9], out[9];
  for (int i = 0; i < 9; i++) {
    x[i] = complex_input(i + 1, 2 - i, i, 1);
    y[i] = complex_input(i * (REAL)0.5, i, 1, -i);
  }
  products(out, x, y);
  for (int i = 0; i < 9; i++) {
    number dx = i + 1 * I, dy = 1 - i * 1 * I;
    check_both("products", out[i], dx * y[i] + x[i] * dy + dx);
  }
  return 0;
}
