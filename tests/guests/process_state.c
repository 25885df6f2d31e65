/* Names, daemons, orphans, filters for system calls, debuggers, deep recursion, descriptors, the words around main. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <dirent.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

extern char** environ;

static void names(void)
{
  char name[64] = "", line[64] = "";
  prctl(PR_SET_NAME, "other name");
  prctl(PR_GET_NAME, name);
  FILE* file = fopen("/proc/self/comm", "r");
  if (file == NULL || fgets(line, sizeof line, file) == NULL)
    exit(1);
  fclose(file);
  printf("name %s, %s", name, line);
  pthread_setname_np(pthread_self(), "third");
  prctl(PR_GET_NAME, name);
  printf("name %s\n", name);
  printf("dumpable %d, death signal %d, keep %d\n", prctl(PR_GET_DUMPABLE), prctl(PR_SET_PDEATHSIG, 0), prctl(PR_GET_KEEPCAPS));
}

static int wait_for(pid_t child)
{
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR)
    ;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void daemons(void)
{
  int ends[2];
  if (pipe(ends) != 0)
    exit(1);
  pid_t child = fork();
  if (child == 0) {
    setsid();
    pid_t grandchild = fork();
    if (grandchild != 0)
      _exit(0);
    close(ends[0]);
    while (getppid() == child)
      usleep(1000);
    usleep(30000);
    char word[32];
    int length = snprintf(word, sizeof word, "orphan %d", getsid(0) != getpid());
    _exit(write(ends[1], word, (size_t)length) != length);
  }
  close(ends[1]);
  printf("parent of a daemon %d\n", wait_for(child));
  char text[64];
  ssize_t length = read(ends[0], text, sizeof text - 1);
  text[length < 0 ? 0 : length] = 0;
  printf("%s\n", text);
  close(ends[0]);
}

static void descriptors(void)
{
  DIR* directory = opendir("/proc/self/fd");
  int low = 0, inherited = 0;
  struct dirent* entry;
  while ((entry = readdir(directory)) != NULL) {
    int descriptor = atoi(entry->d_name);
    if (entry->d_name[0] == '.' || descriptor == dirfd(directory))
      continue;
    low += descriptor < 100;
    inherited += descriptor >= 100 && (fcntl(descriptor, F_GETFD) & FD_CLOEXEC) == 0;
  }
  closedir(directory);
  printf("descriptors %d, others that a program would inherit %d\n", low, inherited);
  int first = open("/dev/null", O_RDONLY);
  printf("lowest free one %d\n", first);
  close(first);
  struct rlimit limit = {50, 50};
  if (fork() == 0) {
    setrlimit(RLIMIT_NOFILE, &limit);
    int count = 0;
    while (open("/dev/null", O_RDONLY) >= 0)
      count++;
    _exit(count);
  }
  printf("descriptors up to the limit: %d\n", wait_for(-1));
}

static void programs(void)
{
  pid_t child;
  char* words[] = {"sh", "-c", "exit 23", NULL};
  printf("posix_spawn %d", posix_spawnp(&child, "sh", NULL, NULL, words, environ));
  printf(" %d\n", wait_for(child));
  printf("system %d\n", WEXITSTATUS(system("exit 9")));
  printf("missing %d\n", posix_spawn(&child, "/nonexistent/program", NULL, NULL, words, environ));
  if ((child = vfork()) == 0) {
    execl("/bin/sh", "sh", "-c", "exit 11", (char*)NULL);
    _exit(1);
  }
  printf("vfork %d\n", wait_for(child));
  FILE* output = popen("echo from a pipe", "r");
  char line[64] = "";
  if (fgets(line, sizeof line, output) == NULL)
    exit(1);
  printf("%d %s", pclose(output), line);
}

/* A debugger of a native child, as far as programs do that to themselves. */
static void debuggers(void)
{
  pid_t child = fork();
  if (child == 0) {
    ptrace(PTRACE_TRACEME, 0, NULL, NULL);
    execl("/bin/true", "true", (char*)NULL);
    _exit(1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  printf("traced child stopped %d by %d\n", WIFSTOPPED(status), WSTOPSIG(status));
  ptrace(PTRACE_CONT, child, NULL, NULL);
  printf("and ended %d\n", wait_for(child));
}

static int recurse(int depth)
{
  volatile char room[400];
  room[depth % 400] = (char)depth;
  return depth == 0 ? room[0] : recurse(depth - 1) + (room[depth % 400] != (char)depth) + 1;
}

static void* recurse_in_thread(void* argument)
{
  return (void*)(long)recurse((int)(long)argument);
}

static char alternate[65536];

static void overflow(int number)
{
  _exit(number);
}

static void recursion(void)
{
  printf("recursion %d\n", recurse(15000));
  pthread_t thread;
  void* result;
  pthread_create(&thread, NULL, recurse_in_thread, (void*)15000L);
  pthread_join(thread, &result);
  printf("in a thread %ld\n", (long)result);
  if (fork() == 0) {
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    sigaltstack(&stack, NULL);
    struct sigaction action = {.sa_handler = overflow, .sa_flags = SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    recurse(1 << 30);
    _exit(1);
  }
  printf("without end %d\n", wait_for(-1));
}

static void clocks(void)
{
  struct timespec used;
  clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  struct rusage usage;
  getrusage(RUSAGE_SELF, &usage);
  printf("clocks %d %d\n", used.tv_sec < 60, usage.ru_maxrss > 0);
  printf("processor %d\n", getauxval(AT_HWCAP) != 0 && strcmp((const char*)getauxval(AT_PLATFORM), "x86_64") == 0);
}

int main(int argc, char** argv)
{
  setvbuf(stdout, NULL, _IOLBF, 0);
  for (int i = 0; i < argc; i++)
    printf("word %s\n", i == 0 ? "0" : argv[i]);
  names();
  daemons();
  descriptors();
  programs();
  debuggers();
  recursion();
  clocks();
  return 0;
}
