/* OpenMP without active data: nested loops, dynamic schedules, tasks. */
#include <omp.h>
#include <stdio.h>

static long fibonacci(int n)
{
  long first, second;
  if (n < 2)
    return n;
#pragma omp task shared(first) if (n > 12)
  first = fibonacci(n - 1);
  second = fibonacci(n - 2);
#pragma omp taskwait
  return first + second;
}

int main(void)
{
  long sum = 0, result = 0;
  omp_set_num_threads(4);
#pragma omp parallel for schedule(dynamic, 3) reduction(+ : sum)
  for (int i = 0; i < 1000; i++)
    for (int j = 0; j < 100; j++)
      sum += i * j % 7;
#pragma omp parallel
#pragma omp single
  result = fibonacci(20);
  printf("%ld %ld\n", sum, result);
  return 0;
}
