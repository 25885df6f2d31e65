/* Numbers that another thread changes between two loads of one straight piece of code, which has synchronised with it:
 * by flags, by an atomic operation, on its stack. The code has no loop to wait in, so it takes its time by searching
 * memory, and is run again if that was too short. And an operand whose register is changed by a `loop` that falls
 * through. */
#include "check.h"
#include <pthread.h>
#include <stdlib.h>

#define TRIES 1000
#define SEARCHED 4000000

/* Named by the code below. */
double shared, factor, first, second, given, two = 2, elements[4];
volatile double* place;
volatile int ready, asked, answered, completed;
const char* searched;

static void* answer(void* exchanges)
{
  ready = 1;
  while (!asked) {
  }
  if (exchanges) {
    double new = 2 * given;
    __asm__ volatile("movq %0, %%rax\n xchg %%rax, (%1)\n" : : "x"(new), "r"(place) : "rax", "memory");
  } else {
    *place = 2 * given;
  }
  __asm__ volatile("" ::: "memory");
  answered = 1;
  return NULL;
}

#define SEARCH "mov searched(%%rip), %%rdi\n mov %0, %%rcx\n mov $1, %%eax\n repne scasb\n"
#define CHANGED "rax", "rcx", "rdx", "rsi", "rdi", "xmm1", "xmm2", "xmm3", "xmm4", "memory", "cc"

static APART void by_flags(void)
{
  __asm__ volatile("movsd factor(%%rip), %%xmm1\n"
                   "movsd shared(%%rip), %%xmm2\n mulsd %%xmm1, %%xmm2\n movsd %%xmm2, first(%%rip)\n"
                   "movl $1, asked(%%rip)\n" SEARCH
                   "mov answered(%%rip), %%eax\n test %%eax, %%eax\n je 1f\n"
                   "movsd shared(%%rip), %%xmm3\n mulsd %%xmm1, %%xmm3\n movsd %%xmm3, second(%%rip)\n"
                   "movl $1, completed(%%rip)\n"
                   "1:\n"
                   :
                   : "i"(SEARCHED)
                   : CHANGED);
}

static APART void by_atomic(void)
{
  __asm__ volatile("movsd factor(%%rip), %%xmm1\n mulsd %%xmm1, %%xmm1\n"
                   "movsd shared(%%rip), %%xmm2\n mulsd two(%%rip), %%xmm2\n movsd shared(%%rip), %%xmm4\n"
                   "movsd %%xmm4, first(%%rip)\n"
                   "movq %%xmm2, %%rdx\n movq %%xmm4, %%rsi\n"
                   "movl $1, asked(%%rip)\n" SEARCH
                   "mov %%rsi, %%rax\n"
                   "lock cmpxchg %%rdx, shared(%%rip)\n"
                   "je 1f\n"
                   "movq %%rax, %%xmm3\n mulsd factor(%%rip), %%xmm3\n movsd %%xmm3, second(%%rip)\n"
                   "movl $1, completed(%%rip)\n"
                   "1:\n"
                   :
                   : "i"(SEARCHED)
                   : CHANGED);
}

/* Number and flags side by side, as in a structure. */
static APART void on_stack(void)
{
  __asm__ volatile("sub $1024, %%rsp\n"
                   "movsd shared(%%rip), %%xmm2\n movsd %%xmm2, 8(%%rsp)\n movl $0, 16(%%rsp)\n"
                   "lea 8(%%rsp), %%rax\n mov %%rax, place(%%rip)\n"
                   "lea 2f(%%rip), %%rax\n jmp *%%rax\n 2:\n"
                   "movsd factor(%%rip), %%xmm1\n"
                   "movsd 8(%%rsp), %%xmm2\n mulsd %%xmm1, %%xmm2\n movsd 8(%%rsp), %%xmm4\n"
                   "movl $1, 16(%%rsp)\n movl $1, asked(%%rip)\n" SEARCH
                   "mov answered(%%rip), %%eax\n test %%eax, %%eax\n je 1f\n"
                   "movsd 8(%%rsp), %%xmm3\n mulsd %%xmm1, %%xmm3\n"
                   "movsd %%xmm2, first(%%rip)\n movsd %%xmm3, second(%%rip)\n"
                   "movl $1, completed(%%rip)\n"
                   "1: add $1024, %%rsp\n"
                   :
                   : "i"(SEARCHED)
                   : CHANGED);
}

/* Runs the code until the answer has come in time. */
static void try(void (*code)(void), double number, void* exchanges)
{
  completed = 0;
  for (int tries = 0; tries < TRIES && !completed; tries++) {
    shared = number;
    place = &shared;
    ready = asked = answered = 0;
    pthread_t thread;
    if (pthread_create(&thread, NULL, answer, exchanges))
      exit(1);
    while (!ready) {
    }
    code();
    asked = 1;
    pthread_join(thread, NULL);
  }
}

static APART void by_loop(void)
{
  __asm__ volatile("movsd factor(%%rip), %%xmm1\n"
                   "lea elements(%%rip), %%rdi\n mov $1, %%ecx\n"
                   "mov 8(%%rdi,%%rcx,8), %%rax\n"
                   "loop 1f\n"
                   "mov 8(%%rdi,%%rcx,8), %%rax\n"
                   "movq %%rax, %%xmm2\n mulsd %%xmm1, %%xmm2\n movsd %%xmm2, second(%%rip)\n"
                   "1:\n"
                   :
                   :
                   : CHANGED);
}

int main(void)
{
  searched = calloc(SEARCHED, 1);
  if (!searched)
    return 1;
  given = input(5, 1);
  for (int round = 0; round < 4; round++) {
    double dfactor = round % 2 ? 3 : 0;
    factor = dfactor != 0 ? input(4, dfactor) : 4;
    double before = 2;
    try(by_flags, before, NULL);
    if (dfactor != 0)
      check("flags, first", first, 2 * dfactor);
    check("flags, second", second, 10 * dfactor + 4 * 2);
    try(by_atomic, before, &given);
    check("atomic, second", second, 10 * dfactor + 4 * 2);
    before = round < 2 ? 2 : input(2, 7);
    try(on_stack, before, NULL);
    if (dfactor != 0 || round >= 2)
      check("stack, first", first, 2 * dfactor + (round < 2 ? 0 : 4 * 7));
    check("stack, second", second, 10 * dfactor + 4 * 2);
    elements[1] = given;
    elements[2] = 1;
    by_loop();
    check("loop", second, 5 * dfactor + 4);
  }
  return 0;
}
