/* Active numbers handed from thread to thread through a queue. */
#include "check.h"
#include <pthread.h>

#define ITEMS 500
#define WORKERS 3

static struct { int key; REAL value; } queue[16];
static int first, count;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_empty = PTHREAD_COND_INITIALIZER, not_full = PTHREAD_COND_INITIALIZER;
static REAL results[ITEMS];

static void put(int key, REAL value)
{
  pthread_mutex_lock(&lock);
  while (count == 16)
    pthread_cond_wait(&not_full, &lock);
  int place = (first + count++) % 16;
  queue[place].key = key;
  queue[place].value = value;
  pthread_cond_signal(&not_empty);
  pthread_mutex_unlock(&lock);
}

static int get(REAL* value)
{
  pthread_mutex_lock(&lock);
  while (count == 0)
    pthread_cond_wait(&not_empty, &lock);
  int key = queue[first].key;
  *value = queue[first].value;
  first = (first + 1) % 16;
  count--;
  pthread_cond_signal(&not_full);
  pthread_mutex_unlock(&lock);
  return key;
}

static void* work(void* argument)
{
  REAL sum = 0;
  (void)argument;
  for (;;) {
    REAL value;
    int key = get(&value);
    if (key < 0)
      break;
    results[key] = value * value + 1 / value;
    sum += value;
  }
  REAL* returned = (REAL*)argument;
  *returned = sum;
  return returned;
}

int main(void)
{
  pthread_t threads[WORKERS];
  REAL sums[WORKERS];
  for (int i = 0; i < WORKERS; i++)
    if (pthread_create(&threads[i], NULL, work, &sums[i]) != 0)
      return 1;
  REAL x = input(1.5, 2);
  for (int i = 0; i < ITEMS; i++)
    put(i, x * (1 + i % 10));
  for (int i = 0; i < WORKERS; i++)
    put(-1, 0);
  REAL total = 0;
  for (int i = 0; i < WORKERS; i++) {
    void* returned;
    pthread_join(threads[i], &returned);
    total += *(REAL*)returned;
  }
  check("total", total, 2 * 50 * 55);
  for (int i = 0; i < ITEMS; i += 9) {
    REAL value = x * (1 + i % 10), dot = 2 * (1 + i % 10);
    check("result", results[i], 2 * value * dot - dot / (value * value));
  }
  return 0;
}
