/* Signals in the middle of blocks that compute with active numbers: a fault whose handler computes, too, and lets the
 * instruction run again; a fault that is left by a jump; a timer. Nothing of what was under way gets lost or mixed up. */
#define _GNU_SOURCE
#include "check.h"
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/time.h>

#define PAGE 4096

static REAL* page;
static volatile REAL factor, in_handler;
static volatile int faults;
static volatile sig_atomic_t ticks;
static sigjmp_buf back;

static void open_page(int number, siginfo_t* info, void* context)
{
  (void)number, (void)info, (void)context;
  mprotect(page, PAGE, PROT_READ | PROT_WRITE);
  REAL cube = factor * factor * factor;
  in_handler = in_handler + cube;
  faults++;
}

static void jump_back(int number)
{
  (void)number;
  in_handler = factor * 7;
  siglongjmp(back, 1);
}

static void tick(int number)
{
  (void)number;
  REAL power = factor;
  for (int i = 0; i < 5; i++)
    power = power * factor - power / factor;
  in_handler = power;
  ticks++;
}

/* The page is read and written between operations of one block. */
static APART REAL across_faults(REAL x, REAL y)
{
  REAL before = x * y + x;
  REAL loaded = before * page[1] + y;
  REAL stored = loaded * x - before;
  page[2] = stored * 2;
  return stored + page[2] * y;
}

#define EACH(DO) DO(0) DO(1) DO(2) DO(3) DO(4) DO(5) DO(6) DO(7) DO(8) DO(9) DO(10) DO(11) DO(12) DO(13) DO(14) DO(15)
#define LOAD(n) "movsd 8*" #n "(%0), %%xmm" #n "\n\t"
#define TWICE(n) "addsd %%xmm" #n ", %%xmm" #n "\n\t"
#define STORE(n) "movsd %%xmm" #n ", 8*" #n "(%0)\n\t"
#define NAME(n) , "xmm" #n

/* All vector registers are active where one instruction faults. */
static APART void with_all_registers(double* numbers, const double* factors)
{
  __asm__ volatile(EACH(LOAD) EACH(TWICE) "mulsd (%1), %%xmm3\n\tdivsd 8(%1), %%xmm4\n\t" EACH(STORE)
                   :
                   : "r"(numbers), "r"(factors)
                   : "memory" EACH(NAME));
}

static void handle(int number, void (*handler)(int))
{
  struct sigaction action = {0};
  action.sa_handler = handler;
  sigaction(number, &action, NULL);
}

int main(void)
{
  REAL x = input(1.25, 2), y = input(-0.5, 3);
  factor = input(1.5, 1);
  page = (REAL*)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED)
    return 1;
  struct sigaction action = {0};
  action.sa_sigaction = open_page;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGSEGV, &action, NULL);
  REAL before = x * y + x, before_dot = 2 * y + 3 * x + 2;
  for (int i = 0; i < 20; i++) {
    in_handler = 0;
    page[1] = x;
    mprotect(page, PAGE, i % 3 == 0 ? PROT_NONE : i % 3 == 1 ? PROT_READ : PROT_READ | PROT_WRITE);
    REAL result = across_faults(x, y);
    REAL loaded = before * x + y, loaded_dot = before_dot * x + before * 2 + 3;
    REAL stored_dot = loaded_dot * x + loaded * 2 - before_dot, stored = loaded * x - before;
    check("across a fault", result, stored_dot + 2 * (stored_dot * y + stored * 3));
    check("in the page", page[2], 2 * stored_dot);
    check("in the handler of a fault", in_handler, i % 3 == 2 ? 0 : 3 * factor * factor);
  }
  check("faults", (REAL)faults, 0);
  for (int i = 0; i < 3; i++) {
    double numbers[16];
    double* factors = (double*)(page + 16);
    for (int k = 0; k < 16; k++)
      numbers[k] = (double)x * (k + 1);
    factors[0] = (double)y;
    factors[1] = (double)x;
    mprotect(page, PAGE, PROT_NONE);
    with_all_registers(numbers, factors);
    for (int k = 0; k < 16; k++) {
      REAL number = 2 * x * (k + 1), dot = 4 * (k + 1);
      check("with all registers", (REAL)numbers[k], k == 3 ? dot * y + number * 3 : k == 4 ? 0 : dot);
    }
  }
  handle(SIGSEGV, jump_back);
  REAL kept = 0;
  for (volatile int i = 0; i < 5; i++) {
    if (sigsetjmp(back, 1) == 0) {
      mprotect(page, PAGE, PROT_NONE);
      kept = across_faults(x * 2, y);
    }
    kept = x * 3 - in_handler;
    check("after a jump out of a handler", kept, 6 - 7);
  }
  handle(SIGALRM, tick);
  struct itimerval every = {{0, 500}, {0, 500}}, never = {{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &every, NULL);
  REAL sum = 0, expected = 0, difference = 0;
  for (long i = 0; ticks < 40 && i < 2000000000; i++) {
    /* A sum that does not depend on the number of turns. */
    REAL turn = (x + y) * (x - y) - x * x + y * y;
    difference = difference * (REAL)0.5 + turn * x;
    sum = sum * (REAL)0.5 + x * y * (REAL)0.5;
  }
  setitimer(ITIMER_REAL, &never, NULL);
  expected = 2 * y + 3 * x;
  check("while a timer goes off", sum, expected);
  check("nothing while a timer goes off", difference, 0);
  /* power' = power * (factor - 1 / factor), five times */
  REAL step = factor - 1 / factor, step_dot = 1 + 1 / (factor * factor), power = factor, power_dot = 1;
  for (int i = 0; i < 5; i++) {
    power_dot = power_dot * step + power * step_dot;
    power = power * step;
  }
  check("in the handler of a timer", in_handler, power_dot);
  return 0;
}
