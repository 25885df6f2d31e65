/* The program takes away from itself what the summary at its end would like to have. */
#define _GNU_SOURCE
#include <derivgrind.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

typedef int integers __attribute__((vector_size(16)));

int main(int argc, char** argv)
{
  union { double numbers[2]; integers bits; } both = {{0.5, 0.75}};
  double dots[2] = {1, 1};
  const char* taken = argc > 1 ? argv[1] : "nothing";
  struct rlimit nothing = {0, 0};
  DG_SET_DOTVALUE(both.numbers, dots, sizeof dots);
  both.bits *= 7654321;
  int is_small = both.numbers[0] < 1;
  if (strcmp(taken, "descriptors") == 0)
    setrlimit(RLIMIT_NOFILE, &nothing);
  else if (strcmp(taken, "file sizes") == 0)
    setrlimit(RLIMIT_FSIZE, &nothing);
  else if (strcmp(taken, "stderr") == 0)
    close(2);
  else if (strcmp(taken, "all descriptors") == 0)
    close_range(0, ~0u, 0);
  else if (strcmp(taken, "stderr by another file") == 0)
    dup2(open("/dev/null", O_WRONLY), 2);
  else if (strcmp(taken, "user") == 0 && geteuid() == 0)
    return setgid(65534) != 0 || setuid(65534) != 0;
  else if (strcmp(taken, "root") == 0 && geteuid() == 0)
    return chroot(argv[2]) != 0 || chdir("/") != 0;
  return is_small > 1;
}
