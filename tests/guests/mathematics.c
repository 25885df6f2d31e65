/* Functions of the mathematics library, differentiated by the rules of their instructions alone. With an argument: sines
 * of large numbers, whose reduction is another algorithm. */
#define _GNU_SOURCE
#include "check.h"
#include <math.h>

typedef REAL real;
#ifdef REAL_IS_FLOAT
#define M(name) name##f
#else
#define M(name) name
#endif

struct row {
  const char* name;
  real (*function)(real);
  double (*derivative)(double);
  double from, to;
};

static real power(real x) { return M(pow)(x, (real)2.3); }
static real exponential(real x) { return M(pow)((real)1.7, x); }
static real remainder_of(real x) { return M(fmod)(x, (real)1.3); }
static real hypotenuse(real x) { return M(hypot)(x, (real)1.5); }
static real angle(real x) { return M(atan2)(x, (real)0.8); }
static real scaled(real x) { return M(ldexp)(x, 5); }
static real fraction(real x) { int e; return M(frexp)(x, &e); }
static real fractional(real x) { real i; return M(modf)(x, &i); }
static real both(real x) { real s, c; M(sincos)(x, &s, &c); return s + 2 * c; }
static real rounded(real x) { return x * M(rint)(x) + M(floor)(x) - M(trunc)(x); }

static const double log_2 = 0.693147180559945309417, log_10 = 2.30258509299404568402;
static const double two_by_root_pi = 1.12837916709551257390;

static double d_exp2(double x) { return exp2(x) * log_2; }
static double d_exp10(double x) { return pow(10, x) * log_10; }
static double d_log(double x) { return 1 / x; }
static double d_log2(double x) { return 1 / (x * log_2); }
static double d_log10(double x) { return 1 / (x * log_10); }
static double d_log1p(double x) { return 1 / (1 + x); }
static double d_cos(double x) { return -sin(x); }
static double d_tan(double x) { return 1 / (cos(x) * cos(x)); }
static double d_asin(double x) { return 1 / sqrt((1 - x) * (1 + x)); }
static double d_acos(double x) { return -1 / sqrt((1 - x) * (1 + x)); }
static double d_atan(double x) { return 1 / (1 + x * x); }
static double d_tanh(double x) { return 1 / (cosh(x) * cosh(x)); }
static double d_asinh(double x) { return 1 / sqrt(1 + x * x); }
static double d_acosh(double x) { return 1 / sqrt((x - 1) * (x + 1)); }
static double d_atanh(double x) { return 1 / ((1 - x) * (1 + x)); }
static double d_cbrt(double x) { return 1 / (3 * cbrt(x) * cbrt(x)); }
static double d_erf(double x) { return two_by_root_pi * exp(-x * x); }
static double d_erfc(double x) { return -two_by_root_pi * exp(-x * x); }
static double d_power(double x) { return (double)(real)2.3 * pow(x, (double)(real)2.3 - 1); }
static double d_exponential(double x) { return pow((real)1.7, x) * log((real)1.7); }
static double d_one(double x) { (void)x; return 1; }
static double d_hypot(double x) { return x / hypot(x, 1.5); }
static double d_angle(double x) { return (double)(real)0.8 / (x * x + (double)(real)0.8 * (double)(real)0.8); }
static double d_scaled(double x) { (void)x; return 32; }
static double d_fraction(double x) { int e; frexp(x, &e); return ldexp(1, -e); }
static double d_both(double x) { return cos(x) - 2 * sin(x); }
static double d_rounded(double x) { return rint(x); }

static const struct row rows[] = {
  { "exp", M(exp), exp, -20, 20 },
  { "exp2", M(exp2), d_exp2, -20, 20 },
  { "exp10", M(exp10), d_exp10, -3, 3 },
  { "expm1", M(expm1), exp, -2, 5 },
  { "log", M(log), d_log, 0.01, 20 },
  { "log_near_one", M(log), d_log, 0.95, 1.06 },
  { "log2", M(log2), d_log2, 0.01, 20 },
  { "log10", M(log10), d_log10, 0.01, 20 },
  { "log1p", M(log1p), d_log1p, -0.5, 3 },
  { "sin", M(sin), cos, -30, 30 },
  { "cos", M(cos), d_cos, -30, 30 },
  { "tan", M(tan), d_tan, -30, 30 },
  { "sincos", both, d_both, -30, 30 },
  { "asin", M(asin), d_asin, -0.99, 0.99 },
  { "acos", M(acos), d_acos, -0.99, 0.99 },
  { "atan", M(atan), d_atan, -5, 5 },
  { "atan2", angle, d_angle, -5, 5 },
  { "sinh", M(sinh), cosh, -5, 5 },
  { "cosh", M(cosh), sinh, -5, 5 },
  { "tanh", M(tanh), d_tanh, -5, 5 },
  { "asinh", M(asinh), d_asinh, -5, 5 },
  { "acosh", M(acosh), d_acosh, 1.1, 5 },
  { "atanh", M(atanh), d_atanh, -0.9, 0.9 },
  { "cbrt", M(cbrt), d_cbrt, 0.1, 30 },
  { "erf", M(erf), d_erf, -3, 3 },
  { "erfc", M(erfc), d_erfc, -3, 3 },
  { "pow_of_base", power, d_power, 0.1, 20 },
  { "pow_of_exponent", exponential, d_exponential, -5, 20 },
  { "hypot", hypotenuse, d_hypot, -5, 5 },
  { "fmod", remainder_of, d_one, 0.1, 40 },
  { "ldexp", scaled, d_scaled, 0.1, 40 },
  { "frexp", fraction, d_fraction, 0.1, 40 },
  { "modf", fractional, d_one, 0.1, 40 },
  { "rounding", rounded, d_rounded, -20, 20 },
};

static const struct row large = { "sin_of_large", M(sin), cos, 1e6, 1e8 };

static void differentiate(const struct row* row)
{
  const int points = 40;
  for (int i = 0; i < points; i++) {
    const real point = (real)(row->from + (row->to - row->from) * (i + 0.37) / points);
    const real exact = (real)row->derivative(point);
    check(row->name, row->function(input(point, 1)), exact);
  }
}

int main(int argc, char** argv)
{
  (void)argv;
  if (argc > 1) {
    differentiate(&large);
    return 0;
  }
  for (unsigned k = 0; k < sizeof rows / sizeof *rows; k++)
    differentiate(&rows[k]);
  return 0;
}
