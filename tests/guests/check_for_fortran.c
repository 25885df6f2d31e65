/* The requests for guests in Fortran. */
#include "check.h"

void set_dot(REAL* x, REAL dot)
{
  ACTIVATE(*x, dot);
}

void check_named(const char* name, REAL y, REAL expected)
{
  check(name, y, expected);
}

REAL passive_number(REAL y)
{
  return passive(y);
}
