/* Numbers of 80 bits: arithmetic and functions of the x87 unit, and the ways by which such numbers travel. */
#ifndef REAL
#define REAL long double
#endif
#include "check.h"
#include <complex.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct mixed { char tag; long double wide; float single; double number; };

static APART long double rational(long double x, long double y) { return (x * y - 3) / (x + y * y) - x / 7; }

static APART long double of_integers(long double x, int n, short k) { return (x + n) * k - n / x + k; }

static APART long double of_smaller(long double x, double y, float z) { return x * y + z * x - y / z; }

static APART double narrowed(long double x) { return (double)(x * x) + (float)(x / 3); }

static APART long double sum_of(int count, ...)
{
  va_list numbers;
  long double sum = 0;
  va_start(numbers, count);
  for (int i = 0; i < count; i++)
    sum = sum * 2 + va_arg(numbers, long double);
  va_end(numbers);
  return sum;
}

static APART struct mixed passed(struct mixed value)
{
  value.wide = value.wide * value.number;
  return value;
}

static APART long double recursive(int depth, long double x)
{
  return depth == 0 ? x : x * recursive(depth - 1, x) - depth;
}

static APART long double larger(long double x, long double y) { return x > y ? x : y; }

#define OTHERS "st(1)", "st(2)", "st(3)", "st(4)", "st(5)", "st(6)", "st(7)"
#define FUNCTION(name, instructions)                                                                                   \
  static APART long double name(long double x)                                                                         \
  {                                                                                                                    \
    __asm__(instructions : "+t"(x) : : OTHERS);                                                                       \
    return x;                                                                                                          \
  }
FUNCTION(root, "fsqrt")
FUNCTION(magnitude, "fabs")
FUNCTION(negative, "fchs")
FUNCTION(sine, "fsin")
FUNCTION(cosine, "fcos")
FUNCTION(tangent, "fptan; fstp %%st(0)")
FUNCTION(product_of_both, "fsincos; fmulp")
FUNCTION(power, "f2xm1")
FUNCTION(rounded, "frndint")
FUNCTION(significand, "fxtract; fstp %%st(1)")
FUNCTION(exponent, "fxtract; fstp %%st(0)")
/* log2(x) + 3 x */
FUNCTION(logarithm, "fld %%st(0); fld1; fxch; fyl2x; fxch; fld %%st(0); fadd %%st(0), %%st(1); faddp; faddp")
/* The exponential function as libraries have it. */
FUNCTION(exponential, "fldl2e; fmulp; fld %%st(0); frndint; fsubr %%st(0), %%st(1); fxch; f2xm1; fld1; faddp; fscale; "
                      "fstp %%st(1)")
/* Through all eight registers, and by other formats in memory. */
FUNCTION(deep, "fld %%st(0); fld %%st(0); fld %%st(0); fld %%st(0); fld %%st(0); fld %%st(0); fld %%st(0); fxch %%st(5); "
               "fmulp %%st(0), %%st(1); fdecstp; fincstp; faddp %%st(0), %%st(3); fmulp %%st(0), %%st(4); faddp; fmulp; "
               "faddp; faddp")

#define FUNCTION_OF_TWO(name, instructions)                                                                            \
  static APART long double name(long double x, long double y)                                                          \
  {                                                                                                                    \
    __asm__(instructions : "+t"(x) : "u"(y) : "st(1)");                                                                \
    return x;                                                                                                          \
  }
FUNCTION_OF_TWO(angle, "fpatan")
FUNCTION_OF_TWO(times_logarithm, "fyl2x")
FUNCTION_OF_TWO(times_logarithm_plus_one, "fyl2xp1")
static APART long double remainder_of(long double x, long double y)
{
  __asm__("fprem" : "+t"(x) : "u"(y));
  return x;
}
static APART long double nearest_remainder(long double x, long double y)
{
  __asm__("fprem1" : "+t"(x) : "u"(y));
  return x;
}
static APART long double scaled(long double x, long double n)
{
  __asm__("fscale" : "+t"(x) : "u"(n));
  return x;
}

/* The whole unit goes to memory and comes back, in between it is used otherwise. */
static APART long double saved(long double x, int way)
{
  static char image[512] __attribute__((aligned(64)));
  if (way == 0)
    __asm__ volatile("fld1; fnsave %1; fldpi; fstp %%st(0); frstor %1; fmulp" : "+t"(x), "+m"(image) : : OTHERS);
  else
    __asm__ volatile("fld1; fxsave %1; fmul %%st(0); fmul %%st(1); fxrstor %1; faddp" : "+t"(x), "+m"(image) : : OTHERS);
  return x;
}

/* An x87 register and an MMX register are one: eight bytes travel by MMX. */
static APART double by_mmx(const double* from)
{
  double to;
  __asm__ volatile("movq %1, %%mm3; movq %%mm3, %%mm0; movq %%mm0, %0; emms" : "=m"(to) : "m"(*from) : "mm0", "mm3");
  return to;
}

