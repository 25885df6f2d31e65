/* Functions of the mathematics library for 80-bit numbers, by the rules of their instructions alone. Left out are those that
 * replace exponents by integers, which is reported: frexpl, scalblnl, powl, coshl, atanhl, and sinl and cosl of numbers
 * that are to be reduced. */
#define _GNU_SOURCE
#define REAL long double
#include "check.h"
#include <complex.h>
#include <math.h>

int main(void)
{
  long double x = input(0.7L, 1), p = passive(x), big = x * 37, small = x * 0.01L, negative = -x * 3;
  const long double pi = 3.14159265358979323846L;
  check("sinl", sinl(x), cosl(p));
  check("cosl", cosl(x), -sinl(p));
  check("tanl", tanl(x), 1 / (cosl(p) * cosl(p)));
  check("expl", expl(x), expl(p));
  check("expl of a negative number", expl(negative), -3 * expl(-3 * p));
  check("expl of a large number", expl(big), 37 * expl(37 * p));
  check("exp2l", exp2l(x), logl(2) * exp2l(p));
  check("exp10l", exp10l(x), logl(10) * exp10l(p));
  check("expm1l", expm1l(x), expl(p));
  check("expm1l of a small number", expm1l(small), 0.01L * expl(0.01L * p));
  check("logl", logl(x), 1 / p);
  check("logl of a large number", logl(big), 1 / p);
  check("log2l", log2l(x), 1 / p / logl(2));
  check("log10l", log10l(x), 1 / p / logl(10));
  check("log1pl", log1pl(x), 1 / (1 + p));
  check("log1pl of a small number", log1pl(small), 0.01L / (1 + p * 0.01L));
  check("powl of an exponent", powl(2.5L, x), powl(2.5L, p) * logl(2.5L));
  check("powl to an integer", powl(x, 3), 3 * p * p);
  check("powl of a negative number", powl(negative, -3), -3 * -3 * powl(-3 * p, -4));
  check("atanl", atanl(x), 1 / (1 + p * p));
  check("atan2l", atan2l(x, 2), 2 / (4 + p * p));
  check("asinl", asinl(x), 1 / sqrtl(1 - p * p));
  check("acosl", acosl(x), -1 / sqrtl(1 - p * p));
  check("sinhl", sinhl(x), coshl(p));
  check("tanhl", tanhl(x), 1 / coshl(p) / coshl(p));
  check("asinhl", asinhl(x), 1 / sqrtl(1 + p * p));
  check("acoshl", acoshl(big), 37 / sqrtl(37 * 37 * p * p - 1));
  check("sqrtl", sqrtl(x), 0.5L / sqrtl(p));
  check("cbrtl", cbrtl(x), cbrtl(p) / (3 * p));
  check("hypotl", hypotl(x, 2), p / hypotl(p, 2));
  check("fmodl", fmodl(big, x * 3), 37 - 12 * 3);
  check("remainderl", remainderl(big, x * 3), 37 - 12 * 3);
  check("fabsl", fabsl(negative), 3);
  check("floorl", floorl(big) * x, 25);
  check("fmal", fmal(x, x, x), 2 * p + 1);
  check("ldexpl", ldexpl(x, 5), 32);
  long double whole;
  check("modfl", modfl(big, &whole), 37);
  check("copysignl", copysignl(x, -2), -1);
  check("fmaxl", fmaxl(x, negative), 1);
  check("fdiml", fdiml(x, negative), 4);
  check("nextafterl", nextafterl(x, 2), 1);
  check("rintl", rintl(big) * x, 26);
  check("truncl", truncl(big) * x, 25);
  check("roundl", roundl(big) * x, 26);
  check("erfl", erfl(x), 2 / sqrtl(pi) * expl(-p * p));
  check("erfcl", erfcl(x), -2 / sqrtl(pi) * expl(-p * p));
  check("j0l", j0l(x), -j1l(p));
  long double of_sine, of_cosine;
  sincosl(x, &of_sine, &of_cosine);
  check("sincosl", of_sine * of_cosine, cosl(p) * cosl(p) - sinl(p) * sinl(p));
  check("logbl", logbl(big) * x, 4);
  check("significandl", significandl(big), 37.0L / 16);
  check("cexpl", creall(cexpl(x + x * I)), creall(cexpl(p + p * I) * (1 + I)));
  check("clogl", cimagl(clogl(x + 2 * I)), -2 / (4 + p * p));
  check("csqrtl", creall(csqrtl(x + 2 * I)), creall(0.5L / csqrtl(p + 2 * I)));
  check("cabsl", cabsl(x + 2 * I), p / hypotl(p, 2));
  check("csinl", creall(csinl(x + I)), creall(ccosl(p + I)));
  return 0;
}
