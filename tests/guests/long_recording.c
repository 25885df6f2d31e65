/* Records y = x with as many additions of nothing as the first argument says, then ends as the second argument says:
 *
 *     end         normally
 *     kill        by SIGKILL, after the output was declared
 *     delete DIR  normally, but with DIR removed before
 *     fork        normally, after a child has recorded z = y y x
 *     exec PROG   by executing PROG in a child
 */
#include <derivgrind.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static __attribute__((noinline)) double add(double sum, double term)
{
  return sum + term * 0.5;
}

int main(int argc, char** argv)
{
  double x = 2;
  DG_INPUTF(x);
  double y = x;
  for (long i = 0; i < atol(argv[1]); i++)
    y = add(y, (i & 1 ? -x : x));
  const char* end = argc > 2 ? argv[2] : "end";
  if (strcmp(end, "fork") == 0 || strcmp(end, "exec") == 0) {
    pid_t child = fork();
    if (child == 0) {
      if (strcmp(end, "exec") == 0)
        execl(argv[3], argv[3], (char*)NULL);
      double z = y * y * x;
      DG_OUTPUTF(z);
      _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    printf("%d\n", (int)child);
    if (status != 0)
      return 1;
  }
  DG_OUTPUTF(y);
  if (strcmp(end, "kill") == 0)
    raise(SIGKILL);
  if (strcmp(end, "delete") == 0) {
    char command[4096];
    snprintf(command, sizeof command, "rm -r '%s'", argv[3]);
    return system(command);
  }
  return 0;
}
