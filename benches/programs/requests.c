/* What requests cost outside of the tool: nanoseconds of each, one a line. */
#include <derivgrind.h>
#include <stdio.h>
#include <time.h>

static double now(void)
{
  struct timespec time;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time);
  return (double)time.tv_sec * 1e9 + (double)time.tv_nsec;
}

#define MEASURE(name, statement)                                                                                       \
  do {                                                                                                                 \
    const double start = now();                                                                                        \
    for (int i = 0; i < COUNT; i++) {                                                                                  \
      statement;                                                                                                       \
    }                                                                                                                  \
    printf("%s %.3f\n", name, (now() - start) / COUNT);                                                                \
  } while (0)

enum { COUNT = 20000000 };

int main(void)
{
  double x = 1.0;
  double dot = 1.0;
  MEASURE("set_dotvalue", DG_SET_DOTVALUE(&x, &dot, sizeof x));
  MEASURE("get_dotvalue", DG_GET_DOTVALUE(&x, &dot, sizeof x));
  MEASURE("inputf", DG_INPUTF(x));
  MEASURE("outputf", DG_OUTPUTF(x));
  MEASURE("mode", (void)DG_GET_MODE);
  return 0;
}
