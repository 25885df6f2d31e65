/* Derivatives at points where functions end, have kinks, jump, or are infinite, as `docs/math.md` says. Lines are
 * `NAME FOUND EXPECTED`. */
#define _GNU_SOURCE
#include "check.h"
#include <complex.h>
#include <math.h>

static const double infinite = INFINITY, none = NAN;

static void expect(const char* name, double y, double expected)
{
  printf("%s %g %g\n", name, fabs(dot_of(y)) == 0 ? 0 : dot_of(y), expected);
}

#define ONE(name, point, expected) expect(#name "(" #point ")", name(input(point, 1)), expected)
#define TWO(name, first, second, with_first, with_second)                                                              \
  do {                                                                                                                 \
    volatile double x = (first), y = (second);                                                                         \
    expect(#name "(" #first "," #second "),first", name(input(x, 1), y), with_first);                                  \
    expect(#name "(" #first "," #second "),second", name(x, input(y, 1)), with_second);                                \
  } while (0)

int main(void)
{
  ONE(fabs, 0.0, 1);
  ONE(fabs, -0.0, -1);
  ONE(fabs, -infinite, -1);
  ONE(sqrt, 0.0, infinite);
  /* The instruction gives NaN, this library's function a constant. */
  ONE(sqrt, -1.0, 0);
  ONE(sqrt, infinite, 0);
  ONE(cbrt, 0.0, infinite);
  ONE(asin, 1.0, infinite);
  ONE(asin, -1.0, infinite);
  ONE(acos, 1.0, -infinite);
  ONE(asin, 2.0, none);
  ONE(atanh, 1.0, infinite);
  ONE(acosh, 1.0, infinite);
  ONE(log, 0.0, infinite);
  ONE(log, -1.0, none);
  ONE(log1p, -1.0, infinite);
  ONE(exp, infinite, infinite);
  ONE(exp, -infinite, 0);
  ONE(exp, none, none);
  ONE(exp, 800.0, infinite);
  ONE(sin, infinite, none);
  ONE(tanh, infinite, 0);
  ONE(atan, -infinite, 0);
  ONE(erf, infinite, 0);
  ONE(tgamma, 0.0, -infinite);
  ONE(tgamma, -1.0, none);
  ONE(lgamma, -1.0, none);
  ONE(y0, 0.0, infinite);
  ONE(floor, 3.0, 0);
  ONE(rint, 2.5, 0);
  TWO(pow, 0.0, 3.0, 0, 0);
  TWO(pow, 0.0, 1.0, 1, 0);
  TWO(pow, 0.0, 0.5, infinite, 0);
  TWO(pow, 0.0, 0.0, 0, -infinite);
  TWO(pow, -2.0, 3.0, 12, none);
  TWO(pow, -2.0, 0.0, 0, none);
  TWO(pow, -8.0, 0.5, none, none);
  TWO(pow, 2.0, 0.0, 0, M_LN2);
  TWO(atan2, 0.0, 0.0, none, none);
  TWO(atan2, 0.0, -2.0, -0.5, 0);
  TWO(hypot, 0.0, 0.0, 0, 0);
  TWO(hypot, -infinite, 1.0, -1, 0);
  TWO(fmod, 6.0, 2.0, 1, -3);
  TWO(fmod, -6.0, 2.0, 1, 3);
  TWO(remainder, 5.0, 2.0, 1, -2);
  TWO(fdim, 2.0, 2.0, 0, 0);
  TWO(copysign, 0.0, -1.0, -1, 0);
  TWO(fmax, 1.0, none, 1, 0);
  TWO(fmin, none, 1.0, 0, 1);
  /* Of two equal numbers one is selected. */
  expect("fmax(1.0,1.0)", fmax(input(1, 1), input(1, 1)), 1);
  expect("fmin(1.0,1.0)", fmin(input(1, 1), input(1, 1)), 1);
  /* A passive argument contributes nothing, also where its partial derivative is infinite. */
  expect("pow(passive,1.5)", pow(passive(0), input(1.5, 1)), 0);
  expect("0*sqrt(0)", 0 * sqrt(passive(0)) + input(1, 1), 1);
  expect("cabs(0)", cabs(CMPLX(input(0, 1), input(0, 1))), 0);
  expect("carg(0)", carg(CMPLX(input(0, 1), 0)), none);
  return 0;
}