static volatile long double in_handler, factor;

static void handle(int number)
{
  (void)number;
  long double power = factor;
  for (int i = 0; i < 3; i++)
    power = power * factor;
  in_handler = power;
}

/* A signal arrives while numbers are on the stack. */
static APART long double interrupted(long double x, long double y)
{
  long double product = x * y;
  raise(SIGUSR1);
  return product - x;
}

static double real_part(long double complex z) { return (double)creall(z); }

int main(void)
{
  long double x = input(1.25L, 2), y = input(-0.75L, 3), big = input(37.5L, 1);
  long double square = x + y * y, square_dot = 2 + 6 * y;
  check("rational", rational(x, y), ((2 * y + 3 * x) * square - (x * y - 3) * square_dot) / (square * square) - 2.0L / 7);
  check("of integers", of_integers(x, 3, 5), 2 * 5 + 3 / (x * x) * 2);
  check("of smaller numbers", of_smaller(x, (double)y, (float)big),
        2 * y + 3 * x + x + big * 2 - 3 / big + y / (big * big));
  check("narrowed", narrowed(y), 2 * y * 3 + 1);
  check("arguments", sum_of(4, x, y, big, x), 8 * 2 + 4 * 3 + 2 * 1 + 2);
  check("recursive", recursive(2, x), (2 * x * x + x * x - 1) * 2);
  check("larger", larger(x, y) + larger(y, big), 3);
  check("root", root(big), 0.5L / root(big));
  check("magnitude", magnitude(y) + magnitude(x), -3 + 2);
  check("negative", negative(x), -2);
  check("sine", sine(x), 2 * cosine(x));
  check("cosine", cosine(y), -3 * sine(y));
  check("tangent", tangent(x), 2 / (cosine(x) * cosine(x)));
  check("sine times cosine", product_of_both(x), 2 * (cosine(x) * cosine(x) - sine(x) * sine(x)));
  check("power", power(y), 3 * 0.693147180559945309417L * (power(y) + 1));
  check("rounded", rounded(x) + x, 2);
  check("significand", significand(big), 1.0L / 32);
  check("exponent", exponent(big) * x, 5 * 2);
  check("logarithm", logarithm(big), 1.44269504088896340736L / big + 3);
  check("exponential", exponential(x), 2 * exponential(x));
  check("deep", deep(x), (6 * x + 3 * x * x + 1) * 2);
  check("angle", angle(x, y), (x * 3 - y * 2) / (x * x + y * y));
  check("times logarithm", times_logarithm(big, x), 2 * (5 + times_logarithm(significand(big), 1)) + x / big * 1.44269504088896340736L);
  check("times logarithm near one", times_logarithm_plus_one(x - 1.2L, y),
        3 * times_logarithm_plus_one(x - 1.2L, 1) + y / (x - 0.2L) * 1.44269504088896340736L * 2);
  check("remainder", remainder_of(big, x * 1.1L), 1 - 27 * 2.2L);
  check("nearest remainder", nearest_remainder(big, x * 1.1L), 1 - 27 * 2.2L);
  check("scaled", scaled(x, big / 10), 2 * 8);
  check("saved", saved(x, 0), 2);
  check("saved by fxsave", saved(y, 1), 3);
  struct mixed one, many[4];
  memset(&one, 0, sizeof one);
  one.tag = 'x';
  one.wide = x;
  one.single = (float)y;
  one.number = (double)big;
  for (int i = 0; i < 4; i++)
    many[i] = one;
  memmove(&many[1], &many[0], 3 * sizeof one);
  struct mixed back = passed(many[2]);
  check("structure", back.wide + back.single, 2 * big + x + 3);
  long double numbers[20], sum = 0;
  for (int i = 0; i < 20; i++)
    numbers[i] = (i % 2 ? x : y) * i;
  for (int i = 0; i < 20; i++)
    sum += numbers[i] * numbers[19 - i];
  long double expected = 0;
  for (int i = 0; i < 20; i++)
    expected += i * (19 - i) * (2 * y + 3 * x);
  check("array", sum, expected);
  long double complex z = x + y * I, w = z * z / (z + 2);
  long double complex dz = 2 + 3 * I, dw = (2 * z * (z + 2) - z * z) / ((z + 2) * (z + 2)) * dz;
  check("complex, real part", creall(w), creall(dw));
  check("complex, imaginary part", cimagl(w), cimagl(dw));
  check("complex, narrowed", real_part(w), creall(dw));
  double number = (double)x;
  check("by MMX", by_mmx(&number), 2);
  factor = x;
  signal(SIGUSR1, handle);
  check("interrupted", interrupted(x, y), 2 * y + 3 * x - 2);
  check("in a handler", in_handler, 4 * x * x * x * 2);
  char text[64];
  snprintf(text, sizeof text, "%La", (long double)passive(x));
  check("by text", strtold(text, NULL) * x, passive(x) * 2);
  return 0;
}
