/* Closes all descriptors but the standard ones, as programs do that go into the background. */
#define _GNU_SOURCE
#include <derivgrind.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(int argc, char** argv)
{
  double x = 2;
  DG_INPUTF(x);
  double y = x * x;
  (void)argv;
  if (argc > 1)
    syscall(SYS_close_range, 3, ~0u, 0);
  else
    for (int descriptor = 3; descriptor < 2000; descriptor++)
      close(descriptor);
  for (int i = 0; i < 100000; i++)
    y = y * x * 0.5;
  DG_OUTPUTF(y);
  return 0;
}
