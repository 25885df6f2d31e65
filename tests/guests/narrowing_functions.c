/* Functions that round their value to a narrower type than that of their arguments. All derivatives are exact in each
 * type. */
#define _GNU_SOURCE
#include "check.h"
#include <math.h>

static const double a = 1.5, b = 0.5, c = 2.25;

/* Every argument is an input of its own, of the type WIDE. */
#define FIRST (WIDE) input(a, 2)
#define SECOND (WIDE) input(b, 0.25)
#define THIRD (WIDE) input(c, 3)

#define TWO(name, call, with_first, with_second)                                                                       \
  do {                                                                                                                 \
    check(name " of both", (REAL)call(FIRST, SECOND), 2 * (with_first) + 0.25 * (with_second));                        \
    check(name " of first", (REAL)call(FIRST, (WIDE)b), 2 * (with_first));                                             \
    check(name " of second", (REAL)call((WIDE)a, SECOND), 0.25 * (with_second));                                       \
  } while (0)

#define ALL(prefix, ending)                                                                                            \
  do {                                                                                                                 \
    TWO(#prefix "add" #ending, prefix##add##ending, 1, 1);                                                             \
    TWO(#prefix "sub" #ending, prefix##sub##ending, 1, -1);                                                            \
    TWO(#prefix "mul" #ending, prefix##mul##ending, b, a);                                                             \
    TWO(#prefix "div" #ending, prefix##div##ending, 1 / b, -a / (b * b));                                              \
    check(#prefix "sqrt" #ending, (REAL)prefix##sqrt##ending(THIRD), 3 / (2 * 1.5));                                   \
    check(#prefix "fma" #ending, (REAL)prefix##fma##ending(FIRST, SECOND, THIRD), 2 * b + 0.25 * a + 3);               \
  } while (0)

int main(void)
{
#define WIDE double
  ALL(f, );
  ALL(f32, f64);
#undef WIDE
#define WIDE long double
  ALL(f, l);
  ALL(d, l);
  ALL(f32x, f64x);
  return 0;
}
