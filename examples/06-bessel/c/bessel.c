/* The derivative of a function in a library that nobody compiled for this purpose.
 *
 * gsl_sf_bessel_J0 of the GNU Scientific Library is, for |x| < 4, a Chebyshev series. Its derivative is known:
 * J0'(x) = -J1(x). So each line that is printed can be checked: x, J0(x), the derivative from Derivgrind, and -J1(x).
 */
#include <derivgrind.h>
#include <gsl/gsl_sf_bessel.h>
#include <stdio.h>

int main(void)
{
  for (int i = 0; i < 8; i++) {
    double x = -3.75 + i * 1.0625;
    const double passive_x = x;
    double dot = 1.0;
    DG_SET_DOTVALUE(&x, &dot, sizeof(dot));

    const double value = gsl_sf_bessel_J0(x);

    dot = 0.0;
    DG_GET_DOTVALUE(&value, &dot, sizeof(dot));
    printf("%.17g %.17g %.17g %.17g\n", passive_x, value, dot, -gsl_sf_bessel_J1(passive_x));
  }
  return 0;
}
