/* A library whose inside nobody knows: its functions lose derivatives, since their numbers are integers for a moment. */
#include <math.h>

static double lost(double x)
{
  return (double)(long long)(x * 0x1p40) / 0x1p40;
}

double closed_product(double x, double y)
{
  return lost(x) * lost(y);
}

float closed_wave(float x)
{
  return (float)sin(3 * lost(x));
}

long double closed_root(int n, long double x)
{
  return powl(lost((double)x), 1.0L / n);
}

double closed_blend(double x, double y, double z, double w)
{
  return lost(x) + 2 * lost(y) - lost(z) / 4 + 8 * lost(w);
}

/* What comes out has nothing to do with the arguments, as far as the user is concerned. */
double closed_seed(double x, double y)
{
  return x * 0 + y * 0 + 0.5;
}

/* An ordinary function, which rules for instructions differentiate. */
double closed_square(double x)
{
  return x * x;
}
