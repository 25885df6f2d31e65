/* What guests of the derivative tests share: inputs, and lines that the test reads.
 *
 * A line is `NAME VALUE DOT EXPECTED`. The test compares VALUE and EXPECTED with the native run bit by bit, and DOT with
 * EXPECTED up to rounding. */
#ifndef CHECK_H
#define CHECK_H

#include <derivgrind.h>
#include <stdio.h>

#ifndef REAL
#define REAL double
#endif

#define APART __attribute__((noinline))

/* An input: the compiler knows neither its value nor, of course, its dot value. */
static APART __attribute__((unused)) REAL input(REAL value, REAL dot)
{
  REAL x = value;
  DG_SET_DOTVALUE(&x, &dot, sizeof x);
  return x;
}

static APART __attribute__((unused)) REAL dot_of(REAL y)
{
  REAL dot = 0;
  DG_GET_DOTVALUE(&y, &dot, sizeof y);
  return dot;
}

/* The number without its dot value: text has none, which would be reported. */
static APART __attribute__((unused)) double passive(REAL y)
{
  double copy = y, dot = 0;
  DG_SET_DOTVALUE(&copy, &dot, sizeof copy);
  return copy;
}

static APART __attribute__((unused)) void check(const char* name, REAL y, REAL expected)
{
  printf("%s %a %a %a\n", name, passive(y), passive(dot_of(y)), passive(expected));
}

#endif
