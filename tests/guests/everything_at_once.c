/* Signals, threads, mappings and generated code at the same time, for as many seconds as asked: nothing is lost, nothing
   grows. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static atomic_int stop, errors;
static atomic_long ticks, rounds[5];

static long resident_kilobytes(void)
{
  char line[256];
  long size = 0, resident = 0;
  FILE* file = fopen("/proc/self/statm", "r");
  if (file == NULL)
    exit(1);
  if (fgets(line, sizeof line, file) != NULL)
    sscanf(line, "%ld %ld", &size, &resident);
  fclose(file);
  return resident * 4;
}

static void tick(int number)
{
  (void)number;
  atomic_fetch_add(&ticks, 1);
}

static double compute(int count)
{
  double sum = 0;
  for (int i = 1; i <= count; i++)
    sum += 1.0 / i;
  return sum;
}

static void expect(int right)
{
  if (!right)
    atomic_fetch_add(&errors, 1);
}

static void* short_life(void* argument)
{
  *(double*)argument = compute(100);
  return NULL;
}

static void* churn_threads(void* argument)
{
  double expected = compute(100);
  while (!stop) {
    pthread_t threads[8];
    double results[8];
    for (int i = 0; i < 8; i++)
      expect(pthread_create(&threads[i], NULL, short_life, &results[i]) == 0);
    for (int i = 0; i < 8; i++) {
      pthread_join(threads[i], NULL);
      expect(results[i] == expected);
    }
    atomic_fetch_add(&rounds[0], 1);
  }
  return argument;
}

static void* churn_mappings(void* argument)
{
  unsigned state = 1;
  while (!stop) {
    state = state * 1664525 + 1013904223;
    size_t size = (1 + state % 300) * 4096;
    double* memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (size_t i = 0; i < size / 8; i += 100)
      memory[i] = (double)i;
    memory = mremap(memory, size, 2 * size, MREMAP_MAYMOVE);
    for (size_t i = 0; i < size / 8; i += 100)
      expect(memory[i] == (double)i);
    madvise(memory, size, MADV_DONTNEED);
    expect(memory[100] == 0);
    munmap(memory, 2 * size);
    atomic_fetch_add(&rounds[1], 1);
  }
  return argument;
}

/* mov eax, VALUE; ret */
static void write_constant(unsigned char* code, int value)
{
  code[0] = 0xb8;
  memcpy(code + 1, &value, 4);
  code[5] = 0xc3;
}

static void* churn_code(void* argument)
{
  unsigned char* own = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  for (int i = 0; !stop; i++) {
    write_constant(own + 64 * (i % 10), i);
    expect(((int (*)(void))(void*)(own + 64 * (i % 10)))() == i);
    unsigned char* fresh = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    write_constant(fresh + 100, i + 1);
    mprotect(fresh, 8192, PROT_READ | PROT_EXEC);
    expect(((int (*)(void))(void*)(fresh + 100))() == i + 1);
    munmap(fresh, 8192);
    atomic_fetch_add(&rounds[2], 1);
  }
  return argument;
}

static void* churn_processes(void* argument)
{
  while (!stop) {
    pid_t child = fork();
    if (child == 0)
      _exit(compute(50) > 4 ? 17 : 18);
    int status = 0;
    while (waitpid(child, &status, 0) < 0)
      ;
    expect(WIFEXITED(status) && WEXITSTATUS(status) == 17);
    atomic_fetch_add(&rounds[3], 1);
    usleep(2000);
  }
  return argument;
}

static void* count_up(void* argument)
{
  long expected = 0;
  volatile long value = 0;
  while (!stop) {
    for (int i = 0; i < 1000; i++) {
      value += 3;
      expected += 3;
    }
    expect(value == expected);
    atomic_fetch_add(&rounds[4], 1);
  }
  return argument;
}

int main(int argc, char** argv)
{
  int seconds = argc > 1 ? atoi(argv[1]) : 3;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = tick;
  action.sa_flags = SA_RESTART;
  sigaction(SIGALRM, &action, NULL);
  sigaction(SIGUSR1, &action, NULL);
  void* (*works[])(void*) = {churn_threads, churn_mappings, churn_code, churn_processes, count_up};
  pthread_t threads[5];
  for (int i = 0; i < 5; i++)
    pthread_create(&threads[i], NULL, works[i], NULL);
  struct itimerval timer = {{0, 1000}, {0, 1000}};
  setitimer(ITIMER_REAL, &timer, NULL);
  long before = 0;
  struct timespec start, now;
  clock_gettime(CLOCK_MONOTONIC, &start);
  do {
    for (int i = 0; i < 5; i++)
      pthread_kill(threads[i], SIGUSR1);
    usleep(3000);
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (before == 0 && now.tv_sec - start.tv_sec >= seconds / 4 + 1)
      before = resident_kilobytes();
  } while (now.tv_sec - start.tv_sec < seconds);
  long grown = resident_kilobytes() - before;
  stop = 1;
  for (int i = 0; i < 5; i++)
    pthread_join(threads[i], NULL);
  printf("errors %d\n", (int)errors);
  printf("signals came %d\n", ticks > 10);
  for (int i = 0; i < 5; i++)
    printf("work %d went on: %d\n", i, rounds[i] > 1);
  printf("no growth: %d\n", grown < 20 << 10);
  if (grown >= 20 << 10)
    fprintf(stderr, "grown by %ld KiB\n", grown);
  return 0;
}
