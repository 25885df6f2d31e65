/* Threads put numbers into one place, and take what was there: passive numbers first, active ones later. What all have
 * taken, and what is left, is what all have put there. */
#include "check.h"
#include <pthread.h>
#include <stdatomic.h>

#define THREADS 3
#define TIMES 2000
#define ROUNDS 10

static _Alignas(8192) _Atomic double places[ROUNDS][1024];
static _Atomic int started;
static double active;
static int round_number;

static void* exchange(void* taken)
{
  double* sum = taken;
  int after = TIMES / 3 + (int)*sum * 100;
  *sum = 0;
  started++;
  while (started < THREADS)
    ;
  for (int i = 0; i < TIMES; i++)
    *sum += atomic_exchange(&places[round_number][0], i < after ? 1.0 : active);
  return NULL;
}

int main(void)
{
  REAL x = input(1, 1);
  active = x;
  for (round_number = 0; round_number < ROUNDS; round_number++) {
    pthread_t threads[THREADS];
    double taken[THREADS], sum = 0, expected = 0;
    started = 0;
    for (int k = 0; k < THREADS; k++) {
      taken[k] = k;
      expected += TIMES - TIMES / 3 - 100 * k;
      pthread_create(&threads[k], NULL, exchange, &taken[k]);
    }
    for (int k = 0; k < THREADS; k++)
      pthread_join(threads[k], NULL);
    for (int k = 0; k < THREADS; k++)
      sum += taken[k];
    sum += places[round_number][0];
    check("taken", sum, expected);
  }
  return 0;
}
