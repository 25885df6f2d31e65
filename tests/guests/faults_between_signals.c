/* Instructions fault while other signals are on their way: each handler sees the instruction that it is about, and no
 * signal is lost. */
#define _GNU_SOURCE
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

void load(void* address);
void behind_load(void);
__asm__(".globl load\nload: mov (%rdi), %eax\n.globl behind_load\nbehind_load: ret\n");

enum { FAULTS = 5000, NOWHERE = 8192, QUEUED = 1000 };

static volatile sig_atomic_t loads, calls, others, ticks, queued;

static void on_fault(int number, siginfo_t* information, void* context)
{
  greg_t* registers = ((ucontext_t*)context)->uc_mcontext.gregs;
  (void)number;
  if (registers[REG_RIP] == (greg_t)load && information->si_addr == (void*)16) {
    registers[REG_RIP] = (greg_t)behind_load;
    loads++;
  } else if (registers[REG_RIP] == NOWHERE && information->si_addr == (void*)NOWHERE) {
    registers[REG_RIP] = *(greg_t*)registers[REG_RSP];
    registers[REG_RSP] += 8;
    calls++;
  } else {
    printf("a fault at %llx, address %p\n", registers[REG_RIP], information->si_addr);
    others++;
    _exit(1);
  }
}

static void on_tick(int number)
{
  (void)number;
  ticks++;
}

static void on_queued(int number)
{
  (void)number;
  queued++;
}

/* Signals of a kind that queue, so that each counts. */
static void* send(void* target)
{
  union sigval value = {0};
  for (int i = 0; i < QUEUED; i++) {
    while (pthread_sigqueue(*(pthread_t*)target, SIGRTMIN, value) != 0)
      usleep(100);
    if (i % 8 == 0)
      usleep(20);
  }
  return NULL;
}

int main(void)
{
  struct sigaction action = {.sa_sigaction = on_fault, .sa_flags = SA_SIGINFO};
  sigaction(SIGSEGV, &action, NULL);
  struct sigaction counting = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &counting, NULL);
  counting.sa_handler = on_queued;
  sigaction(SIGRTMIN, &counting, NULL);
  struct itimerval often = {{0, 200}, {0, 200}};
  pthread_t self = pthread_self(), sender;
  pthread_create(&sender, NULL, send, &self);
  setitimer(ITIMER_REAL, &often, NULL);
  for (int i = 0; i < FAULTS || queued < QUEUED; i++) {
    load((void*)16);
    ((void (*)(void))NOWHERE)();
  }
  pthread_join(sender, NULL);
  struct itimerval never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &never, NULL);
  printf("as many loads as calls %d, others %d, ticks %d, queued %d\n",
         loads == calls && loads >= FAULTS, others, ticks > 10, queued);
  return 0;
}
