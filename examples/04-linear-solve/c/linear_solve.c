/* Derivatives through a linear solver with pivoting: the sum of the solution x of (A + shift) x = b, with respect to the
 * shift of the diagonal and to b. */
#include <derivgrind.h>
#include <math.h>
#include <stdio.h>

enum { SIZE = 3 };

static void swap(double* a, double* b)
{
  const double old = *a;
  *a = *b;
  *b = old;
}

/* input: the shift, then b. */
static double sum_of_solution(const double* input)
{
  double a[SIZE][SIZE] = {{0.5, 2.0, 1.0}, {3.0, 1.0, -1.0}, {1.0, -4.0, 2.0}};
  double b[SIZE];
  for (int row = 0; row < SIZE; row++) {
    a[row][row] += input[0];
    b[row] = input[1 + row];
  }
  for (int column = 0; column < SIZE; column++) {
    int pivot = column;
    for (int row = column + 1; row < SIZE; row++) {
      if (fabs(a[row][column]) > fabs(a[pivot][column])) {
        pivot = row;
      }
    }
    for (int k = 0; k < SIZE; k++) {
      swap(&a[column][k], &a[pivot][k]);
    }
    swap(&b[column], &b[pivot]);
    for (int row = column + 1; row < SIZE; row++) {
      const double factor = a[row][column] / a[column][column];
      for (int k = column; k < SIZE; k++) {
        a[row][k] -= factor * a[column][k];
      }
      b[row] -= factor * b[column];
    }
  }
  double sum = 0.0;
  for (int row = SIZE - 1; row >= 0; row--) {
    for (int k = row + 1; k < SIZE; k++) {
      b[row] -= a[row][k] * b[k];
    }
    b[row] /= a[row][row];
    sum += b[row];
  }
  return sum;
}

int main(void)
{
  double input[1 + SIZE] = {0.25, 1.0, 2.0, 3.0};

  for (int i = 0; i < 1 + SIZE; i++) {
    DG_INPUTF(input[i]);
  }
  double sum = sum_of_solution(input);
  DG_OUTPUTF(sum);
  printf("value %.17g\n", sum);

  if (DG_GET_MODE == DERIVGRIND_MODE_FORWARD) {
    printf("derivative");
    for (int i = 0; i < 1 + SIZE; i++) {
      double direction[1 + SIZE] = {0.0};
      direction[i] = 1.0;
      DG_SET_DOTVALUE(input, direction, sizeof input);
      sum = sum_of_solution(input);
      double dot = 0.0;
      DG_GET_DOTVALUE(&sum, &dot, sizeof sum);
      printf(" %.17g", dot);
    }
    printf("\n");
  }
  return 0;
}
