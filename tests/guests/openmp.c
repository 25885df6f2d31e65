/* Loops, reductions, atomics and critical sections of OpenMP with active data. */
#include "check.h"
#include <omp.h>

#define COUNT 4000

static REAL x[COUNT], y[COUNT];

int main(void)
{
  omp_set_num_threads(4);
  const REAL scale = input(1.5, 2);
#pragma omp parallel for
  for (int i = 0; i < COUNT; i++)
    x[i] = scale * (i % 7);
#pragma omp parallel for schedule(dynamic, 17)
  for (int i = 0; i < COUNT; i++)
    y[i] = x[i] * x[i] - scale;
  REAL expected_square = 0;
  REAL expected_sum = 0;
  for (int i = 0; i < COUNT; i++) {
    expected_square += 2 * scale * (i % 7) * (i % 7) * 2 - 2;
    expected_sum += 2 * (i % 7);
  }
  check("element", y[1234], 2 * scale * 4 * 2 - 2);
  /* The order of additions differs from run to run. The numbers are such that nothing is rounded. */
  REAL sum = 0, locked = 0, critical = 0, largest = 0;
#pragma omp parallel for reduction(+ : sum) reduction(max : largest)
  for (int i = 0; i < COUNT; i++) {
    sum += y[i];
    largest = x[i] > largest ? x[i] : largest;
  }
  check("reduction", sum, expected_square);
  check("maximum", largest, 12);
#pragma omp parallel for
  for (int i = 0; i < 7; i++) {
#pragma omp critical
    critical += x[i];
  }
  check("critical", critical, 42);
  REAL simd = 0;
#pragma omp simd reduction(+ : simd)
  for (int i = 0; i < COUNT; i++)
    simd += x[i];
  check("simd", simd, expected_sum);
  REAL tasks[8];
#pragma omp parallel
#pragma omp single
  for (int i = 0; i < 8; i++) {
#pragma omp task shared(tasks)
    tasks[i] = scale * i;
  }
  check("task", tasks[5], 10);
#pragma omp parallel for
  for (int i = 0; i < 70; i++) {
#pragma omp atomic
    locked += x[i];
  }
  check("atomic", locked, 420);
  return 0;
}
