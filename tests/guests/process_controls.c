/* What a thread can ask of the kernel about its own instructions: to get system calls as signals, to have no memory
 * that is writable and executable, to be interrupted by CPUID. */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <ucontext.h>
#include <unistd.h>

#define USER_DISPATCH 59
#define DENY_WRITABLE_CODE 65
#define IS_WRITABLE_CODE_DENIED 66
#define GET_CPUID 0x1011
#define SET_CPUID 0x1012

static volatile char selector;
static volatile int calls, faults, turn;

static int wait_for(pid_t child)
{
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static long dispatch(unsigned long mode, unsigned long start, unsigned long length, volatile char* byte)
{
  return prctl(USER_DISPATCH, mode, start, length, byte) == 0 ? 0 : -errno;
}

/* The call has not been made: the handler gives a value in its place. */
static void on_call(int signal, siginfo_t* information, void* pointer)
{
  ucontext_t* context = pointer;
  selector = 0;
  calls++;
  int is_behind = (uintptr_t)information->si_call_addr == (uintptr_t)context->uc_mcontext.gregs[REG_RIP];
  printf("signal %d, code %d, call %d of %x, number in rax %lld, address behind it: %d\n", signal, information->si_code,
         information->si_syscall, information->si_arch, context->uc_mcontext.gregs[REG_RAX], is_behind);
  context->uc_mcontext.gregs[REG_RAX] = 77;
}

/* Meanwhile the other thread makes no calls. */
static void* calls_in_thread(void* argument)
{
  while (turn != 1)
    ;
  selector = 1;
  long process = syscall(SYS_getppid);
  selector = 0;
  turn = 2;
  return process == getppid() ? argument : NULL;
}

static void calls_as_signals(void)
{
  printf("off %ld, with a range %ld, unknown %ld\n", dispatch(0, 0, 0, NULL), dispatch(0, 1, 1, NULL),
         dispatch(7, 0, 0, NULL));
  printf("range beyond the end %ld, selector there %ld\n", dispatch(1, 8, -8ul, NULL),
         dispatch(1, 0, 0, (volatile char*)-1ul));
  struct sigaction action = {.sa_sigaction = on_call, .sa_flags = SA_SIGINFO};
  sigaction(SIGSYS, &action, NULL);
  printf("on %ld\n", dispatch(1, 0, 0, &selector));
  for (int i = 0; i < 3; i++) {
    selector = 1;
    long value = syscall(SYS_getppid, i);
    selector = 0;
    printf("value %ld after %d\n", value, calls);
  }
  pthread_t thread;
  void* inherits_nothing = NULL;
  pthread_create(&thread, NULL, calls_in_thread, (void*)&selector);
  turn = 1;
  while (turn != 2)
    ;
  pthread_join(thread, &inherits_nothing);
  printf("other thread makes calls: %d\n", inherits_nothing != NULL);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    selector = 1;
    _exit(getppid() > 1 ? 3 : 4);
  }
  printf("child %d\n", wait_for(child));
  fflush(stdout);
  /* Calls from this library are made. */
  uintptr_t here = (uintptr_t)&syscall & ~0xfffful;
  printf("range %ld\n", dispatch(1, here - 0x200000, 0x400000, &selector));
  selector = 1;
  long process = syscall(SYS_getppid);
  selector = 0;
  printf("made: %d, signals %d\n", process == getppid(), calls);
  /* The other way round; kernels before 6.16 cannot. */
  if (dispatch(2, here - 0x200000, 0x400000, &selector) == 0) {
    selector = 1;
    process = syscall(SYS_getppid);
    selector = 0;
    printf("only from the library: %ld, signals %d\n", process, calls);
  }
  printf("empty range %ld\n", dispatch(2, here, 0, &selector));
  fflush(stdout);
  child = fork();
  if (child == 0) {
    dispatch(1, 0, 0, &selector);
    selector = 5;
    _exit(6);
  }
  printf("selector of no meaning %d\n", wait_for(child));
  fflush(stdout);
  child = fork();
  if (child == 0) {
    dispatch(1, 0, 0, (volatile char*)16);
    _exit(6);
  }
  printf("selector that cannot be read %d\n", wait_for(child));
  fflush(stdout);
  child = fork();
  if (child == 0) {
    signal(SIGSYS, SIG_IGN);
    dispatch(1, 0, 0, &selector);
    selector = 1;
    _exit(6);
  }
  printf("signal ignored %d\n", wait_for(child));
  printf("off %ld\n", dispatch(0, 0, 0, NULL));
}

