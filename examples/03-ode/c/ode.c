/* Sensitivities of an initial value problem: how many hares there are at the end, with respect to the four parameters of
 * the Lotka-Volterra equations
 *
 *     hares'  = birth * hares - predation * hares * lynxes
 *     lynxes' = growth * hares * lynxes - death * lynxes
 *
 * which the classical Runge-Kutta method integrates. */
#include <derivgrind.h>
#include <stdio.h>

enum { BIRTH, PREDATION, GROWTH, DEATH, PARAMETERS };

static void slope(const double* p, const double* state, double* result)
{
  const double meetings = state[0] * state[1];
  result[0] = p[BIRTH] * state[0] - p[PREDATION] * meetings;
  result[1] = p[GROWTH] * meetings - p[DEATH] * state[1];
}

static double hares_at_the_end(const double* p)
{
  const int steps = 200;
  const double h = 5.0 / steps;
  double state[2] = {10.0, 5.0};
  for (int step = 0; step < steps; step++) {
    double k1[2], k2[2], k3[2], k4[2], between[2];
    slope(p, state, k1);
    for (int i = 0; i < 2; i++) {
      between[i] = state[i] + 0.5 * h * k1[i];
    }
    slope(p, between, k2);
    for (int i = 0; i < 2; i++) {
      between[i] = state[i] + 0.5 * h * k2[i];
    }
    slope(p, between, k3);
    for (int i = 0; i < 2; i++) {
      between[i] = state[i] + h * k3[i];
    }
    slope(p, between, k4);
    for (int i = 0; i < 2; i++) {
      state[i] += h / 6.0 * (k1[i] + 2.0 * k2[i] + 2.0 * k3[i] + k4[i]);
    }
  }
  return state[0];
}

int main(void)
{
  double p[PARAMETERS] = {1.1, 0.4, 0.1, 0.4};

  for (int i = 0; i < PARAMETERS; i++) {
    DG_INPUTF(p[i]);
  }
  double hares = hares_at_the_end(p);
  DG_OUTPUTF(hares);
  printf("value %.17g\n", hares);

  if (DG_GET_MODE == DERIVGRIND_MODE_FORWARD) {
    printf("derivative");
    for (int i = 0; i < PARAMETERS; i++) {
      double direction[PARAMETERS] = {0.0};
      direction[i] = 1.0;
      DG_SET_DOTVALUE(p, direction, sizeof p);
      hares = hares_at_the_end(p);
      double dot = 0.0;
      DG_GET_DOTVALUE(&hares, &dot, sizeof hares);
      printf(" %.17g", dot);
    }
    printf("\n");
  }
  return 0;
}
