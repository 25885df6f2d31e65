/* Threads that add to shared numbers: in critical sections, atomically, by reduction. The result does not depend on the
 * order but for rounding: all terms are multiples of 2^-20. */
#include <derivgrind.h>
#include <omp.h>
#include <stdlib.h>

#define COUNT 64

int main(int argc, char** argv)
{
  int rounds = argc > 2 ? atoi(argv[2]) : 4;
  double x[COUNT], squares[COUNT], critical = 0, atomic = 0, reduced = 0;
  float narrow = 0;
  omp_set_num_threads(atoi(argv[1]));
  for (int i = 0; i < COUNT; i++) {
    x[i] = 1 + i / 1024.0;
    DG_INPUTF(x[i]);
  }
#pragma omp parallel for schedule(static, 1)
  for (int i = 0; i < COUNT; i++)
    squares[i] = x[i] * x[i];
#pragma omp parallel for schedule(static, 1)
  for (int k = 0; k < rounds * COUNT; k++) {
    int i = k % COUNT;
    double term = squares[i] * (k + 1);
#pragma omp critical
    critical += term;
#pragma omp atomic
    atomic += squares[i];
    if (k % 3 == 0) {
#pragma omp atomic
      narrow += (float)x[i];
    }
  }
#pragma omp parallel for reduction(+ : reduced)
  for (int i = 0; i < COUNT; i++)
    reduced += squares[i] * x[COUNT - 1 - i];
  DG_OUTPUTF(critical);
  DG_OUTPUTF(atomic);
  DG_OUTPUTF(reduced);
  DG_OUTPUTF(narrow);
  return 0;
}