static void* give_back(void* argument)
{
  return argument;
}

static void code_that_is_not_writable(void)
{
  int outcome = prctl(DENY_WRITABLE_CODE, 1, 0, 0, 0);
  printf("denied %d, is %d\n", outcome, prctl(IS_WRITABLE_CODE_DENIED, 0, 0, 0, 0));
  void* code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  printf("mapped %d: %d\n", code != MAP_FAILED, errno);
  char* data = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  printf("made executable %d: %d\n", mprotect(data, 4096, PROT_READ | PROT_EXEC), errno);
  for (int round = 0; round < 20; round++) {
    pthread_t threads[50];
    long sum = 0;
    for (long i = 0; i < 50; i++)
      if (pthread_create(&threads[i], NULL, give_back, (void*)i) != 0)
        printf("no thread\n");
    for (int i = 0; i < 50; i++) {
      void* value = NULL;
      pthread_join(threads[i], &value);
      sum += (long)value;
    }
    if (sum != 1225)
      printf("sum %ld\n", sum);
  }
  fflush(stdout);
  pid_t child = fork();
  if (child == 0)
    _exit(prctl(IS_WRITABLE_CODE_DENIED, 0, 0, 0, 0));
  printf("child %d\n", wait_for(child));
}

static void on_fault(int signal, siginfo_t* information, void* pointer)
{
  ucontext_t* context = pointer;
  const unsigned char* code = (const unsigned char*)context->uc_mcontext.gregs[REG_RIP];
  faults++;
  printf("signal %d, code %d, address %p, exception %lld, error %lld, at %02x %02x\n", signal, information->si_code,
         information->si_addr, context->uc_mcontext.gregs[REG_TRAPNO], context->uc_mcontext.gregs[REG_ERR], code[0],
         code[1]);
  context->uc_mcontext.gregs[REG_RIP] += 2;
  context->uc_mcontext.gregs[REG_RAX] = 42;
}

static unsigned identify(void)
{
  unsigned a = 0, b, c = 0, d;
  __asm__ volatile("cpuid" : "+a"(a), "=b"(b), "+c"(c), "=d"(d));
  return a;
}

static void* identify_in_thread(void* result)
{
  *(unsigned*)result = identify();
  return NULL;
}

static void interrupted_by_cpuid(void)
{
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, NULL);
  unsigned known = identify(), in_thread = 0;
  long outcome = syscall(SYS_arch_prctl, SET_CPUID, 0);
  /* Not all processors can. */
  printf("forbidden %ld, allowed %ld\n", outcome, syscall(SYS_arch_prctl, GET_CPUID, 0));
  if (outcome != 0)
    return;
  printf("answer %u, faults %d\n", identify(), faults);
  pthread_t thread;
  pthread_create(&thread, NULL, identify_in_thread, &in_thread);
  pthread_join(thread, NULL);
  printf("thread %u, faults %d\n", in_thread, faults);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0) {
    printf("child %u\n", identify());
    fflush(stdout);
    _exit(0);
  }
  wait_for(child);
  outcome = syscall(SYS_arch_prctl, SET_CPUID, 1);
  printf("allowed again %ld: %d, faults %d\n", outcome, identify() == known, faults);
}

int main(void)
{
  calls_as_signals();
  interrupted_by_cpuid();
  code_that_is_not_writable();
  return 0;
}
