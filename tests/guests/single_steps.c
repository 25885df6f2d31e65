/* A program sets the trap flag for itself: SIGTRAP after each of its instructions, where the processor is then. */
#define _GNU_SOURCE
#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <ucontext.h>

enum { TRAP_FLAG = 0x100, LIMIT = 64 };

static volatile int traps, keep = 1 << 30, code, flag_in_frame;
static long places[LIMIT];
extern const char first[];

static void trap(int number, siginfo_t* information, void* context)
{
  greg_t* registers = ((ucontext_t*)context)->uc_mcontext.gregs;
  (void)number;
  if (traps < LIMIT)
    places[traps] = (long)(registers[REG_RIP] - (greg_t)first);
  traps++;
  code = information->si_code;
  flag_in_frame = (registers[REG_EFL] & TRAP_FLAG) != 0;
  if (traps >= keep)
    registers[REG_EFL] &= ~TRAP_FLAG;
}

static void set_and_clear(void)
{
  long sum = 0, flags;
  double number = 2;
  __asm__ volatile("pushfq\n"
                   "orq $0x100, (%%rsp)\n"
                   "popfq\n"
                   "first: nop\n"
                   "add $5, %[sum]\n"
                   "mulsd %[number], %[number]\n"
                   "call 2f\n"
                   "jmp 3f\n"
                   "2: addq $7, %[sum]\n"
                   "ret\n"
                   "3: mov $3, %%ecx\n"
                   "4: dec %%ecx\n"
                   "jnz 4b\n"
                   "pushfq\n"
                   "pop %[flags]\n"
                   "pushfq\n"
                   "andq $~0x100, (%%rsp)\n"
                   "popfq\n"
                   "nop\n"
                   "nop\n"
                   : [sum] "+r"(sum), [number] "+x"(number), [flags] "=&r"(flags)
                   :
                   : "cc", "memory", "ecx");
  printf("%d traps, code %d, the flag in the last frame %d, stored %d, sum %ld, number %g\n", traps, code,
         flag_in_frame, (flags & TRAP_FLAG) != 0, sum, number);
  for (int i = 0; i < traps && i < LIMIT; i++)
    printf("%ld%c", places[i], i == traps - 1 ? '\n' : ' ');
}

static void start(int number, siginfo_t* information, void* context)
{
  (void)number;
  (void)information;
  ((ucontext_t*)context)->uc_mcontext.gregs[REG_EFL] |= TRAP_FLAG;
}

/* A handler of another signal sets it for what it has interrupted, and the handler of the traps takes it away. */
static void for_some_time(void)
{
  traps = 0;
  keep = 500;
  raise(SIGUSR1);
  double sum = 0;
  for (int i = 0; i < 3000; i++)
    sum += sqrt(i);
  printf("%d traps, %.17g\n", traps, sum);
}

int main(void)
{
  struct sigaction action = {.sa_sigaction = trap, .sa_flags = SA_SIGINFO};
  sigaction(SIGTRAP, &action, NULL);
  action.sa_sigaction = start;
  sigaction(SIGUSR1, &action, NULL);
  set_and_clear();
  for_some_time();
  return 0;
}
