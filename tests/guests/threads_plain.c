/* Many threads that start, compute, and end; with detached ones, barriers, and a key with destructor. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static pthread_barrier_t barrier;
static pthread_key_t key;
static int destroyed;
static double sums[8];

static void destroy(void* value)
{
  (void)value;
  __atomic_add_fetch(&destroyed, 1, __ATOMIC_SEQ_CST);
}

static void* work(void* argument)
{
  int number = *(int*)argument;
  pthread_setspecific(key, argument);
  for (int round = 0; round < 20; round++) {
    for (int i = 1; i < 1000; i++)
      sums[number] += 1.0 / (i + number);
    pthread_barrier_wait(&barrier);
  }
  return argument;
}

static void* nothing(void* argument)
{
  return argument;
}

int main(void)
{
  pthread_t threads[8];
  int numbers[8];
  pthread_barrier_init(&barrier, NULL, 8);
  pthread_key_create(&key, destroy);
  for (int i = 0; i < 8; i++) {
    numbers[i] = i;
    if (pthread_create(&threads[i], NULL, work, &numbers[i]) != 0)
      return 1;
  }
  for (int i = 0; i < 8; i++)
    pthread_join(threads[i], NULL);
  for (int i = 0; i < 8; i++)
    printf("%.17g\n", sums[i]);
  for (int i = 0; i < 200; i++) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, nothing, NULL) != 0)
      return 2;
    pthread_join(thread, NULL);
  }
  printf("destroyed %d\n", destroyed);
  pthread_t forever;
  static pthread_mutex_t locked = PTHREAD_MUTEX_INITIALIZER;
  pthread_mutex_lock(&locked);
  pthread_create(&forever, NULL, (void* (*)(void*))pthread_mutex_lock, &locked);
  fflush(stdout);
  /* The process ends while a thread waits. */
  return 5;
}
