/* A signal handler repairs memory faults in the middle of arithmetic, and computes with active values itself. What the
 * block has computed before the fault must outlive the handler, values and derivatives. */
#define _GNU_SOURCE
#include "check.h"
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static REAL* page;
static REAL input_of_handler, result_of_handler;

static void repair(int signal)
{
  (void)signal;
  mprotect(page, 4096, PROT_READ | PROT_WRITE);
  REAL sum = 0;
  for (int i = 1; i < 20; i++)
    sum += input_of_handler * input_of_handler / i;
  result_of_handler = sum;
}

static APART REAL around_load(REAL x, REAL y, const REAL* place)
{
  REAL square = x * x;
  REAL product = square * y;
  REAL loaded = *place;
  return product * loaded + square - y / loaded;
}

static APART REAL around_store(REAL x, REAL y, REAL* place)
{
  REAL quotient = x / y;
  *place = quotient * x;
  return quotient * y * y + *place;
}

int main(void)
{
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = repair;
  sigaction(SIGSEGV, &action, NULL);
  page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  page[3] = input((REAL)1.25, 1);
  REAL x = input((REAL)1.5, 1), y = input((REAL)0.75, 2);
  input_of_handler = input((REAL)0.5, 1);
  REAL harmonic = 0;
  for (int i = 1; i < 20; i++)
    harmonic += 1 / (REAL)i;
  for (int time = 0; time < 3; time++) {
    REAL z = page[3];
    mprotect(page, 4096, PROT_NONE);
    REAL loaded = around_load(x, y, page + 3);
    check("load", loaded,
          2 * x * y * z + 2 * x * x * z + x * x * y + 2 * x - 2 / z + y / (z * z));
    check("handler", result_of_handler, 2 * input_of_handler * harmonic);
    mprotect(page, 4096, PROT_READ);
    REAL stored = around_store(x, y, page + 5);
    REAL quotient = 1 / y - 2 * x / (y * y);
    check("store", stored, quotient * (y * y + x) + 4 * x + x / y);
  }
  return 0;
}
