/* Functions that add or subtract whatever they get, as classes of vectors and interpreters have them. They have been
 * called with ordinary numbers for a while when they get a constant by which a number is rounded. */
#include "check.h"

#ifndef __clang__
#pragma GCC diagnostic ignored "-Wpsabi"
#endif

/* 1.5 times two to the power of the number of digits, less one: 23, 52, 63. */
#if defined REAL_IS_EXTENDED
#define ROUNDING 13835058055282163712.0L
#elif defined REAL_IS_FLOAT && __FLT_EVAL_METHOD__ == 0
#define ROUNDING 12582912
#else
#define ROUNDING 6755399441055744
#endif
#define LANES (int)(sizeof(vector) / sizeof(REAL))
#define TIMES 50

#ifdef REAL_IS_EXTENDED
typedef REAL vector __attribute__((vector_size(32)));
#else
typedef REAL vector __attribute__((vector_size(16)));
#endif

static APART REAL plus(REAL x, REAL y)
{
  return x + y;
}

static APART REAL minus(REAL x, REAL y)
{
  return x - y;
}

static APART vector plus_lanes(vector x, vector y)
{
  return x + y;
}

static APART vector minus_lanes(vector x, vector y)
{
  return x - y;
}

static APART void plus_in_memory(REAL* z, const REAL* x, const REAL* y)
{
  *z = *x + *y;
}

static APART void minus_in_memory(REAL* z, const REAL* x, const REAL* y)
{
  *z = *x - *y;
}

/* Instructions with two kinds of operands, one after the other: each is a number and an address of the next. */
enum { ADD, SUBTRACT, MULTIPLY, END };

static APART REAL interpret(const int* code, REAL x, const REAL* operands)
{
  for (;; code++, operands++)
    switch (*code) {
    case ADD:
      plus_in_memory(&x, &x, operands);
      break;
    case SUBTRACT:
      minus_in_memory(&x, &x, operands);
      break;
    case MULTIPLY:
      x *= *operands;
      break;
    default:
      return x;
    }
}

static volatile REAL number = 0.75, rounding = ROUNDING;

int main(void)
{
  REAL x = input(2.25, 1), sum = 0, z, constant = rounding, zero = 0, one = 1;
  vector xs = {x, 3 * x}, ones = {1, 1}, constants = {0}, rounded, rest;
  for (int k = 0; k < LANES; k++)
    constants[k] = constant;
  for (int k = 0; k < TIMES; k++) {
    vector lanes = minus_lanes(plus_lanes(xs, ones), ones);
    sum += plus(x, k) + minus(x, number) + plus(x, x) + lanes[0] - lanes[1];
    plus_in_memory(&z, &x, &one);
    minus_in_memory(&z, &z, &x);
    sum += z;
  }
  check("ordinary", sum, TIMES * 2);

  check("rounded", minus(plus(x, constant), constant), zero);
  check("rest", minus(x, minus(plus(x, constant), constant)), one);
  rounded = minus_lanes(plus_lanes(xs, constants), constants);
  rest = minus_lanes(xs, rounded);
  check("rounded lane", rounded[1], zero);
  check("rest of lane 0", rest[0], one);
  check("rest of lane 1", rest[1], 3);
  /* A lane that is no constant. */
  constants[0] = 2;
  rounded = minus_lanes(plus_lanes(xs, constants), constants);
  check("other lane", rounded[0], one);
  check("lane beside it", rounded[1], zero);

  const int code[] = {MULTIPLY, ADD, SUBTRACT, END};
  const REAL ordinary[] = {4, 1, 2}, large[] = {4, constant, constant};
  for (int k = 0; k < TIMES; k++)
    sum = interpret(code, x, ordinary);
  check("interpreted", sum, 4);
  check("interpreted and rounded", interpret(code, x, large), zero);

  /* An active number that is as large is none. */
  REAL big = input(ROUNDING, 1);
  check("active", minus(plus(number, big), 1), one);
  check("both active", minus(plus(big, x), x), one);
  return 0;
}
