/* Two-dimensional Burgers' equation, differentiated with respect to the amplitude of the initial velocity.
 *
 *     burgers SIZE STEPS AMPLITUDE
 *
 * The velocity (u, v) on the unit square obeys
 *
 *     du/dt + u du/dx + v du/dy = nu(u, v) (d2u/dx2 + d2u/dy2)      and the same for v,
 *
 * with zero velocity on the boundary and a viscosity that grows with the speed, nu = nu0 (1 + sqrt(u^2 + v^2)). Both
 * velocities are never negative, so that upwind differences are backward differences. The result is the mean speed at
 * the end. What makes this an example of differentiation is three lines, marked with (1), (2) and (3).
 */
#include <derivgrind.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

/* A field with SIZE x SIZE values, row by row. */
static double* new_field(int size)
{
  double* field = calloc((size_t)size * (size_t)size, sizeof(double));
  if (field == NULL) {
    fprintf(stderr, "burgers: no memory for a field of %d x %d values\n", size, size);
    exit(1);
  }
  return field;
}

/* One explicit step in time for both velocities. */
static void advance(int size, double time_step, const double* restrict u, const double* restrict v,
                    double* restrict new_u, double* restrict new_v)
{
  const double viscosity = 5e-4;
  const double width = 1.0 / (size - 1);
  for (int row = 1; row < size - 1; row++) {
    for (int column = 1; column < size - 1; column++) {
      const int here = row * size + column;
      const double u_here = u[here];
      const double v_here = v[here];
      const double speed = sqrt(u_here * u_here + v_here * v_here);
      const double local = viscosity * (1.0 + speed);

      /* Velocities are not negative: upwind is west and south. */
      const double u_west = (u_here - u[here - 1]) / width;
      const double u_south = (u_here - u[here - size]) / width;
      const double v_west = (v_here - v[here - 1]) / width;
      const double v_south = (v_here - v[here - size]) / width;
      const double u_sum = u[here - 1] + u[here + 1] + u[here - size] + u[here + size];
      const double u_spread = (u_sum - 4.0 * u_here) / (width * width);
      const double v_sum = v[here - 1] + v[here + 1] + v[here - size] + v[here + size];
      const double v_spread = (v_sum - 4.0 * v_here) / (width * width);

      new_u[here] = u_here + time_step * (local * u_spread - u_here * u_west - v_here * u_south);
      new_v[here] = v_here + time_step * (local * v_spread - u_here * v_west - v_here * v_south);
    }
  }
}

int main(int argc, char** argv)
{
  if (argc != 4) {
    fprintf(stderr, "usage: burgers SIZE STEPS AMPLITUDE\n");
    return 2;
  }
  const int size = atoi(argv[1]);
  const int steps = atoi(argv[2]);
  double amplitude = atof(argv[3]);
  if (size < 3 || size > 20000 || steps < 0 || amplitude < 0.0 || amplitude > 2.0) {
    fprintf(stderr, "burgers: SIZE must be 3 to 20000, STEPS not negative, AMPLITUDE 0 to 2\n");
    return 2;
  }

  /* (1) The amplitude is the input: its derivative with respect to itself is 1. */
  double dot = 1.0;
  DG_SET_DOTVALUE(&amplitude, &dot, sizeof(dot));
  /* The same for a recording: the amplitude gets an index on the tape. */
  DG_INPUTF(amplitude);

  double* u = new_field(size);
  double* v = new_field(size);
  double* new_u = new_field(size);
  double* new_v = new_field(size);
  for (int row = 0; row < size; row++) {
    for (int column = 0; column < size; column++) {
      const double x = column / (size - 1.0);
      const double y = row / (size - 1.0);
      const double bump = 16.0 * x * (1.0 - x) * y * (1.0 - y);
      u[row * size + column] = amplitude * bump;
      v[row * size + column] = amplitude * bump * x;
    }
  }

  const double time_step = 0.2 / (size - 1);
  for (int step = 0; step < steps; step++) {
    advance(size, time_step, u, v, new_u, new_v);
    double* swap = u;
    u = new_u;
    new_u = swap;
    swap = v;
    v = new_v;
    new_v = swap;
  }

  double sum = 0.0;
  for (int cell = 0; cell < size * size; cell++) {
    sum += sqrt(u[cell] * u[cell] + v[cell] * v[cell]);
  }
  double mean_speed = sum / ((double)size * size);
  printf("value %.17g\n", mean_speed);

  /* (2) Natively there is no derivative to be printed. */
  if (DG_GET_MODE == 'd') {
    /* (3) The derivative of the result. */
    DG_GET_DOTVALUE(&mean_speed, &dot, sizeof(dot));
    printf("derivative %.17g\n", dot);
  }
  /* In a recording, tape-evaluation computes it: this is the output. */
  DG_OUTPUTF(mean_speed);
  return 0;
}
