/* Calls of mathematical functions with active arguments that are interrupted: by handlers that call others, that leave by
 * a jump, or that walk through the stack; by comparisons of a sort that are such calls themselves; by other contexts. */
#define _GNU_SOURCE
#include "check.h"
#include <execinfo.h>
#include <math.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>

static double scale;
static double scale_dot = 1;

/* What a loop of calls sums up, and its derivative with respect to the scale by hand. */
static APART double sum_of_calls(int count)
{
  double sum = 0;
  for (int i = 0; i < count; i++) {
    double x = scale * (1 + i % 7) / 4;
    sum += sin(x) * exp(-x) + pow(x, 1.5) + atan2(x, 2.0);
  }
  return sum;
}

static APART double slope_of_calls(double t, int count)
{
  double slope = 0;
  for (int i = 0; i < count; i++) {
    double step = (1 + i % 7) / 4.0, x = t * step;
    slope += step * ((cos(x) - sin(x)) * exp(-x) + 1.5 * sqrt(x) + 2 / (x * x + 4));
  }
  return slope;
}

static volatile sig_atomic_t mode;
static volatile int handled;
static volatile double from_handler;
static sigjmp_buf before;

enum { CALLS, JUMPS, WALKS };

static void handler(int signal)
{
  (void)signal;
  handled++;
  if (mode == CALLS) {
    from_handler = log(scale) + tgamma(scale);
  } else if (mode == JUMPS) {
    siglongjmp(before, 1);
  } else {
    void* addresses[16];
    backtrace(addresses, 16);
  }
}

static void install(int flags)
{
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = handler;
  action.sa_flags = flags;
  sigaction(SIGVTALRM, &action, NULL);
}

static void timer(int microseconds)
{
  struct itimerval interval = {{0, microseconds}, {0, microseconds}};
  setitimer(ITIMER_VIRTUAL, &interval, NULL);
}

/* Until so many signals have come. The sums are all the same; that whose dot value is farthest from the slope counts. */
static APART double interrupted(int least, double slope)
{
  double result = sum_of_calls(2000);
  const int end = handled + least;
  timer(1000);
  do {
    double sum = sum_of_calls(2000);
    if (fabs(dot_of(sum) - slope) > fabs(dot_of(result) - slope))
      result = sum;
  } while (handled < end);
  timer(0);
  return result;
}

/* Each signal begins again. */
static APART double interrupted_by_jumps(int least)
{
  const int end = handled + least;
  timer(1000);
  sigsetjmp(before, 1);
  while (handled < end)
    sum_of_calls(100);
  timer(0);
  return sum_of_calls(2000);
}

static int by_sine(const void* one, const void* other)
{
  double a = sin(*(const double*)one), b = sin(*(const double*)other);
  return (a > b) - (a < b);
}

/* A sort whose comparisons are calls. */
static APART double sorted(void)
{
  double numbers[64];
  for (int i = 0; i < 64; i++)
    numbers[i] = scale * (i * 37 % 64) / 10;
  qsort(numbers, 64, sizeof numbers[0], by_sine);
  return numbers[20];
}

static ucontext_t main_context, other_context;
static char other_stack[256 << 10];
static double others;

static void other(void)
{
  for (int i = 1; i <= 3; i++) {
    others += exp(scale * i);
    swapcontext(&other_context, &main_context);
  }
}

static APART double by_turns(void)
{
  double sum = 0;
  getcontext(&other_context);
  other_context.uc_stack.ss_sp = other_stack;
  other_context.uc_stack.ss_size = sizeof other_stack;
  makecontext(&other_context, other, 0);
  for (int i = 1; i <= 3; i++) {
    sum += sin(scale * i);
    swapcontext(&main_context, &other_context);
    sum += cos(scale * i);
  }
  return sum + others;
}

static void* of_thread(void* result)
{
  *(double*)result = sum_of_calls(1000);
  return NULL;
}

static APART double in_threads(void)
{
  pthread_t threads[3];
  double results[3];
  for (int i = 0; i < 3; i++)
    pthread_create(&threads[i], NULL, of_thread, &results[i]);
  double sum = sum_of_calls(1000);
  for (int i = 0; i < 3; i++) {
    pthread_join(threads[i], NULL);
    sum += results[i];
  }
  return sum;
}

int main(void)
{
  static char handler_stack[256 << 10];
  const double t = 1.25;
  /* The first call loads a library. */
  void* addresses[4];
  backtrace(addresses, 4);
  scale = t;
  ACTIVATE(scale, scale_dot);
  const double slope = slope_of_calls(t, 2000);
  /* A tape keeps all sums. */
  const int signals = DG_GET_MODE == DERIVGRIND_MODE_RECORDING ? 2 : 10;
  check("calls", sum_of_calls(2000), slope);
  const stack_t stack = {.ss_sp = handler_stack, .ss_size = sizeof handler_stack};
  sigaltstack(&stack, NULL);
  for (int flags = 0; flags <= SA_ONSTACK; flags += SA_ONSTACK) {
    install(flags);
    for (mode = CALLS; mode <= WALKS; mode++)
      check("interrupted calls", mode == JUMPS ? interrupted_by_jumps(signals) : interrupted(signals, slope), slope);
    /* The digamma function of 5/4. */
    check("calls in the handler", from_handler, 1 / t + tgamma(t) * (4 - 0.57721566490153286 - M_PI / 2 - 3 * M_LN2));
  }
  double place = passive(sorted()) / t;
  check("sorted by calls", sorted(), place);
  double expected = 0;
  for (int i = 1; i <= 3; i++)
    expected += i * (exp(t * i) + cos(t * i) - sin(t * i));
  check("calls by turns", by_turns(), expected);
  check("calls in threads", in_threads(), 4 * slope_of_calls(t, 1000));
  return 0;
}
