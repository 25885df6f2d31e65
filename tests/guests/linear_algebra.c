/* Linear systems and eigenvalues by LAPACK, which no compiler of ours has seen.
 *
 * A x = b has x' = -A^-1 A' x, and an eigenvalue of a symmetric matrix has v^T A' v, with its normalised eigenvector v. */
#include "check.h"
#include <lapacke.h>
#include <math.h>

enum { SIZE = 12 };

static double entry(int row, int column)
{
  return row == column ? 10 + row : 1.0 / (1 + row + column);
}

int main(void)
{
  double matrix[SIZE * SIZE], copy[SIZE * SIZE], dots[SIZE * SIZE], right[SIZE], values[SIZE], rates[SIZE];
  int pivots[SIZE];
  for (int k = 0; k < SIZE * SIZE; k++) {
    copy[k] = entry(k / SIZE, k % SIZE);
    dots[k] = 1.0 / (1 + k % 7 + k / SIZE);
    matrix[k] = input(copy[k], dots[k]);
  }
  for (int k = 0; k < SIZE; k++)
    right[k] = k + 1;
  if (LAPACKE_dgesv(LAPACK_ROW_MAJOR, SIZE, 1, matrix, SIZE, pivots, right, 1))
    return 1;
  for (int row = 0; row < SIZE; row++) {
    rates[row] = 0;
    for (int column = 0; column < SIZE; column++)
      rates[row] -= dots[row * SIZE + column] * passive(right[column]);
  }
  /* The same routine on numbers without shadows. */
  if (LAPACKE_dgesv(LAPACK_ROW_MAJOR, SIZE, 1, copy, SIZE, pivots, rates, 1))
    return 1;
  for (int k = 0; k < SIZE; k++)
    check("solution of a linear system", right[k], rates[k]);

  for (int k = 0; k < SIZE * SIZE; k++) {
    int row = k / SIZE, column = k % SIZE;
    /* Symmetric, and its derivative, too. */
    double dot = 1.0 / (1 + row + column);
    matrix[k] = input(entry(row, column), dot);
    dots[k] = dot;
  }
  if (LAPACKE_dsyev(LAPACK_ROW_MAJOR, 'V', 'U', SIZE, matrix, SIZE, values))
    return 1;
  for (int k = 0; k < SIZE; k++) {
    double rate = 0;
    for (int row = 0; row < SIZE; row++)
      for (int column = 0; column < SIZE; column++)
        rate += dots[row * SIZE + column] * passive(matrix[row * SIZE + k]) * passive(matrix[column * SIZE + k]);
    check("eigenvalue", values[k], rate);
  }
  return 0;
}
