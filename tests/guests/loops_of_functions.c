/* Loops over functions of the mathematics library, which the compiler replaces by calls of functions of vectors
 * (libmvec), against derivatives that are computed with 80 bits from passive numbers. The arrays end in the middle of a
 * vector. */
#define _GNU_SOURCE
#include "check.h"
#include <math.h>

#ifdef REAL_IS_FLOAT
#define F(name) name##f
#else
#define F(name) name
#endif

enum { COUNT = 37 };

typedef long double wide;

static REAL given[COUNT], others[COUNT], results[COUNT];

static APART void fill(REAL* numbers, REAL from, REAL to)
{
  for (int i = 0; i < COUNT; i++)
    numbers[i] = from + (to - from) * (REAL)(i + 0.3) / COUNT;
}

/* Every fifth number is passive. */
static APART REAL dot_of_input(int i)
{
  return i % 5 == 4 ? 0 : 1 + (REAL)i / 4;
}

static APART void activate(REAL* numbers)
{
  for (int i = 0; i < COUNT; i++)
    if (i % 5 != 4)
      numbers[i] = input(numbers[i], dot_of_input(i));
}

#define ONE(name, from, to, derivative)                                                                                \
  static APART void loop_of_##name(void)                                                                               \
  {                                                                                                                    \
    for (int i = 0; i < COUNT; i++)                                                                                    \
      results[i] = F(name)(given[i]);                                                                                  \
  }                                                                                                                    \
  static APART void check_##name(void)                                                                                 \
  {                                                                                                                    \
    REAL expected[COUNT];                                                                                              \
    fill(given, (REAL)(from), (REAL)(to));                                                                             \
    for (int i = 0; i < COUNT; i++) {                                                                                  \
      const wide x = given[i];                                                                                         \
      expected[i] = (REAL)(dot_of_input(i) * (derivative));                                                            \
    }                                                                                                                  \
    activate(given);                                                                                                   \
    loop_of_##name();                                                                                                  \
    for (int i = 0; i < COUNT; i++)                                                                                    \
      check(#name, results[i], expected[i]);                                                                           \
  }

#define TWO(name, from, to, with_first, with_second)                                                                   \
  static APART void loop_of_##name(void)                                                                               \
  {                                                                                                                    \
    for (int i = 0; i < COUNT; i++)                                                                                    \
      results[i] = F(name)(given[i], others[i]);                                                                       \
  }                                                                                                                    \
  static APART void check_##name(void)                                                                                 \
  {                                                                                                                    \
    for (int which = 1; which <= 3; which++) {                                                                         \
      REAL expected[COUNT];                                                                                            \
      fill(given, (REAL)(from), (REAL)(to));                                                                           \
      fill(others, (REAL)0.5, 2);                                                                                      \
      for (int i = 0; i < COUNT; i++) {                                                                                \
        const wide x = given[i], y = others[i];                                                                        \
        const wide first = which & 1 ? (with_first) : 0, second = which & 2 ? (with_second) : 0;                       \
        expected[i] = (REAL)(dot_of_input(i) * (first + second));                                                      \
      }                                                                                                                \
      if (which & 1)                                                                                                   \
        activate(given);                                                                                               \
      if (which & 2)                                                                                                   \
        activate(others);                                                                                              \
      loop_of_##name();                                                                                                \
      for (int i = 0; i < COUNT; i++)                                                                                  \
        check(#name, results[i], expected[i]);                                                                         \
    }                                                                                                                  \
  }

static const wide pi = 3.14159265358979323846264338327950288L, ln_2 = 0.69314718055994530941723212145817657L,
                  ln_10 = 2.30258509299404568401799145468436421L;

ONE(sin, -3, 3, cosl(x))
ONE(cos, -3, 3, -sinl(x))
ONE(tan, -1.5, 1.5, 1 / (cosl(x) * cosl(x)))
ONE(asin, -0.9, 0.9, 1 / sqrtl((1 - x) * (1 + x)))
ONE(acos, -0.9, 0.9, -1 / sqrtl((1 - x) * (1 + x)))
ONE(atan, -3, 3, 1 / (1 + x * x))
ONE(sinh, -3, 3, coshl(x))
ONE(cosh, -3, 3, sinhl(x))
ONE(tanh, -3, 3, 1 / (coshl(x) * coshl(x)))
ONE(asinh, -3, 3, 1 / sqrtl(1 + x * x))
ONE(acosh, 1.1, 5, 1 / sqrtl((x - 1) * (x + 1)))
ONE(atanh, -0.9, 0.9, 1 / ((1 - x) * (1 + x)))
ONE(exp, -3, 3, expl(x))
ONE(exp2, -3, 3, exp2l(x) * ln_2)
ONE(exp10, -3, 3, expl(x * ln_10) * ln_10)
ONE(expm1, -3, 3, expl(x))
ONE(log, 0.1, 9, 1 / x)
ONE(log2, 0.1, 9, 1 / (x * ln_2))
ONE(log10, 0.1, 9, 1 / (x * ln_10))
ONE(log1p, -0.5, 9, 1 / (1 + x))
ONE(cbrt, 0.1, 9, 1 / (3 * cbrtl(x) * cbrtl(x)))
ONE(erf, -2, 2, 2 / sqrtl(pi) * expl(-x * x))
ONE(erfc, -2, 2, -2 / sqrtl(pi) * expl(-x * x))
TWO(pow, 0.1, 5, y* powl(x, y - 1), powl(x, y) * logl(x))
TWO(atan2, -3, 3, y / (x * x + y * y), -x / (x * x + y * y))
TWO(hypot, -3, 3, x / hypotl(x, y), y / hypotl(x, y))

int main(void)
{
  check_sin(), check_cos(), check_tan(), check_asin(), check_acos(), check_atan();
  check_sinh(), check_cosh(), check_tanh(), check_asinh(), check_acosh(), check_atanh();
  check_exp(), check_exp2(), check_exp10(), check_expm1();
  check_log(), check_log2(), check_log10(), check_log1p();
  check_cbrt(), check_erf(), check_erfc();
  check_pow(), check_atan2(), check_hypot();
  return 0;
}
