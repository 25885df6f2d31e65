/* A library by which Python sets and gets the dot values of arrays. */
#include <derivgrind.h>

void set_dots(double* x, const double* dots, long count)
{
  for (long i = 0; i < count; i++)
    DG_SET_DOTVALUE(&x[i], &dots[i], sizeof *x);
}

void get_dots(const double* x, double* dots, long count)
{
  for (long i = 0; i < count; i++)
    DG_GET_DOTVALUE(&x[i], &dots[i], sizeof *x);
}
