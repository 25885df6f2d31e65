/* A library by which Python gives arrays dot values and reads them, or declares and checks them. */
#include "check.h"

void set_dots(void* numbers, void* dots, long bytes)
{
  DG_SET_DOTVALUE(numbers, dots, bytes);
}

void get_dots(void* numbers, void* dots, long bytes)
{
  DG_GET_DOTVALUE(numbers, dots, bytes);
}

/* Inputs. */
void activate_array(double* numbers, double* dots, long count)
{
  for (long k = 0; k < count; k++)
    ACTIVATE(numbers[k], dots[k]);
}

/* Outputs. */
void check_array(const char* name, const double* numbers, const double* expected, long count)
{
  for (long k = 0; k < count; k++)
    check(name, numbers[k], expected[k]);
  fflush(stdout);
}
