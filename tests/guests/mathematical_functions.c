/* Functions of the mathematics library against their derivatives, which are computed with 80 bits from passive numbers.
 *
 * Each is called directly and through a pointer that `dlsym` has found. */
#define _GNU_SOURCE
#include "check.h"
#include <complex.h>
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>

#ifdef REAL_IS_FLOAT
#define F(name) name##f
#define lgamma_rf lgammaf_r
#define COMPLEX float complex
#elif defined(REAL_IS_EXTENDED)
#define F(name) name##l
#define lgamma_rl lgammal_r
#define COMPLEX long double complex
#else
#define F(name) name
#define COMPLEX double complex
#endif
#define TEXT(name) TEXT_OF(name)
#define TEXT_OF(name) #name

#ifndef __GLIBC__
/* musl has them for binary64 alone. */
#define j0l j0
#define j1l j1
#define jnl jn
#define y0l y0
#define y1l y1
#define ynl yn
#endif

typedef long double wide;

/* Where the name stands in an expression, `x`, `y` are passive arguments, and `f` the passive value. */
#define ONE(name, argument, derivative)                                                                                \
  do {                                                                                                                 \
    REAL (*volatile pointer)(REAL) = (REAL (*)(REAL))found(TEXT(F(name)), (void*)F(name));                             \
    const REAL given = (REAL)(argument);                                                                               \
    const wide x = given, f = F(name)(given);                                                                          \
    const wide slope = (derivative);                                                                                   \
    (void)x, (void)f;                                                                                                  \
    check(#name, F(name)(input(given, 1)), (REAL)slope);                                                               \
    check(#name " by pointer", pointer(input(given, -2)), (REAL)(-2 * slope));                                         \
  } while (0)

#define TWO(name, first, second, with_first, with_second)                                                              \
  do {                                                                                                                 \
    REAL (*volatile pointer)(REAL, REAL) = (REAL (*)(REAL, REAL))found(TEXT(F(name)), (void*)F(name));                 \
    const REAL given = (REAL)(first), other = (REAL)(second);                                                          \
    const wide x = given, y = other, f = F(name)(given, other);                                                        \
    const wide slope_x = (with_first), slope_y = (with_second);                                                        \
    (void)x, (void)y, (void)f;                                                                                         \
    check(#name " of first", F(name)(input(given, 1), other), (REAL)slope_x);                                          \
    check(#name " of second", F(name)(given, input(other, 1)), (REAL)slope_y);                                         \
    check(#name " of both", pointer(input(given, 2), input(other, 0.5)), (REAL)(2 * slope_x + slope_y / 2));           \
  } while (0)

#define WITH_INTEGER(name, call, argument, derivative)                                                                 \
  do {                                                                                                                 \
    const REAL given = (REAL)(argument);                                                                               \
    const wide x = given;                                                                                              \
    (void)x;                                                                                                           \
    const wide slope = (derivative);                                                                                   \
    REAL t = input(given, 1);                                                                                          \
    check(#name, (call), (REAL)slope);                                                                                 \
  } while (0)

/* A holomorphic function. */
#define COMPLEX_ONE(name, argument, derivative)                                                                        \
  do {                                                                                                                 \
    const COMPLEX given = (argument);                                                                                  \
    const long double complex z = given, f = F(name)(given);                                                           \
    (void)z, (void)f;                                                                                                  \
    const long double complex slope = (derivative);                                                                    \
    COMPLEX result = F(name)(complex_input(given, 1, 0));                                                              \
    check(#name " real of real", F(creal)(result), (REAL)creall(slope));                                               \
    check(#name " imaginary of real", F(cimag)(result), (REAL)cimagl(slope));                                          \
    result = F(name)(complex_input(given, 0, 1));                                                                      \
    check(#name " real of imaginary", F(creal)(result), (REAL)-cimagl(slope));                                         \
    check(#name " imaginary of imaginary", F(cimag)(result), (REAL)creall(slope));                                     \
  } while (0)

#define OF_COMPLEX(name, argument, with_real, with_imaginary)                                                          \
  do {                                                                                                                 \
    const COMPLEX given = (argument);                                                                                  \
    const wide x = F(creal)(given), y = F(cimag)(given);                                                               \
    (void)x, (void)y;                                                                                                  \
    const wide slope_x = (with_real), slope_y = (with_imaginary);                                                      \
    check(#name, F(name)(complex_input(given, 1, 3)), (REAL)(slope_x + 3 * slope_y));                                  \
  } while (0)

static void* libm;

static APART void* found(const char* name, void* linked)
{
  void* symbol = libm ? dlsym(libm, name) : NULL;
  return symbol ? symbol : linked;
}

static APART COMPLEX complex_input(COMPLEX z, REAL dot_of_real, REAL dot_of_imaginary)
{
  REAL parts[2] = {F(creal)(z), F(cimag)(z)};
  if (dot_of_real != 0)
    parts[0] = input(parts[0], dot_of_real);
  if (dot_of_imaginary != 0)
    parts[1] = input(parts[1], dot_of_imaginary);
  COMPLEX result;
  __builtin_memcpy(&result, parts, sizeof result);
  return result;
}

static APART void real_functions(REAL a)
{
  const wide pi = acosl(-1);
  ONE(sin, a, cosl(x));
  ONE(cos, a, -sinl(x));
  ONE(tan, a, 1 / (cosl(x) * cosl(x)));
  ONE(asin, a - 1, 1 / sqrtl((1 - x) * (1 + x)));
  ONE(acos, a - 1, -1 / sqrtl((1 - x) * (1 + x)));
  ONE(atan, a, 1 / (1 + x * x));
  ONE(sinh, a, coshl(x));
  ONE(cosh, a, sinhl(x));
  ONE(tanh, a, 1 / (coshl(x) * coshl(x)));
  ONE(asinh, a, 1 / sqrtl(1 + x * x));
  ONE(acosh, a + 1, 1 / sqrtl((x - 1) * (x + 1)));
  ONE(atanh, a - 1, 1 / ((1 - x) * (1 + x)));
  ONE(exp, a, expl(x));
  ONE(exp2, a, exp2l(x) * logl(2));
  ONE(exp10, a, exp10l(x) * logl(10));
  ONE(expm1, a, expl(x));
  ONE(expm1, a - 3, expl(x));
  ONE(log, a, 1 / x);
  ONE(log2, a, 1 / (x * logl(2)));
  ONE(log10, a, 1 / (x * logl(10)));
  ONE(log1p, a, 1 / (1 + x));
  ONE(log1p, a / 10 - 1, 1 / (1 + x));
  ONE(cbrt, a, 1 / (3 * cbrtl(x) * cbrtl(x)));
  ONE(cbrt, -a, 1 / (3 * cbrtl(x) * cbrtl(x)));
  ONE(erf, a, 2 / sqrtl(pi) * expl(-x * x));
  ONE(erfc, 3 * a, -2 / sqrtl(pi) * expl(-x * x));
  ONE(j0, a, -j1l(x));
  ONE(j1, a, (j0l(x) - jnl(2, x)) / 2);
  ONE(y0, a, -y1l(x));
  ONE(y1, a, (y0l(x) - ynl(2, x)) / 2);
  ONE(sqrt, a, 1 / (2 * sqrtl(x)));
  ONE(fabs, -a, -1);
  ONE(floor, a, 0);
  ONE(ceil, a, 0);
  ONE(trunc, a, 0);
  ONE(round, a, 0);
  ONE(rint, a, 0);
  ONE(nearbyint, a, 0);
  ONE(logb, a, 0);
  ONE(significand, 5 * a, 0.25L);
}

/* The gamma function and its logarithm at numbers where the digamma function is known. */
static APART void gamma_functions(void)
{
  const wide euler = 0.577215664901532860606512090082402431L, pi = acosl(-1), ln2 = logl(2);
  ONE(tgamma, 1, -euler);
  ONE(tgamma, 5, 24 * (25 / 12.0L - euler));
  ONE(tgamma, 0.5, sqrtl(pi) * (-euler - 2 * ln2));
  ONE(tgamma, -0.5, tgammal(x) * (-euler - 2 * ln2 + 2));
  ONE(lgamma, 0.25, -euler - pi / 2 - 3 * ln2);
  ONE(lgamma, 12, 83711 / 27720.0L - euler);
  ONE(lgamma, -2.5, 2 / 5.0L + 2 / 3.0L + 2 - euler - 2 * ln2);
  int sign;
  WITH_INTEGER(lgamma_r, F(lgamma_r)(t, &sign), 0.25, -euler - pi / 2 - 3 * ln2);
}

static APART void functions_of_two(REAL a)
{
  TWO(pow, a, 2.5, y * powl(x, y - 1), powl(x, y) * logl(x));
  TWO(pow, a, -3, y * powl(x, y - 1), powl(x, y) * logl(x));
  TWO(pow, 0.5, a, y * powl(x, y - 1), powl(x, y) * logl(x));
  TWO(atan2, a, 2, y / (x * x + y * y), -x / (x * x + y * y));
  TWO(atan2, -a, -0.25, y / (x * x + y * y), -x / (x * x + y * y));
  TWO(hypot, a, 2, x / hypotl(x, y), y / hypotl(x, y));
  TWO(fmod, 5 * a, 2, 1, -truncl(x / y));
  TWO(fmod, -5 * a, 2, 1, -truncl(x / y));
  TWO(remainder, 5 * a, 2, 1, -rintl(x / y));
  TWO(drem, 5 * a, 2, 1, -rintl(x / y));
  TWO(fdim, a, 1, 1, -1);
  TWO(fdim, a, 2, 0, 0);
  TWO(fmax, a, 1, 1, 0);
  TWO(fmin, a, 1, 0, 1);
  TWO(copysign, a, -1, -1, 0);
  TWO(nextafter, a, 2, 1, 0);
}

static APART void functions_with_integers(REAL a)
{
  int integer;
  REAL integral;
  WITH_INTEGER(ldexp, F(ldexp)(t, 5), a, 32);
  WITH_INTEGER(scalbn, F(scalbn)(t, -5), a, 1 / 32.0L);
  WITH_INTEGER(scalbln, F(scalbln)(t, 5L), a, 32);
  WITH_INTEGER(jn, F(jn)(3, t), a, (jnl(2, x) - jnl(4, x)) / 2);
  WITH_INTEGER(yn, F(yn)(3, t), a, (ynl(2, x) - ynl(4, x)) / 2);
  WITH_INTEGER(frexp, F(frexp)(t, &integer), 5 * a, 0.125L);
  WITH_INTEGER(modf, F(modf)(t, &integral), 5 * a, 1);
  WITH_INTEGER(integral part, (F(modf)(t, &integral), integral), 5 * a, 0);
  WITH_INTEGER(remquo, F(remquo)(t, 2, &integer), 5 * a, 1);
  WITH_INTEGER(nexttoward, F(nexttoward)(t, 2.0L), a, 1);
  REAL sine, cosine;
  F(sincos)(input(a, 1), &sine, &cosine);
  check("sine of sincos", sine, (REAL)cosl(a));
  check("cosine of sincos", cosine, (REAL)-sinl(a));
}

static APART void complex_functions(REAL a)
{
  const COMPLEX b = a + (a / 3) * I;
  COMPLEX_ONE(cexp, b, cexpl(z));
  COMPLEX_ONE(clog, b, 1 / z);
  COMPLEX_ONE(csqrt, b, 1 / (2 * csqrtl(z)));
  COMPLEX_ONE(csqrt, -b, 1 / (2 * csqrtl(z)));
  COMPLEX_ONE(csin, b, ccosl(z));
  COMPLEX_ONE(ccos, b, -csinl(z));
  COMPLEX_ONE(ctan, b, 1 / (ccosl(z) * ccosl(z)));
  COMPLEX_ONE(csinh, b, ccoshl(z));
  COMPLEX_ONE(ccosh, b, csinhl(z));
  COMPLEX_ONE(ctanh, b, 1 / (ccoshl(z) * ccoshl(z)));
  COMPLEX_ONE(casin, b, 1 / (csqrtl(1 - z) * csqrtl(1 + z)));
  COMPLEX_ONE(cacos, b, -1 / (csqrtl(1 - z) * csqrtl(1 + z)));
  COMPLEX_ONE(catan, b, 1 / (1 + z * z));
  COMPLEX_ONE(casinh, b, 1 / csqrtl(1 + z * z));
  COMPLEX_ONE(cacosh, b, 1 / (csqrtl(z - 1) * csqrtl(z + 1)));
  COMPLEX_ONE(catanh, b, 1 / (1 - z * z));
  COMPLEX_ONE(cproj, b, 1);
  OF_COMPLEX(cabs, b, x / hypotl(x, y), y / hypotl(x, y));
  OF_COMPLEX(carg, b, -y / (x * x + y * y), x / (x * x + y * y));
  OF_COMPLEX(creal, F(conj)(b), 1, 0);
  OF_COMPLEX(cimag, F(conj)(b), 0, 1);
  const COMPLEX exponent = 0.5 - 2 * I;
  const long double complex z = b, w = exponent, power = cpowl(z, w);
  COMPLEX result = F(cpow)(complex_input(b, 1, 0), exponent);
  check("cpow of base", F(cimag)(result), (REAL)cimagl(w * power / z));
  result = F(cpow)(b, complex_input(exponent, 1, 0));
  check("cpow of exponent", F(creal)(result), (REAL)creall(power * clogl(z)));
  result = F(cpow)(complex_input(b, 1, 2), complex_input(exponent, 3, 4));
  const long double complex both = w * power / z * (1 + 2 * I) + power * clogl(z) * (3 + 4 * I);
  check("cpow of both", F(creal)(result), (REAL)creall(both));
}

int main(void)
{
  libm = dlopen("libm.so.6", RTLD_NOW);
  volatile REAL a = (REAL)1.3;
  REAL seed = 1;
  volatile REAL warmed = 1;
  ACTIVATE(warmed, seed);
  real_functions(a);
  gamma_functions();
  functions_of_two(a);
  functions_with_integers(a);
  complex_functions(a);
  return 0;
}
