/* Flags, traps and rounding modes of a program that is differentiated. The first word says what is tried. */
#define _GNU_SOURCE
#include "check.h"
#include <fenv.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <string.h>

#define LOUD (FE_INVALID | FE_DIVBYZERO | FE_OVERFLOW)
#define COUNT 4

static sigjmp_buf behind_trap;
static volatile double trap;

static void trapped(int signal) { siglongjmp(behind_trap, signal); }

/* Prints which exceptions have been raised, and begins again. */
static void print_flags(const char* name)
{
  int flags = fetestexcept(LOUD);
  feclearexcept(FE_ALL_EXCEPT);
  printf("%s %d 0x0p+0 0x0p+0\n", name, flags);
}

static APART void roots(const double* x, double* y)
{
  for (int i = 0; i < COUNT; i++)
    y[i] = sqrt(x[i]);
}

static APART void quotients(const double* a, const double* b, double* y)
{
  for (int i = 0; i < COUNT; i++)
    y[i] = (a[i] - b[i]) * a[i] / b[i];
}

static APART double quotient(double a, double b) { return a / b; }

/* A passive lane may have an infinite partial derivative beside an active one. */
static void passive_lanes(void)
{
  double x[COUNT] = {4, 0, 0, 9}, y[COUNT];
  x[0] = input(4, 1);
  feclearexcept(FE_ALL_EXCEPT);
  roots(x, y);
  print_flags("flags of roots");
  check("root", y[0], 0.25);
  check("passive root", y[1], 0);
}

/* The derivative of a root at zero is infinite, which is no flag of the program's. */
static void active_lanes(void)
{
  double x[COUNT] = {0, 0, 4, 9}, y[COUNT];
  x[0] = input(0, 1);
  x[2] = input(4, 1);
  feclearexcept(FE_ALL_EXCEPT);
  roots(x, y);
  print_flags("flags of roots");
  quotients(y, x, y);
  print_flags("flags of quotients");
  double scalar = sqrt(input(0, 1));
  print_flags("flags of a root");
  printf("values %a %a 0x0p+0\n", passive(scalar), 0.0);
}

/* Once the program has unmasked exceptions only its own arithmetic traps. */
static void traps(void)
{
  double x[COUNT] = {0, 1, 4, 9}, y[COUNT];
  x[0] = input(0, 1);
  x[2] = input(4, 1);
  signal(SIGFPE, trapped);
  feclearexcept(FE_ALL_EXCEPT);
  feenableexcept(LOUD);
  int signal = sigsetjmp(behind_trap, 1);
  if (!signal) {
    roots(x, y);
    check("root", y[2], 0.25);
    print_flags("flags of roots");
    printf("reached 1 0x0p+0 0x0p+0\n");
    trap = quotient(x[2], 0);
    printf("unreached 1 0x0p+0 0x0p+0\n");
  }
  printf("signal %d 0x0p+0 0x0p+0\n", signal);
  fedisableexcept(LOUD);
  roots(x, y);
  check("root", y[2], 0.25);
}

/* The difference of two zeros is a negative zero where rounding is downward: it must not look active. */
static void rounding(int mode)
{
  double a[COUNT] = {3, 0, 0, 5}, b[COUNT] = {7, 0, 0, 2}, y[COUNT], differences[COUNT];
  a[0] = input(3, 1);
  fesetround(mode);
  feclearexcept(FE_ALL_EXCEPT);
  for (int i = 0; i < COUNT; i++)
    differences[i] = (a[i] - b[i]) * INFINITY;
  quotients(a, b, y);
  print_flags("flags of quotients");
  check("quotient", y[0], (2 * 3. - 7) / 7);
  check("quotient of zeros", isnan(y[1]), 0);
  for (int i = 1; i < 3; i++)
    check("difference of zeros", isnan(differences[i]), dot_of(differences[i]));
  double third = a[0] / 3;
  check("third", third, 1. / 3);
}

int main(int count, char** words)
{
  const char* what = count > 1 ? words[1] : "passive";
  if (!strcmp(what, "passive"))
    passive_lanes();
  else if (!strcmp(what, "active"))
    active_lanes();
  else if (!strcmp(what, "traps"))
    traps();
  else if (!strcmp(what, "downward"))
    rounding(FE_DOWNWARD);
  else
    rounding(FE_UPWARD);
  return 0;
}
