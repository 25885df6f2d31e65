/* What guests of the derivative tests share: inputs, and lines that the test reads.
 *
 * A line is `NAME VALUE DOT EXPECTED`. The test compares VALUE and EXPECTED with the native run bit by bit, and DOT with
 * EXPECTED up to rounding. A program that is recorded has no dot values. It declares inputs and outputs and prints
 * `input# INDEX DOT` and `output# INDEX EXPECTED` as well, for the test to evaluate the tape. */
#ifndef CHECK_H
#define CHECK_H

#include <derivgrind.h>
#include <stdio.h>

#ifndef REAL
#define REAL double
#endif

#define APART __attribute__((noinline))

/* The number without its shadow: text has none, which would be reported. */
static APART __attribute__((unused)) double passive(REAL y)
{
  double copy = y, dot = 0;
  const derivgrind_index none = 0;
  DG_SET_DOTVALUE(&copy, &dot, sizeof copy);
  DG_SET_INDEX(&copy, &none);
  return copy;
}

static APART __attribute__((unused)) void print_index(const char* kind, derivgrind_index index, REAL number)
{
  printf("%s# %llu %a\n", kind, (unsigned long long)index, passive(number));
}

/* Makes a variable an input with a dot value, which is a variable of the same type. */
#define ACTIVATE(x, dot)                                                                                               \
  (DG_GET_MODE == DERIVGRIND_MODE_RECORDING ? print_index("input", DG_INPUTF(x), (dot))                                \
                                            : (void)DG_SET_DOTVALUE(&(x), &(dot), sizeof(x)))

/* An input: the compiler knows neither its value nor, of course, its dot value. */
static APART __attribute__((unused)) REAL input(REAL value, REAL dot)
{
  REAL x = value;
  ACTIVATE(x, dot);
  return x;
}

static APART __attribute__((unused)) REAL dot_of(REAL y)
{
  REAL dot = 0;
  DG_GET_DOTVALUE(&y, &dot, sizeof y);
  return dot;
}

static APART __attribute__((unused)) void check(const char* name, REAL y, REAL expected)
{
  if (DG_GET_MODE == DERIVGRIND_MODE_RECORDING) {
    /* A passive output is none, which would be reported. */
    derivgrind_index index = DG_OUTPUT(y);
    if (index)
      DG_INDEX_TO_FILE(DG_INDEXFILE_OUTPUT, &index);
    print_index("output", index, expected);
  }
  printf("%s %a %a %a\n", name, passive(y), passive(dot_of(y)), passive(expected));
}

#endif
