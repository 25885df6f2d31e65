/* The requests for guests in Fortran. */
#include "check.h"

void set_dot(double* x, double dot)
{
  DG_SET_DOTVALUE(x, &dot, sizeof dot);
}

void check_named(const char* name, double y, double expected)
{
  check(name, y, expected);
}
