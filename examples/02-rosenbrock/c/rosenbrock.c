/* The gradient of the Rosenbrock function: in forward mode a run of the function for each input, in recording mode all
 * at once. */
#include <derivgrind.h>
#include <stdio.h>

enum { SIZE = 4 };

static double rosenbrock(const double* x)
{
  double sum = 0.0;
  for (int i = 0; i + 1 < SIZE; i++) {
    const double valley = x[i + 1] - x[i] * x[i];
    const double distance = 1.0 - x[i];
    sum += 100.0 * valley * valley + distance * distance;
  }
  return sum;
}

int main(void)
{
  double x[SIZE] = {-1.2, 1.0, 0.5, 2.0};

  for (int i = 0; i < SIZE; i++) {
    DG_INPUTF(x[i]);
  }
  double y = rosenbrock(x);
  DG_OUTPUTF(y);
  printf("value %.17g\n", y);

  if (DG_GET_MODE == DERIVGRIND_MODE_FORWARD) {
    printf("derivative");
    for (int i = 0; i < SIZE; i++) {
      double direction[SIZE] = {0.0};
      direction[i] = 1.0;
      DG_SET_DOTVALUE(x, direction, sizeof x);
      y = rosenbrock(x);
      double dot = 0.0;
      DG_GET_DOTVALUE(&y, &dot, sizeof y);
      printf(" %.17g", dot);
    }
    printf("\n");
  }
  return 0;
}
