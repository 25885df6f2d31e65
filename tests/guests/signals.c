/* Synchronous and asynchronous signals: repaired faults, jumps out of handlers, alternate stacks, timers. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static sigjmp_buf place;
static volatile sig_atomic_t ticks, seen;
static char* page;
static char alternate[65536];
static volatile int on_alternate;
static volatile double handled;

static void jump_out(int signal_number, siginfo_t* information, void* context)
{
  (void)context;
  seen = signal_number * 100 + information->si_code;
  siglongjmp(place, 1);
}

static void repair(int signal_number, siginfo_t* information, void* context)
{
  (void)signal_number;
  (void)context;
  int own = (char*)information->si_addr >= page && (char*)information->si_addr < page + 4096;
  char marker;
  on_alternate = &marker >= alternate && &marker < alternate + sizeof alternate;
  if (!own)
    _exit(90);
  mprotect(page, 4096, PROT_READ | PROT_WRITE);
}

static void skip(int signal_number, siginfo_t* information, void* context)
{
  (void)signal_number;
  (void)information;
  ucontext_t* state = (ucontext_t*)context;
  state->uc_mcontext.gregs[REG_RIP] += 2;
  state->uc_mcontext.gregs[REG_RAX] = 1234;
}

static void tick(int signal_number)
{
  (void)signal_number;
  ticks++;
  handled = handled * 0.5 + 1;
}

static void install(int number, void (*handler)(int, siginfo_t*, void*), int flags)
{
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = handler;
  action.sa_flags = SA_SIGINFO | flags;
  sigaction(number, &action, NULL);
}

static void faults(void)
{
  install(SIGSEGV, jump_out, 0);
  if (sigsetjmp(place, 1) == 0)
    *(volatile int*)8 = 1;
  printf("null pointer: %d\n", seen);
  install(SIGFPE, jump_out, 0);
  volatile int zero = 0;
  if (sigsetjmp(place, 1) == 0)
    printf("%d\n", 1 / zero);
  printf("division: %d\n", seen);
  install(SIGILL, jump_out, 0);
  if (sigsetjmp(place, 1) == 0)
    __asm__ volatile("ud2");
  printf("ud2: %d\n", seen);
  install(SIGTRAP, jump_out, 0);
  if (sigsetjmp(place, 1) == 0)
    __asm__ volatile("int3");
  printf("int3: %d\n", seen);
  install(SIGSEGV, jump_out, 0);
  if (sigsetjmp(place, 1) == 0)
    ((void (*)(void))page)();
  printf("jump to data: %d\n", seen);
  install(SIGILL, skip, 0);
  long result = 0;
  __asm__ volatile("ud2" : "+a"(result));
  printf("skipped: %ld\n", result);
}

static void repairs(void)
{
  stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
  sigaltstack(&stack, NULL);
  install(SIGSEGV, repair, SA_ONSTACK);
  double sum = 0;
  for (int i = 0; i < 50; i++) {
    mprotect(page, 4096, PROT_NONE);
    ((volatile double*)page)[i] = i * 0.25;
    mprotect(page, 4096, PROT_NONE);
    sum += ((volatile double*)page)[i] * 3;
  }
  printf("repaired: %g on the alternate stack: %d\n", sum, on_alternate);
}

static void timers(void)
{
  signal(SIGALRM, tick);
  struct itimerval interval = {{0, 2000}, {0, 2000}};
  setitimer(ITIMER_REAL, &interval, NULL);
  volatile double x = 0;
  unsigned long spins = 0;
  while (ticks < 25) {
    x = x * 0.75 + 1;
    spins++;
  }
  memset(&interval, 0, sizeof interval);
  setitimer(ITIMER_REAL, &interval, NULL);
  printf("spinning loop was interrupted, x = %.10g, %d\n", x > 3.99 && spins > 25 ? 4.0 : x, handled > 1.9);
  ticks = 0;
  /* A loop without calls or memory. */
  interval.it_value.tv_usec = 1000;
  if (sigsetjmp(place, 1) == 0) {
    install(SIGALRM, jump_out, 0);
    setitimer(ITIMER_REAL, &interval, NULL);
    __asm__ volatile("1: jmp 1b");
  }
  printf("left an endless loop: %d\n", seen);
  signal(SIGALRM, tick);
  alarm(1);
  ticks = 0;
  int result = pause();
  printf("pause: %d %d\n", result, errno == EINTR);
}

static void masks(void)
{
  sigset_t set, pending, old;
  sigemptyset(&set);
  sigaddset(&set, SIGUSR1);
  signal(SIGUSR1, tick);
  ticks = 0;
  sigprocmask(SIG_BLOCK, &set, &old);
  raise(SIGUSR1);
  raise(SIGUSR1);
  sigpending(&pending);
  printf("blocked: %d pending: %d\n", (int)ticks, sigismember(&pending, SIGUSR1));
  sigsuspend(&old);
  printf("after sigsuspend: %d\n", (int)ticks);
  raise(SIGUSR1);
  int number = 0;
  sigwait(&set, &number);
  printf("sigwait: %d\n", number);
  union sigval value = {.sival_int = 5};
  sigqueue(getpid(), SIGUSR1, value);
  siginfo_t information;
  sigwaitinfo(&set, &information);
  printf("queued: %d\n", information.si_value.sival_int);
  sigprocmask(SIG_SETMASK, &old, NULL);
}

static void* wait_for_signal(void* argument)
{
  volatile sig_atomic_t* counter = (volatile sig_atomic_t*)argument;
  while (*counter == 0) {
  }
  return NULL;
}

static void threads(void)
{
  pthread_t thread;
  signal(SIGUSR2, tick);
  ticks = 0;
  pthread_create(&thread, NULL, wait_for_signal, (void*)&ticks);
  pthread_kill(thread, SIGUSR2);
  pthread_join(thread, NULL);
  printf("thread was told: %d\n", (int)ticks);
}

int main(void)
{
  page = (char*)mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  faults();
  repairs();
  timers();
  masks();
  threads();
  fflush(stdout);
  signal(SIGSEGV, SIG_DFL);
  pid_t child = fork();
  if (child == 0) {
    *(volatile int*)16 = 1;
    _exit(0);
  }
  int status;
  waitpid(child, &status, 0);
  printf("child died of %d\n", WTERMSIG(status));
  fflush(stdout);
  raise(SIGTERM);
  return 0;
}
