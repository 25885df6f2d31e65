/* Fourier transforms by FFTW, which is linear: the derivative of the transform is the transform of the derivative. */
#include "check.h"
#include <fftw3.h>
#include <math.h>

enum { SIZE = 48 };

int main(void)
{
  double* in = fftw_malloc(SIZE * sizeof(double));
  fftw_complex* out = fftw_malloc((SIZE / 2 + 1) * sizeof(fftw_complex));
  fftw_plan plan = fftw_plan_dft_r2c_1d(SIZE, in, out, FFTW_ESTIMATE);
  double dots[SIZE];
  for (int k = 0; k < SIZE; k++) {
    dots[k] = 1.0 / (k + 1);
    in[k] = input(sin(0.1 * k), dots[k]);
  }
  fftw_execute(plan);
  for (int k = 1; k < SIZE / 2; k++) {
    long double real = 0, imaginary = 0;
    for (int j = 0; j < SIZE; j++) {
      long double angle = 2 * acosl(-1) * (j * k % SIZE) / SIZE;
      real += dots[j] * cosl(angle);
      imaginary -= dots[j] * sinl(angle);
    }
    check("real part", out[k][0], (double)real);
    check("imaginary part", out[k][1], (double)imaginary);
  }
  fftw_destroy_plan(plan);
  fftw_free(in);
  fftw_free(out);
  return 0;
}
