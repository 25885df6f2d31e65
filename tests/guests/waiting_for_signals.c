/* Signals as events: interrupted and restarted calls, sigsuspend, signalfd, sigwaitinfo, timers, nesting, fatal ones. */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static volatile sig_atomic_t seen, depth, deepest;
static volatile int order[64], ordered;

static void count(int number, siginfo_t* information, void* context)
{
  (void)context;
  seen++;
  order[ordered++ % 64] = number * 1000 + information->si_value.sival_int % 1000;
}

static void install(int number, void (*handler)(int, siginfo_t*, void*), int flags)
{
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  sigaction(number, &action, NULL);
}

static void alarm_after(long microseconds, long again)
{
  struct itimerval timer = {{0, again}, {0, microseconds}};
  setitimer(ITIMER_REAL, &timer, NULL);
}

static double seconds(void)
{
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void* write_late(void* descriptor)
{
  usleep(120000);
  if (write(*(int*)descriptor, "x", 1) != 1)
    abort();
  return NULL;
}

/* A loop that makes no system call and reads one word; another that never leaves its instruction. */
static void spinning(void)
{
  seen = 0;
  install(SIGALRM, count, 0);
  alarm_after(20000, 0);
  double start = seconds();
  while (seen == 0)
    ;
  printf("loop left after a signal: %d\n", seconds() - start < 5);
  seen = 0;
  alarm_after(20000, 0);
  volatile double sum = 0;
  while (seen == 0)
    sum = sum * 0.5 + 1;
  printf("sum %g\n", (double)sum);
}

static sigjmp_buf place;

static void leave(int number)
{
  siglongjmp(place, number);
}

static void jump_to_itself(void)
{
  signal(SIGALRM, leave);
  int number = sigsetjmp(place, 1);
  if (number == 0) {
    alarm_after(10000, 0);
    __asm__ volatile("1: jmp 1b");
  }
  printf("out of a jump to itself by %d\n", number);
}

/* The alarm comes again and again, in case that the first one comes before the call. */
static void restarting(void)
{
  int ends[2];
  char byte;
  for (int restart = 0; restart < 2; restart++) {
    if (pipe(ends) != 0)
      exit(1);
    pthread_t thread;
    sigset_t alarms;
    sigemptyset(&alarms);
    sigaddset(&alarms, SIGALRM);
    install(SIGALRM, count, restart ? SA_RESTART : 0);
    seen = 0;
    pthread_sigmask(SIG_BLOCK, &alarms, NULL);
    pthread_create(&thread, NULL, write_late, &ends[1]);
    pthread_sigmask(SIG_UNBLOCK, &alarms, NULL);
    alarm_after(30000, 30000);
    errno = 0;
    ssize_t length = read(ends[0], &byte, 1);
    printf("read with SA_RESTART %d: %zd %s, signals %d\n", restart, length, length < 0 ? strerror(errno) : "", seen > 0);
    alarm_after(0, 0);
    pthread_join(thread, NULL);
    close(ends[0]);
    close(ends[1]);
  }
  struct timespec long_time = {3, 0}, rest = {0, 0};
  install(SIGALRM, count, SA_RESTART);
  alarm_after(20000, 20000);
  int result = nanosleep(&long_time, &rest);
  printf("nanosleep %d %s, rest %d\n", result, strerror(errno), rest.tv_sec > 0);
  alarm_after(20000, 20000);
  errno = 0;
  result = poll(NULL, 0, 3000);
  printf("poll %d %s\n", result, strerror(errno));
  alarm_after(20000, 20000);
  int set = epoll_create1(0);
  struct epoll_event event;
  result = epoll_wait(set, &event, 1, 3000);
  printf("epoll_wait %d %s\n", result, strerror(errno));
  close(set);
  alarm_after(20000, 20000);
  struct timeval limit = {3, 0};
  result = select(0, NULL, NULL, NULL, &limit);
  printf("select %d %s\n", result, strerror(errno));
  alarm_after(20000, 20000);
  result = pause();
  printf("pause %d %s\n", result, strerror(errno));
  alarm_after(0, 0);
}

static void suspending(void)
{
  sigset_t blocked, before, waiting;
  sigemptyset(&blocked);
  sigaddset(&blocked, SIGUSR1);
  sigaddset(&blocked, SIGUSR2);
  sigprocmask(SIG_BLOCK, &blocked, &before);
  install(SIGUSR1, count, 0);
  install(SIGUSR2, count, 0);
  seen = ordered = 0;
  kill(getpid(), SIGUSR2);
  kill(getpid(), SIGUSR1);
  sigset_t pending;
  sigpending(&pending);
  printf("pending %d %d, seen %d\n", sigismember(&pending, SIGUSR1), sigismember(&pending, SIGUSR2), (int)seen);
  sigfillset(&waiting);
  sigdelset(&waiting, SIGUSR1);
  int result = sigsuspend(&waiting);
  printf("sigsuspend %d %s: %d signals, first %d\n", result, strerror(errno), (int)seen, order[0]);
  sigset_t now;
  sigprocmask(SIG_SETMASK, NULL, &now);
  printf("mask again %d %d\n", sigismember(&now, SIGUSR1), sigismember(&now, SIGUSR2));
  siginfo_t information;
  result = sigwaitinfo(&blocked, &information);
  printf("sigwaitinfo %d, code %d, own %d\n", result, information.si_code, information.si_pid == getpid());
  struct timespec soon = {0, 10000000};
  result = sigtimedwait(&blocked, &information, &soon);
  printf("sigtimedwait %d %s\n", result, strerror(errno));
  union sigval value = {.sival_int = 77};
  sigqueue(getpid(), SIGUSR1, value);
  result = sigtimedwait(&blocked, &information, &soon);
  printf("sigtimedwait %d, value %d, code %d\n", result, information.si_value.sival_int, information.si_code);
  int descriptor = signalfd(-1, &blocked, SFD_CLOEXEC | SFD_NONBLOCK);
  value.sival_int = 78;
  sigqueue(getpid(), SIGUSR2, value);
  struct signalfd_siginfo read_one;
  ssize_t length = read(descriptor, &read_one, sizeof read_one);
  printf("signalfd %zd: %u, value %d\n", length, read_one.ssi_signo, read_one.ssi_int);
  length = read(descriptor, &read_one, sizeof read_one);
  printf("signalfd %zd %s\n", length, strerror(errno));
  close(descriptor);
  sigprocmask(SIG_SETMASK, &before, NULL);
}

static pid_t receiver;

static void* send_later(void* number)
{
  usleep(50000);
  tgkill(getpid(), receiver, *(int*)number);
  return NULL;
}

/* By a descriptor: sent before and during the call; what nobody reads is still pending. */
static void read_faults(const sigset_t* set, int* numbers)
{
  struct signalfd_siginfo found;
  struct timespec none = {0, 0};
  siginfo_t information;
  pthread_t sender;
  int descriptor = signalfd(-1, set, SFD_CLOEXEC);
  struct pollfd wanted = {.fd = descriptor, .events = POLLIN};
  printf("nothing yet %d\n", poll(&wanted, 1, 0));
  for (int i = 0; i < 5; i++) {
    sigqueue(getpid(), numbers[i], (union sigval){.sival_int = 200 + i});
    if (i % 2 == 0)
      kill(getpid(), numbers[(i + 1) % 5]);
    printf("can be read %d\n", poll(&wanted, 1, 1000));
    ssize_t length = read(descriptor, &found, sizeof found);
    printf("read %zd: %u, value %d, own %d\n", length, found.ssi_signo, found.ssi_int, found.ssi_pid == (unsigned)getpid());
    printf("left %d\n", sigtimedwait(set, &information, &none));
  }
  receiver = gettid();
  pthread_create(&sender, NULL, send_later, &numbers[2]);
  ssize_t length = read(descriptor, &found, sizeof found);
  printf("read %zd: %u, code %d\n", length, found.ssi_signo, found.ssi_code);
  pthread_join(sender, NULL);
  close(descriptor);
}

/* Signals that the processor raises, sent by a process and waited for. */
static void waiting_for_faults(void)
{
  int numbers[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP};
  sigset_t set, before;
  sigemptyset(&set);
  for (int i = 0; i < 5; i++)
    sigaddset(&set, numbers[i]);
  sigprocmask(SIG_BLOCK, &set, &before);
  for (int i = 0; i < 5; i++) {
    siginfo_t information;
    memset(&information, 0, sizeof information);
    union sigval value = {.sival_int = 100 + i};
    sigqueue(getpid(), numbers[i], value);
    sigset_t pending;
    sigpending(&pending);
    struct timespec soon = {1, 0};
    int result = sigtimedwait(&set, &information, &soon);
    printf("waited for %d: %d, value %d, was pending %d\n", numbers[i], result, information.si_value.sival_int, sigismember(&pending, numbers[i]));
  }
  read_faults(&set, numbers);
  sigprocmask(SIG_SETMASK, &before, NULL);
}

static void nested(int number, siginfo_t* information, void* context)
{
  (void)information;
  (void)context;
  depth++;
  if (depth > deepest)
    deepest = depth;
  order[ordered++ % 64] = number;
  if (number == SIGUSR1 && ordered < 3)
    raise(SIGUSR2);
  if (number == SIGUSR2 && ordered < 4)
    raise(SIGUSR1);
  order[ordered++ % 64] = -number;
  depth--;
}

static void nesting(void)
{
  for (int defer = 0; defer < 2; defer++) {
    install(SIGUSR1, nested, defer ? SA_NODEFER : 0);
    install(SIGUSR2, nested, 0);
    ordered = depth = deepest = 0;
    raise(SIGUSR1);
    printf("nested:");
    for (int i = 0; i < ordered; i++)
      printf(" %d", order[i]);
    printf("; depth %d\n", (int)deepest);
  }
  install(SIGRTMIN, count, 0);
  install(SIGRTMIN + 1, count, 0);
  sigset_t both, before;
  sigemptyset(&both);
  sigaddset(&both, SIGRTMIN);
  sigaddset(&both, SIGRTMIN + 1);
  sigprocmask(SIG_BLOCK, &both, &before);
  seen = ordered = 0;
  for (int i = 0; i < 12; i++) {
    union sigval value = {.sival_int = i};
    sigqueue(getpid(), SIGRTMIN + (i + 1) % 2, value);
  }
  sigprocmask(SIG_SETMASK, &before, NULL);
  printf("queued:");
  for (int i = 0; i < ordered; i++)
    printf(" %d", order[i] - SIGRTMIN * 1000);
  printf("\n");
}

static volatile sig_atomic_t expired;

static void expire(int number, siginfo_t* information, void* context)
{
  (void)number;
  (void)context;
  if (information->si_code == SI_TIMER && information->si_value.sival_int == 5)
    expired++;
}

static void timers(void)
{
  install(SIGRTMIN + 2, expire, SA_RESTART);
  struct sigevent event;
  memset(&event, 0, sizeof event);
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = SIGRTMIN + 2;
  event.sigev_value.sival_int = 5;
  timer_t timer;
  timer_create(CLOCK_MONOTONIC, &event, &timer);
  struct itimerspec times = {{0, 2000000}, {0, 2000000}};
  timer_settime(timer, 0, &times, NULL);
  double start = seconds();
  while (expired < 20 && seconds() - start < 20)
    ;
  timer_delete(timer);
  printf("timer expired often: %d\n", expired >= 20);
  int descriptor = timerfd_create(CLOCK_MONOTONIC, 0);
  struct itimerspec once = {{0, 0}, {0, 5000000}};
  timerfd_settime(descriptor, 0, &once, NULL);
  unsigned long long expirations = 0;
  ssize_t length = read(descriptor, &expirations, sizeof expirations);
  printf("timerfd %zd %llu\n", length, expirations);
  close(descriptor);
}

static void fatal(void)
{
  int numbers[] = {SIGSEGV, SIGABRT, SIGTERM, SIGKILL, SIGUSR1, SIGQUIT, SIGFPE, SIGILL, SIGRTMIN + 3, SIGPIPE, SIGXCPU};
  for (size_t i = 0; i < sizeof numbers / sizeof numbers[0]; i++) {
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
      struct rlimit none = {0, 0};
      setrlimit(RLIMIT_CORE, &none);
      signal(numbers[i], SIG_DFL);
      volatile int zero = 0;
      if (numbers[i] == SIGSEGV)
        *(volatile char*)(zero + 8L) = 1;
      else if (numbers[i] == SIGFPE)
        zero = 10 / zero;
      else if (numbers[i] == SIGILL)
        __asm__ volatile("ud2");
      else
        kill(getpid(), numbers[i]);
      _exit(99);
    }
    int status = 0;
    waitpid(child, &status, 0);
    printf("child ended by %d: %d\n", numbers[i] < 32 ? numbers[i] : 99, WIFSIGNALED(status) && WTERMSIG(status) == numbers[i]);
  }
}

int main(void)
{
  setvbuf(stdout, NULL, _IOLBF, 0);
  spinning();
  jump_to_itself();
  restarting();
  suspending();
  waiting_for_faults();
  nesting();
  timers();
  fatal();
  return 0;
}
