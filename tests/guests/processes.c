/* fork, vfork, exec, posix_spawn, pipes between them, and exit statuses. */
#include <errno.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

static void report(const char* what, pid_t child)
{
  int status = -1;
  waitpid(child, &status, 0);
  printf("%s: exited %d status %d signal %d\n", what, WIFEXITED(status), WIFEXITED(status) ? WEXITSTATUS(status) : -1,
         WIFSIGNALED(status) ? WTERMSIG(status) : -1);
  fflush(stdout);
}

int main(int argc, char** argv)
{
  if (argc > 1) {
    printf("executed as %s with %s, parent is the same: %d\n", argv[0], argv[1], getppid() == atoi(argv[2]));
    return 17;
  }
  char parent[32], self[4096];
  snprintf(parent, sizeof parent, "%d", getpid());
  ssize_t length = readlink("/proc/self/exe", self, sizeof self - 1);
  if (length < 0)
    return 1;
  self[length] = 0;
  printf("%s\n", strrchr(self, '/'));
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    volatile double x = 2;
    for (int i = 0; i < 1000; i++)
      x = x * 0.5 + 1;
    printf("child computes %.17g\n", x);
    exit(x == 2 ? 3 : 4);
  }
  report("fork", child);
  child = fork();
  if (child == 0)
    abort();
  report("abort", child);
  child = vfork();
  if (child == 0) {
    execl(self, "name", "vfork", parent, (char*)NULL);
    _exit(99);
  }
  report("vfork", child);
  child = vfork();
  if (child == 0) {
    execl("/nonexistent/program", "name", (char*)NULL);
    _exit(errno == ENOENT ? 42 : 99);
  }
  report("failing exec", child);
  char* words[] = {"spawned", "word", parent, NULL};
  if (posix_spawn(&child, self, NULL, NULL, words, environ) != 0)
    return 2;
  report("posix_spawn", child);
  if (posix_spawn(&child, "/nonexistent/program", NULL, NULL, words, environ) != ENOENT)
    return 3;
  int ends[2];
  if (pipe(ends) != 0)
    return 4;
  child = fork();
  if (child == 0) {
    dup2(ends[1], 1);
    close(ends[0]);
    execlp("echo", "echo", "through a pipe", (char*)NULL);
    _exit(99);
  }
  close(ends[1]);
  char text[64] = "";
  if (read(ends[0], text, sizeof text - 1) < 0)
    return 5;
  report(text, child);
  printf("system: %d\n", WEXITSTATUS(system("exit 9")));
  fflush(stdout);
  FILE* pipe_end = popen("echo read; exit 6", "r");
  if (pipe_end == NULL || fgets(text, sizeof text, pipe_end) == NULL)
    return 6;
  printf("popen: %s %d\n", text, WEXITSTATUS(pclose(pipe_end)));
  /* A chain of children. */
  for (int depth = 0; depth < 5; depth++) {
    fflush(stdout);
    child = fork();
    if (child != 0) {
      int status;
      waitpid(child, &status, 0);
      exit(WEXITSTATUS(status) + 1);
    }
  }
  printf("innermost\n");
  return 10;
}
