/* Loops over functions of the mathematics library, which the compiler turns into calls of the vector functions of libmvec.
 * Each line is a function's name and the largest error of its derivative. */
#include <derivgrind.h>
#include <math.h>
#include <stdio.h>

#ifndef REAL
#define REAL double
#endif
typedef REAL real;
#ifdef REAL_IS_FLOAT
#define M(name) name##f
#else
#define M(name) name
#endif

enum { COUNT = 203 };
static real x[COUNT], y[COUNT], dots[COUNT];

#define ROWS                                                                                                           \
  ROW(exp, M(exp)(t), exp(t), -20, 20)                                                                                 \
  ROW(exp2, M(exp2)(t), exp2(t) * 0.693147180559945309417, -20, 20)                                                    \
  ROW(exp10, M(exp10)(t), pow(10, t) * 2.30258509299404568402, -3, 3)                                                  \
  ROW(expm1, M(expm1)(t), exp(t), -2, 5)                                                                               \
  ROW(log, M(log)(t), 1 / t, 0.01, 20)                                                                                 \
  ROW(log2, M(log2)(t), 1 / (t * 0.693147180559945309417), 0.01, 20)                                                   \
  ROW(log10, M(log10)(t), 1 / (t * 2.30258509299404568402), 0.01, 20)                                                  \
  ROW(log1p, M(log1p)(t), 1 / (1 + t), -0.5, 3)                                                                        \
  ROW(sin, M(sin)(t), cos(t), -30, 30)                                                                                 \
  ROW(cos, M(cos)(t), -sin(t), -30, 30)                                                                                \
  ROW(tan, M(tan)(t), 1 / (cos(t) * cos(t)), -1.4, 1.4)                                                                \
  ROW(asin, M(asin)(t), 1 / sqrt((1 - t) * (1 + t)), -0.99, 0.99)                                                      \
  ROW(acos, M(acos)(t), -1 / sqrt((1 - t) * (1 + t)), -0.99, 0.99)                                                     \
  ROW(atan, M(atan)(t), 1 / (1 + t * t), -5, 5)                                                                        \
  ROW(atan2, M(atan2)(t, (real)0.75), 0.75 / (t * t + 0.5625), -5, 5)                                                  \
  ROW(sinh, M(sinh)(t), cosh(t), -5, 5)                                                                                \
  ROW(cosh, M(cosh)(t), sinh(t), -5, 5)                                                                                \
  ROW(tanh, M(tanh)(t), 1 / (cosh(t) * cosh(t)), -5, 5)                                                                \
  ROW(asinh, M(asinh)(t), 1 / sqrt(1 + t * t), -5, 5)                                                                  \
  ROW(acosh, M(acosh)(t), 1 / sqrt((t - 1) * (t + 1)), 1.1, 5)                                                         \
  ROW(atanh, M(atanh)(t), 1 / ((1 - t) * (1 + t)), -0.9, 0.9)                                                          \
  ROW(cbrt, M(cbrt)(t), 1 / (3 * cbrt(t) * cbrt(t)), 0.1, 30)                                                          \
  ROW(erf, M(erf)(t), 1.12837916709551257390 * exp(-t * t), -2, 2)                                                     \
  ROW(erfc, M(erfc)(t), -1.12837916709551257390 * exp(-t * t), -2, 2)                                                  \
  ROW(pow, M(pow)(t, (real)2.25), 2.25 * pow(t, 1.25), 0.1, 20)                                                        \
  ROW(hypot, M(hypot)(t, (real)1.5), t / hypot(t, 1.5), -5, 5)

static void prepare(double from, double to)
{
  for (int k = 0; k < COUNT; k++) {
    x[k] = (real)(from + (to - from) * (k + 0.37) / COUNT);
    /* The tangent's kernel multiplies dot values by large numbers, and divides them again. */
    dots[k] = (real)0x1p-20;
  }
  DG_SET_DOTVALUE(x, dots, sizeof x);
}

/* A NaN is no smaller than any bound, whatever the compiler assumes: the bits are looked at. */
static void compare(const char* name, double (*exact)(double))
{
  double largest = 0;
  int is_finite = 1;
  DG_GET_DOTVALUE(y, dots, sizeof y);
  for (int k = 0; k < COUNT; k++) {
    double point = x[k], none = 0;
    DG_SET_DOTVALUE(&point, &none, sizeof point);
    const double expected = exact(point), size = fabs(expected) > 1e-3 ? fabs(expected) : 1e-3;
    const double error = fabs(0x1p20 * dots[k] - expected) / size;
    union {
      double number;
      unsigned long long bits;
    } word = { error };
    is_finite &= (word.bits >> 52 & 0x7ff) != 0x7ff;
    if (error > largest)
      largest = error;
  }
  if (is_finite)
    printf("%s %g\n", name, largest);
  else
    printf("%s inf\n", name);
}

#define ROW(name, value, derivative, from, to)                                                                         \
  static __attribute__((noinline)) void loop_##name(void)                                                              \
  {                                                                                                                    \
    for (int k = 0; k < COUNT; k++) {                                                                                  \
      const real t = x[k];                                                                                             \
      y[k] = value;                                                                                                    \
    }                                                                                                                  \
  }                                                                                                                    \
  static double exact_##name(double t) { return derivative; }
ROWS
#undef ROW

int main(void)
{
#define ROW(name, value, derivative, from, to)                                                                         \
  prepare(from, to);                                                                                                   \
  loop_##name();                                                                                                       \
  compare(#name, exact_##name);
  ROWS
  return 0;
}
