/* Variables at fixed addresses that are read and written for a while before they become active: by an assignment, a
 * copy, a request, another thread. Each has a page of memory for itself. */
#include "check.h"
#include <pthread.h>
#include <string.h>

#define ALONE __attribute__((aligned(16384)))
#define TIMES 50

static ALONE REAL assigned, used_at_once, copied[600], requested, through_integers, shared, last;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int turn;

static APART void assign(REAL x)
{
  assigned = x * x;
}

static APART REAL use_assigned(REAL x)
{
  return assigned * x + assigned;
}

static APART REAL assign_and_use(REAL x)
{
  used_at_once = 3 * x;
  REAL twice = used_at_once + used_at_once;
  used_at_once = twice * used_at_once;
  return used_at_once - x;
}

static APART REAL use_copied(void)
{
  return copied[1] * copied[2];
}

static APART REAL use_requested(void)
{
  return requested * requested * requested;
}

static APART void copy_as_integer(const REAL* from)
{
  memcpy(&through_integers, from, sizeof *from);
}

static APART REAL use_integers(void)
{
  REAL there;
  memcpy(&there, &through_integers, sizeof there);
  return there / 2;
}

/* Waits for the value of the other thread, and reads it all the time. */
static void* read_shared(void* sum)
{
  for (int done = 0; !done;) {
    pthread_mutex_lock(&lock);
    *(REAL*)sum = shared * 5;
    done = turn;
    pthread_mutex_unlock(&lock);
  }
  return NULL;
}

#define TEN(of, n) of(n##0) of(n##1) of(n##2) of(n##3) of(n##4) of(n##5) of(n##6) of(n##7) of(n##8) of(n##9)
#define ALL(of)                                                                                                        \
  TEN(of, 1) TEN(of, 2) TEN(of, 3) TEN(of, 4) TEN(of, 5) TEN(of, 6) TEN(of, 7) TEN(of, 8) TEN(of, 9) TEN(of, 10)       \
  TEN(of, 11) TEN(of, 12) TEN(of, 13) TEN(of, 14)
#define DECLARE(n) static ALONE REAL one_of_many_##n;
#define SET(n) one_of_many_##n = n * x;
#define ADD(n) +one_of_many_##n

ALL(DECLARE)

static APART void set_many(REAL x)
{
  ALL(SET)
}

static APART REAL sum_of_many(void)
{
  return 0 ALL(ADD);
}

int main(void)
{
  REAL one = 1, zero = 0, values[600] = {0}, sum = 0;
  REAL x = input(1.5, 1);
  for (int k = 0; k < TIMES; k++) {
    assign(k);
    copy_as_integer(&one);
    set_many(k);
    sum += use_assigned(k) + assign_and_use(k) + use_copied() + use_requested() + use_integers() + sum_of_many();
  }
  check("before", sum + 0 * x, zero);

  assign(x);
  check("assigned", use_assigned(x), 3 * x * x + 2 * x);
  check("used at once", assign_and_use(x), 36 * x - 1);
  values[1] = x;
  values[2] = x * x;
  memcpy(copied, values, sizeof copied);
  check("copied", use_copied(), 3 * x * x);
  requested = 2;
  ACTIVATE(requested, one);
  check("requested", use_requested(), 12);
  copy_as_integer(&x);
  check("through integers", use_integers(), 0.5);

  pthread_t reader;
  REAL seen = 0;
  pthread_create(&reader, NULL, read_shared, &seen);
  for (int k = 0; k < TIMES; k++) {
    pthread_mutex_lock(&lock);
    shared = k;
    pthread_mutex_unlock(&lock);
  }
  pthread_mutex_lock(&lock);
  shared = x * 2;
  turn = 1;
  pthread_mutex_unlock(&lock);
  pthread_join(reader, NULL);
  check("shared", seen, 10);

  set_many(x);
  check("many", sum_of_many(), 149.0 / 2 * 150 - 9.0 / 2 * 10);
  for (int k = 0; k < TIMES; k++) {
    last = k;
    sum += last;
  }
  last = x * x * x;
  check("last", last, 3 * x * x);
  assign(zero);
  check("passive again", use_assigned(2) + 0 * x, zero);
  return 0;
}
