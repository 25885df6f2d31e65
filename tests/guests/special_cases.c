/* Where recording is unlike forward mode: signs changed by logic, values of two sizes, operations without an effect,
 * partial derivatives that are infinite, long blocks, loops longer than a chunk of the tape, and pauses. */
#include "check.h"
#include <complex.h>
#include <math.h>
#include <string.h>

#define COUNT 33

struct mixed { char tag; float single; double wide; float pair[2]; };

static APART float squared(float x) { return x * x; }

#ifdef __FMA__
static APART REAL fused(REAL a, REAL b, REAL c) { return __builtin_fma(a, b, c); }
#else
static APART REAL fused(REAL a, REAL b, REAL c) { return a * b + c; }
#endif

static APART REAL in_dead_branch(REAL x, REAL divisor)
{
  REAL quotient = x / divisor, root = sqrt(divisor);
  return divisor > 0 ? quotient + root : x;
}

static APART double complex conjugate_product(double complex z) { return conj(z) * z * conj(z); }

static APART float complex conjugate_of_single(float complex z) { return conjf(z) * 2; }

/* 500 statements in one block. */
static APART REAL long_block(REAL x, REAL y)
{
  REAL z = x;
#define STEP z = z * y + x; y = y - z * (REAL)0.001;
#define TEN STEP STEP STEP STEP STEP STEP STEP STEP STEP STEP
  TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN TEN
  return z;
}

/* The same with dot values, in passive numbers. */
static APART REAL long_block_dot(double x, double y, double dx, double dy)
{
  double z = x, dz = dx;
  for (int i = 0; i < 250; i++) {
    dz = dz * y + z * dy + dx;
    z = z * y + x;
    dy = dy - dz * 0.001;
    y = y - z * 0.001;
  }
  return dz;
}

static APART double long_loop(double x, long count)
{
  double y = 0;
  for (long i = 0; i < count; i++)
    y = y * 0.5 + x * x;
  return y;
}

static APART REAL recursive(int depth, REAL x)
{
  if (depth == 0)
    return x;
  REAL before = x * 2;
  REAL inner = recursive(depth - 1, x + 1);
  return inner - before;
}

int main(void)
{
  REAL x = input(1.5, 2), y = input(-0.75, 3), zero = input(0, 5);
  REAL constant = 4;
  check("difference of itself", x - x, 0);
  check("product with itself", x * x, 2 * x * 2);
  check("quotient of itself", x / x, 0);
  check("fused, first", fused(x, constant, constant), 8);
  check("fused, second", fused(constant, y, constant), 12);
  check("fused, summand", fused(constant, constant, x), 2);
  check("fused, all", fused(x, y, x), 2 * y + 3 * x + 2);
  check("fused, factors", fused(x, y, constant), 2 * y + 3 * x);
  check("fused, negated", fused(-x, y, -x), -(2 * y + 3 * x) - 2);
  check("active zero divides in a dead branch", in_dead_branch(x, zero), 2);
  check("root of an active zero, times zero", zero < 1 ? x : sqrt(zero), 2);
  check("root of a passive zero", x + sqrt(passive(zero)), 2);
  check("times zero", x * zero, 5 * x);
  check("long block", long_block(x, (REAL)(y * (REAL)0.1)),
        long_block_dot(passive(x), passive((REAL)(y * (REAL)0.1)), 2, (REAL)(3 * (REAL)0.1)));
  check("recursion", recursive(40, x), -39 * 2 - 40 * 2);
  double wide = x;
  check("long loop", (REAL)long_loop(wide, 700000), (REAL)(2 * passive(x) * 2 * 2));
  float single = (float)x;
  check("binary32 among binary64", (REAL)(squared(single) * (double)x), 3 * x * x * 2);
  check("sum of both", (REAL)((double)single + (float)y), 5);
  double complex z = (double)x + (double)y * I, product = conjugate_product(z);
  /* |z|^2 conj(z) */
  REAL square = x * x + y * y, square_dot = 2 * (2 * x + 3 * y);
  check("conjugate, real", (REAL)creal(product), 2 * square + x * square_dot);
  check("conjugate, imaginary", (REAL)cimag(product), -3 * square - y * square_dot);
  float complex small = conjugate_of_single((float)x + (float)y * I);
  check("conjugate of binary32, real", crealf(small), 4);
  check("conjugate of binary32, imaginary", cimagf(small), -6);
  struct mixed one, other, many[5];
  /* No old shadows in the padding. */
  memset(&one, 0, sizeof one);
  one.tag = 'a';
  one.single = (float)x;
  one.wide = (double)y;
  one.pair[0] = (float)(x * 2);
  one.pair[1] = (float)(y * 3);
  memcpy(&other, &one, sizeof one);
  for (int i = 0; i < 5; i++)
    many[i] = other;
  memmove(&many[1], &many[0], 3 * sizeof one);
  check("structure, binary32", many[3].single, 2);
  check("structure, binary64", (REAL)many[2].wide, 3);
  check("structure, array", many[1].pair[1] - many[4].pair[0], 9 - 4);
  REAL all[COUNT], signs[COUNT];
  for (int i = 0; i < COUNT; i++)
    all[i] = (i % 2 ? x : y) * (i - 16);
  for (int i = 0; i < COUNT; i++)
    signs[i] = fabs(all[i]) - fmax(-all[i], all[(i + 1) % COUNT]);
  for (int i = 0; i < COUNT - 1; i += 5) {
    REAL dot = (i % 2 ? 2 : 3) * (i - 16), next = (i % 2 ? 3 : 2) * (i - 15);
    check("signs", signs[i], (all[i] < 0 ? -dot : dot) - (-all[i] > all[i + 1] ? -dot : next));
  }
  REAL sign = copysign(x, -y) + copysign(y, x) - copysign(constant, x);
  check("copied signs", sign, 2 - 3);
  derivgrind_index of_product = 0, of_copy = 0, of_input = 0;
  DG_DISABLE(1, 0);
  REAL paused = x * y, copied = *(volatile REAL*)&x;
  DG_GET_INDEX(&paused, &of_product);
  DG_GET_INDEX(&copied, &of_copy);
  DG_GET_INDEX(&x, &of_input);
  DG_DISABLE(0, 1);
  check("index of a paused product", (REAL)of_product, 0);
  check("paused copies have another index", (REAL)(of_copy != of_input), 0);
  check("copied while paused", copied * 3, 6);
  return 0;
}
