/* Linked statically, in both ways: start-up, IFUNC relocations, thread-local storage, threads, exit handlers. */
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static __thread int mine = 42;
static double table[64];

static void* work(void* argument)
{
  mine++;
  for (int i = 0; i < 64; i++)
    table[i] = sin(i * 0.5) + exp(-i);
  return argument;
}

static void last(void)
{
  puts("exit handler");
}

int main(int argc, char** argv)
{
  char text[300];
  atexit(last);
  pthread_t thread;
  if (pthread_create(&thread, NULL, work, NULL) != 0)
    return 1;
  pthread_join(thread, NULL);
  double sum = 0;
  for (int i = 0; i < 64; i++)
    sum += sqrt(fabs(table[i]));
  memset(text, 'x', sizeof text);
  text[299] = 0;
  printf("%d %.17g %zu %d %s\n", mine, sum, strlen(text), argc, strrchr(argv[0], '/'));
  return 3;
}
