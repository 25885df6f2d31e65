/* The functions of the vsyscall page, where the kernel has it; whether addresses are the same in each run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <time.h>

int main(int argc, char** argv)
{
  (void)argv;
  if (argc > 1) {
    int place = 0;
    void* block = malloc(1 << 20);
    printf("%p %p %p %p\n", (void*)&place, (void*)(size_t)main, block, (void*)(size_t)printf);
    return 0;
  }
  char line[512];
  int mapped = 0;
  FILE* file = fopen("/proc/self/maps", "r");
  while (file != NULL && fgets(line, sizeof line, file) != NULL)
    mapped += strstr(line, "[vsyscall]") != NULL;
  printf("page %d\n", mapped);
  if (!mapped)
    return 0;
  time_t stored = 0;
  time_t now = ((time_t(*)(time_t*))0xffffffffff600400)(&stored);
  printf("time %d %d\n", llabs((long long)(time(NULL) - now)) < 5, stored == now);
  struct timeval precise = {0, 0};
  int outcome = ((int (*)(struct timeval*, void*))0xffffffffff600000)(&precise, NULL);
  printf("gettimeofday %d %d\n", outcome, llabs((long long)(precise.tv_sec - now)) < 5);
  unsigned processor = 9999;
  outcome = ((int (*)(unsigned*, unsigned*, void*))0xffffffffff600800)(&processor, NULL, NULL);
  printf("getcpu %d %d\n", outcome, processor < 9999);
  return 0;
}
