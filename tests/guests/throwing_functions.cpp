// Functions with the user's derivatives that are left by exceptions, jumps and the end of their thread, or whose
// callbacks look at the stack.
#include "check.h"
#include <csetjmp>
#include <cstring>
#include <execinfo.h>
#include <pthread.h>
#include <stdexcept>
#include <string>
#include <ucontext.h>
#include <unistd.h>

using Callback = void (*)(int);
extern "C" {
extern int guards;
double closed_calling(double x, Callback callback, int number);
double closed_catching(double x, Callback callback, int number);
double closed_rethrowing(double x, Callback callback, int number);
}

static double active;
static jmp_buf place;
static volatile int frames;

static void nothing(int) {}
static void throwing(int number) { throw std::runtime_error(std::to_string(number)); }
static void jumping(int number) { longjmp(place, number); }
static void ending(int) { pthread_exit(&active); }
static void waiting(int)
{
  for (;;)
    pause();
}
static void looking(int)
{
  void* found[100];
  frames = backtrace(found, 100);
}
static void catching_another(int number)
{
  check("inside", closed_catching(active, throwing, number), 3);
}
static void throwing_deeper(int number)
{
  if (number > 0)
    closed_calling(active, throwing_deeper, number - 1);
  throw number;
}

static void* thread_with(void* callback)
{
  closed_calling(active, reinterpret_cast<Callback>(callback), 0);
  return nullptr;
}

static APART double sum_with_exceptions(int count)
{
  double sum = 0;
  for (int i = 0; i < count; i++) {
    try {
      sum += closed_calling(active, i % 3 == 0 ? throwing : nothing, i);
    } catch (const std::exception& error) {
      sum += std::strlen(error.what());
    }
  }
  return sum;
}

// Two stacks, one below the other in the same memory: a function waits on one while exceptions pass on the other.
static char stacks[2][1 << 16];
static ucontext_t contexts[2], main_context;

static void switching(int) { swapcontext(&contexts[0], &main_context); }
static void wait_in_function() { check("on another stack", closed_calling(active, switching, 0), 2); }
static void throw_and_catch() { check("meanwhile", sum_with_exceptions(4), 4); }

static void with_stacks()
{
  void (*const functions[])() = { wait_in_function, throw_and_catch };
  for (int i = 0; i < 2; i++) {
    getcontext(&contexts[i]);
    contexts[i].uc_stack.ss_sp = stacks[i];
    contexts[i].uc_stack.ss_size = sizeof stacks[i];
    contexts[i].uc_link = &main_context;
    makecontext(&contexts[i], functions[i], 0);
    swapcontext(&main_context, &contexts[i]);
  }
  swapcontext(&main_context, &contexts[0]);
}

int main()
{
  active = input(1.5, 1);
  check("without", closed_calling(active, nothing, 0), 2);
  check("thrown in a loop", sum_with_exceptions(30), 40);
  check("caught", closed_catching(active, throwing, 1), 3);
  check("caught around another", closed_catching(active, catching_another, 1), 3);
  try {
    closed_rethrowing(active, throwing, 77);
  } catch (const std::exception& error) {
    std::printf("thrown on %s %d\n", error.what(), guards);
  }
  try {
    throwing_deeper(200);
  } catch (int number) {
    std::printf("deep %d %d\n", number, guards);
  }
  // One that stays, below one that catches, below one that throws on.
  try {
    check("both", closed_catching(closed_catching(active, throwing, 1), throwing_deeper, 20), 9);
    closed_rethrowing(active, catching_another, 3);
    closed_rethrowing(active, throwing_deeper, 3);
  } catch (int number) {
    std::printf("again %d %d\n", number, guards);
  }
  check("backtrace", closed_calling(active, looking, 0), 2);
  std::printf("frames %d\n", frames);
  if (setjmp(place) == 0)
    closed_calling(active, jumping, 1);
  check("behind a jump", closed_calling(active, nothing, 0), 2);
  check("passive", closed_calling(passive(active), nothing, 0), 0);
  for (Callback callback : { ending, waiting }) {
    pthread_t thread;
    void* result = nullptr;
    pthread_create(&thread, nullptr, thread_with, reinterpret_cast<void*>(callback));
    if (callback == waiting)
      pthread_cancel(thread);
    pthread_join(thread, &result);
    std::printf("ended %d %d %d\n", result == &active, result == PTHREAD_CANCELED, guards);
  }
  with_stacks();
  check("at the end", closed_calling(active, nothing, 0), 2);
  return 0;
}
