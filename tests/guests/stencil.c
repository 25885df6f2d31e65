/* Explicit steps of the heat equation with an active coefficient, against hand-written dot values. */
#include "check.h"

#define N 45
#define STEPS 20

static REAL u[N], next[N], du[N], dnext[N];

static APART void step(REAL k)
{
  for (int i = 1; i < N - 1; i++)
    next[i] = u[i] + k * (u[i - 1] - 2 * u[i] + u[i + 1]);
  for (int i = 1; i < N - 1; i++)
    u[i] = next[i];
}

static APART void step_by_hand(REAL k, REAL dk, const REAL* values)
{
  for (int i = 1; i < N - 1; i++) {
    REAL second = values[i - 1] - 2 * values[i] + values[i + 1];
    dnext[i] = du[i] + k * (du[i - 1] - 2 * du[i] + du[i + 1]) + dk * second;
  }
  for (int i = 1; i < N - 1; i++)
    du[i] = dnext[i];
}

int main(void)
{
  REAL k = input(0.2, 1);
  for (int i = 0; i < N; i++) {
    du[i] = i == N / 2 ? 3 : 0;
    u[i] = input(i % 6 + (REAL)0.5, du[i]);
  }
  for (int i = 0; i < STEPS; i++) {
    static REAL before[N];
    for (int j = 0; j < N; j++)
      before[j] = u[j];
    step(k);
    step_by_hand(k, 1, before);
  }
  for (int i = 0; i < N; i += 2)
    check("u", u[i], du[i]);
  return 0;
}
