/* Many threads at once and one after the other; cancellation, robust mutexes, clone3, the end while others run. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/sched.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { AT_ONCE = 300 };
static __thread double own[8];
static pthread_barrier_t barrier;
static pthread_mutex_t robust;

static long resident_kilobytes(void)
{
  char line[256];
  long size = 0, resident = 0;
  FILE* file = fopen("/proc/self/statm", "r");
  if (fgets(line, sizeof line, file) != NULL)
    sscanf(line, "%ld %ld", &size, &resident);
  fclose(file);
  return resident * 4;
}

static double compute(double start)
{
  for (int i = 0; i < 8; i++)
    own[i] = start + i;
  double sum = 0;
  for (int i = 0; i < 200; i++)
    sum += own[i % 8] * 0.5 + 1.0 / (i + 1);
  return sum;
}

static void* meet(void* argument)
{
  double result = compute((double)(long)argument);
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  return (void*)(long)(result * 10);
}

static void* brief(void* argument)
{
  return (void*)(long)compute((double)(long)argument);
}

static void at_once(void)
{
  static pthread_t threads[AT_ONCE];
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 128 << 10);
  pthread_barrier_init(&barrier, NULL, AT_ONCE + 1);
  long before = resident_kilobytes();
  for (long i = 0; i < AT_ONCE; i++)
    if (pthread_create(&threads[i], &attributes, meet, (void*)i) != 0)
      printf("no thread %ld\n", i);
  pthread_barrier_wait(&barrier);
  printf("memory of %d threads is bounded: %d\n", AT_ONCE, resident_kilobytes() - before < AT_ONCE * 4096L);
  pthread_barrier_wait(&barrier);
  long sum = 0;
  for (int i = 0; i < AT_ONCE; i++) {
    void* result;
    pthread_join(threads[i], &result);
    sum += (long)result;
  }
  printf("sum %ld\n", sum);
}

static void one_after_the_other(int rounds)
{
  long before = 0, sum = 0;
  for (int round = 0; round < rounds; round++) {
    pthread_t threads[10];
    for (long i = 0; i < 10; i++)
      pthread_create(&threads[i], NULL, brief, (void*)(i + round));
    for (int i = 0; i < 10; i++) {
      void* result;
      pthread_join(threads[i], &result);
      sum += (long)result;
    }
    if (round == rounds / 4)
      before = resident_kilobytes();
  }
  printf("%d threads: %ld, no growth %d\n", 10 * rounds, sum, resident_kilobytes() - before < 2048);
}

static volatile int cleaned;

static void clean(void* argument)
{
  cleaned += *(int*)argument;
}

static void* wait_forever(void* argument)
{
  int how = (int)(long)argument, worth = 1;
  volatile double sum = 0;
  pthread_cleanup_push(clean, &worth);
  if (how == 0)
    pause();
  if (how == 1)
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
  for (;;) {
    sum = sum * 0.5 + 1;
    if (how == 2)
      pthread_testcancel();
  }
  pthread_cleanup_pop(0);
  return NULL;
}

static void cancelling(void)
{
  for (long how = 0; how < 3; how++) {
    pthread_t thread;
    void* result = NULL;
    pthread_create(&thread, NULL, wait_forever, (void*)how);
    usleep(20000);
    pthread_cancel(thread);
    pthread_join(thread, &result);
    printf("cancelled %ld: %d, cleaned %d\n", how, result == PTHREAD_CANCELED, cleaned);
  }
}

static void* die_with_lock(void* argument)
{
  pthread_mutex_lock(&robust);
  return argument;
}

static void robustness(void)
{
  pthread_mutexattr_t attributes;
  pthread_mutexattr_init(&attributes);
  pthread_mutexattr_setrobust(&attributes, PTHREAD_MUTEX_ROBUST);
  pthread_mutex_init(&robust, &attributes);
  pthread_t thread;
  pthread_create(&thread, NULL, die_with_lock, NULL);
  pthread_join(thread, NULL);
  int outcome = pthread_mutex_lock(&robust);
  printf("robust %s", strerror(outcome));
  printf(" %d\n", pthread_mutex_consistent(&robust));
  pthread_mutex_unlock(&robust);
}

static int child_of_clone(void* argument)
{
  *(volatile int*)argument = 42;
  return 7;
}

static void clones(void)
{
  static char stack[65536] __attribute__((aligned(16)));
  volatile int word = 0;
  int status = 0;
  pid_t child = clone(child_of_clone, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD, (void*)&word);
  waitpid(child, &status, 0);
  printf("clone with CLONE_VFORK: %d, word %d\n", WEXITSTATUS(status), word);
  word = 0;
  child = clone(child_of_clone, stack + sizeof stack, CLONE_VM | SIGCHLD, (void*)&word);
  waitpid(child, &status, 0);
  printf("clone with CLONE_VM: %d, word %d\n", WEXITSTATUS(status), word);
  word = 0;
  child = clone(child_of_clone, stack + sizeof stack, SIGCHLD, (void*)&word);
  waitpid(child, &status, 0);
  printf("clone: %d, word %d\n", WEXITSTATUS(status), word);
  fflush(stdout);
  struct clone_args arguments;
  memset(&arguments, 0, sizeof arguments);
  arguments.exit_signal = SIGCHLD;
  long outcome = syscall(SYS_clone3, &arguments, sizeof arguments);
  if (outcome < 0 && errno == ENOSYS)
    outcome = fork();
  if (outcome == 0)
    _exit(9);
  waitpid((pid_t)outcome, &status, 0);
  printf("clone3 or fork: %d\n", WEXITSTATUS(status));
}

static void* spin(void* argument)
{
  volatile double sum = 0;
  for (;;)
    sum = sum * 0.5 + 1;
  return argument;
}

static void* leave(void* argument)
{
  usleep(20000);
  syscall(SYS_exit_group, (int)(long)argument);
  return NULL;
}

static void* execute(void* argument)
{
  execl("/bin/true", "true", NULL);
  return argument;
}

/* A process with several threads forks, ends, executes. */
static void ends_of_processes(void)
{
  for (int how = 0; how < 4; how++) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      pthread_t thread;
      for (int i = 0; i < 4; i++)
        pthread_create(&thread, NULL, spin, NULL);
      if (how == 0)
        pthread_create(&thread, NULL, leave, (void*)(long)33);
      if (how == 1)
        pthread_create(&thread, NULL, execute, NULL);
      if (how == 2) {
        usleep(10000);
        pid_t grandchild = fork();
        if (grandchild == 0) {
          pthread_create(&thread, NULL, brief, (void*)3);
          void* result;
          pthread_join(thread, &result);
          _exit((int)(long)result % 100);
        }
        int status = 0;
        waitpid(grandchild, &status, 0);
        _exit(WEXITSTATUS(status));
      }
      if (how == 3)
        raise(SIGKILL);
      spin(NULL);
    }
    int status = 0;
    waitpid(child, &status, 0);
    printf("end %d: %d %d\n", how, WIFEXITED(status) ? WEXITSTATUS(status) : -1, WIFSIGNALED(status) ? WTERMSIG(status) : 0);
  }
}

int main(int argc, char** argv)
{
  setvbuf(stdout, NULL, _IOLBF, 0);
  at_once();
  at_once();
  one_after_the_other(argc > 1 ? atoi(argv[1]) : 40);
  cancelling();
  robustness();
  clones();
  ends_of_processes();
  /* The first thread may end before the others. */
  pthread_t thread;
  pthread_create(&thread, NULL, leave, (void*)(long)5);
  pthread_exit(NULL);
}
