/* A library whose versions have different code of the same length. The power is of zero, where the instructions of powf
   do not show its derivative, and which of several versions of powf runs is chosen when the library is loaded. */
#include <math.h>

static volatile float one = 1.0f;

double function(double x) {
  double sum = x + powf((float)x - 0.5f, one);
#if VERSION == 1
  return sqrt(x) + sum;
#else
  return sqrt(x) - sum;
#endif
}
