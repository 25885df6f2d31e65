/* Calls and jumps through variables at fixed addresses, which hold one function for a while and then another one. */
#include "check.h"
#include <math.h>

typedef REAL function(REAL);

static APART REAL twice(REAL x) { return 2 * x; }
static APART REAL square(REAL x) { return x * x; }
static APART REAL cube(REAL x) { return x * x * x; }

static function* chosen = twice;
static function* chosen_last = square;

/* Optimised, this is a jump through the variable. */
static APART REAL by_jump(REAL x) { return chosen_last(x); }

/* There are operations in front of the call. */
static APART REAL by_call(REAL x) { return chosen(3 * x + 1) + 1; }

static APART void choose(int round)
{
  static function* const functions[] = {twice, square, cube};
  chosen = functions[round / 7 % 3];
  chosen_last = functions[(round / 5 + 1) % 3];
}

static REAL derivative(function* of, REAL x) { return of == twice ? 2 : of == square ? 2 * x : 3 * x * x; }

static REAL by_turns(REAL x, REAL dot, const char* name)
{
  REAL sum = 0, expected = 0;
  for (int round = 0; round < 60; round++) {
    choose(round);
    const REAL at = x + round;
    sum += by_call(at) + by_jump(at);
    const REAL passive_at = passive(at);
    expected += (3 * derivative(chosen, 3 * passive_at + 1) + derivative(chosen_last, passive_at)) * dot;
  }
  check(name, sum, expected);
  return sum;
}

int main(void)
{
  by_turns(1, 0, "passive");
  const REAL dot = 0.5;
  REAL x = input(0.25, dot);
  by_turns(x, dot, "active");
  /* Functions of a library that are called for the first time, and once more. */
  for (int round = 0; round < 3; round++) {
    const REAL at = passive(x);
    check("library", (REAL)cbrt(x) + (REAL)hypot(x, x), dot * (REAL)(cbrt(at) / (3 * at) + sqrt(2.0)));
  }
  return 0;
}
