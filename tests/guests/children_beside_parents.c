/* A parent that records while it has a child, which waits until the parent has gone on, and then
 *
 *     idle        ends
 *     record      records w = x x x + x with code that the parent does not run
 *
 * The parent records y = sum of x k for k below 200000, and z = y / x + x. It prints the process id of the child.
 */
#include <derivgrind.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static __attribute__((noinline)) double of_child(double x)
{
  return x * x * x + x;
}

static __attribute__((noinline)) double of_parent(double x)
{
  double y = 0;
  for (int k = 0; k < 200000; k++)
    y += x * k;
  return y / x + x;
}

int main(int argc, char** argv)
{
  double x = 2;
  DG_INPUTF(x);
  double copy = x * 1.0;
  int ends[2];
  if (argc < 2 || pipe(ends) != 0)
    return 2;
  pid_t child = fork();
  if (child == 0) {
    char byte;
    if (read(ends[0], &byte, 1) != 1)
      _exit(1);
    if (strcmp(argv[1], "record") == 0) {
      double w = of_child(copy);
      DG_OUTPUTF(w);
    }
    exit(0);
  }
  double z = of_parent(copy);
  if (write(ends[1], "", 1) != 1)
    return 1;
  int status = 0;
  waitpid(child, &status, 0);
  z += of_parent(copy);
  DG_OUTPUTF(z);
  printf("%d\n", (int)child);
  return status;
}
