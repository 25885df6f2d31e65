/* What a program sees of itself: names, memory maps, auxiliary vector, clocks, processors, restartable sequences. */
#define _GNU_SOURCE
#include <errno.h>
#include <fenv.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static int depth(int n)
{
  volatile char room[200];
  room[n % 200] = (char)n;
  return n == 0 ? room[0] : depth(n - 1) + (room[n % 200] != (char)n) + 1;
}

int main(int argc, char** argv)
{
  char path[4096];
  ssize_t length = readlink("/proc/self/exe", path, sizeof path - 1);
  path[length < 0 ? 0 : length] = 0;
  printf("exe %s\n", path);
  printf("argv %d %s\n", argc, argv[0]);
  printf("execfn %s\n", (const char*)getauxval(AT_EXECFN));
  printf("invocation %s\n", program_invocation_short_name);
  FILE* file = fopen("/proc/self/comm", "r");
  if (file == NULL || fgets(path, sizeof path, file) == NULL)
    return 1;
  printf("comm %s", path);
  fclose(file);
  int own = 0;
  char line[4096];
  file = fopen("/proc/self/maps", "r");
  while (fgets(line, sizeof line, file) != NULL)
    own += strstr(line, "surroundings") != NULL;
  fclose(file);
  printf("own mappings: %d\n", own > 2);
  printf("page size %ld, secure %ld, clock ticks %ld\n", (long)getauxval(AT_PAGESZ), (long)getauxval(AT_SECURE), (long)getauxval(AT_CLKTCK));
  struct timespec before, after;
  clock_gettime(CLOCK_MONOTONIC, &before);
  long ordered = 0;
  for (int i = 0; i < 20000; i++) {
    clock_gettime(CLOCK_MONOTONIC, &after);
    ordered += after.tv_sec > before.tv_sec || (after.tv_sec == before.tv_sec && after.tv_nsec >= before.tv_nsec);
    before = after;
  }
  struct timeval now;
  gettimeofday(&now, NULL);
  printf("clock %ld %d\n", ordered, llabs((long long)time(NULL) - now.tv_sec) <= 1);
  unsigned processor = 0;
  printf("getcpu %d %d\n", getcpu(&processor, NULL), processor < (unsigned)sysconf(_SC_NPROCESSORS_CONF));
  printf("sched_getcpu %d\n", sched_getcpu() >= 0);
  printf("recursion %d\n", depth(30000));
  fesetround(FE_UPWARD);
  volatile double third = 1.0 / (argc + 2);
  fesetround(FE_TONEAREST);
  feclearexcept(FE_ALL_EXCEPT);
  volatile double zero = argc - argc;
  volatile double infinite = argc / zero;
  printf("rounding %a, flags %x, %g\n", third, (unsigned)fetestexcept(FE_ALL_EXCEPT), infinite);
  errno = 0;
  printf("bad calls %ld %d", syscall(9999), errno);
  printf(" %d %d\n", close(-1), errno);
  struct rlimit limit;
  getrlimit(RLIMIT_STACK, &limit);
  printf("stack %ld\n", (long)limit.rlim_cur);
  long double extended = 1.0L;
  for (int i = 1; i < 30; i++)
    extended = extended / i + sizeof extended;
  printf("x87 %.20Lg\n", extended);
  return 0;
}
