/* memcpy, memmove and memset of every size, with and without alignment: the C library has code for each range. */
#include "check.h"
#include <stdlib.h>
#include <string.h>

#define MOST 300000

static REAL *from, *to;
static REAL* dots;

/* A copied number has the index that is its dot value elsewhere. */
static long wrong_indices(const REAL* place, const REAL* expected, long count)
{
  long number = 0;
  for (long i = 0; i < count; i++) {
    derivgrind_index index = 0;
    DG_GET_INDEX(&place[i], &index);
    number += index != (derivgrind_index)expected[i];
  }
  return number;
}

/* How many of the first numbers at `place` have another dot value than `expected`. */
static long wrong(const void* place, const REAL* expected, long count)
{
  static REAL found[MOST];
  long number = 0;
  if (DG_GET_MODE == 'b')
    return wrong_indices((const REAL*)place, expected, count);
  DG_GET_DOTVALUE(place, found, count * sizeof *found);
  for (long i = 0; i < count; i++)
    number += found[i] != expected[i];
  return number;
}

static long copies(long count, int shift)
{
  static const REAL zeros[MOST];
  size_t size = count * sizeof *from;
  char *place = (char*)to + shift, *target = place + 24;
  long number = 0;
  memcpy(place, from, size);
  number += wrong(place, dots, count);
  memmove(target, place, size);
  number += wrong(target, dots, count);
  memmove(place, target, size);
  number += wrong(place, dots, count);
  memset(place, 0, size);
  return number + wrong(place, zeros, count);
}

int main(void)
{
  from = (REAL*)malloc(MOST * sizeof *from);
  to = (REAL*)malloc((MOST + 100) * sizeof *to);
  dots = (REAL*)malloc(MOST * sizeof *dots);
  for (int i = 0; i < MOST; i++) {
    from[i] = i * (REAL)0.5;
    dots[i] = 1 + i % 1000;
  }
  DG_SET_DOTVALUE(from, dots, MOST * sizeof *from);
  /* Indices are read one by one. */
  long number = 0, most = DG_GET_MODE == 'b' ? 20000 : MOST;
  for (long i = 0; DG_GET_MODE == 'b' && i < most; i++) {
    derivgrind_index index = 1 + i % 1000;
    DG_SET_INDEX(&from[i], &index);
  }
  if (DG_GET_MODE) {
    for (long count = 1; count < 300; count++)
      number += copies(count, count * 5 % 64);
    for (long count = 300; count <= most; count = count * 5 / 2)
      number += copies(count, 0) + copies(count, 13);
  }
  check("wrong", (REAL)number, 0);
  return 0;
}
