/* Two threads take turns at one number and change its sign, which unoptimised code does in general registers: the operand
 * of a negation has been recorded by the other thread. */
#include "check.h"
#include <pthread.h>

enum { TURNS = 8 };

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static volatile REAL number;
static volatile int turn;

static void* work(void* argument)
{
  const int me = *(int*)argument;
  for (int done = 0; done < TURNS;) {
    pthread_mutex_lock(&mutex);
    if (turn % 2 == me) {
      number = -number;
      number = -number * number;
      number = -number;
      turn++;
      done++;
    }
    pthread_mutex_unlock(&mutex);
  }
  return NULL;
}

int main(void)
{
  int numbers[2] = {0, 1};
  pthread_t threads[2];
  REAL x = input((REAL)0.9999, 1), value = passive(x), rate = 1;
  number = x;
  for (int k = 0; k < 2; k++)
    if (pthread_create(&threads[k], NULL, work, &numbers[k]))
      return 1;
  for (int k = 0; k < 2; k++)
    pthread_join(threads[k], NULL);
  /* Each turn squares it. */
  for (int k = 0; k < 2 * TURNS; k++) {
    rate *= 2 * value;
    value *= value;
  }
  check("squared by turns", number, rate);
  return 0;
}
