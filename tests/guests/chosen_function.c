/* A library whose versions have different code of the same length. */
#include <math.h>

double function(double x) {
#if VERSION == 1
  return sin(x) + x;
#else
  return sin(x) - x;
#endif
}
