/* The requests for guests in Fortran. */
#include "check.h"

void set_dot(double* x, double dot)
{
  ACTIVATE(*x, dot);
}

void check_named(const char* name, double y, double expected)
{
  check(name, y, expected);
}
