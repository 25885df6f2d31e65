/* A product of matrices, one of which depends on the input in all, the other in some places. */
#include "check.h"

#define N 13

static REAL a[N][N], b[N][N], c[N][N], da[N][N], db[N][N];

static APART void multiply(void)
{
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++)
      c[i][j] = 0;
  for (int i = 0; i < N; i++)
    for (int k = 0; k < N; k++)
      for (int j = 0; j < N; j++)
        c[i][j] += a[i][k] * b[k][j];
}

static APART void transpose(void)
{
  for (int i = 0; i < N; i++)
    for (int j = 0; j < i; j++) {
      REAL swapped = c[i][j];
      c[i][j] = c[j][i];
      c[j][i] = swapped;
    }
}

int main(void)
{
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      da[i][j] = (i * j) % 4 + 1;
      db[i][j] = i == j ? 2 : 0;
      a[i][j] = input(1 + (i + 2 * j) % 5, da[i][j]);
      b[i][j] = (3 * i + j) % 7 + 1;
      if (i == j)
        b[i][j] = input(b[i][j], 2);
    }
  multiply();
  transpose();
  for (int i = 0; i < N; i++)
    for (int j = 0; j < N; j++) {
      REAL expected = 0;
      for (int k = 0; k < N; k++)
        expected += da[i][k] * b[k][j] + a[i][k] * db[k][j];
      if ((i + j) % 5 == 0)
        check("product", c[j][i], expected);
    }
  return 0;
}
