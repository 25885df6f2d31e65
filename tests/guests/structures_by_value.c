/* Structures that the psABI passes in vector registers, in general registers, in both, and in memory. */
#include "check.h"
#include <stdarg.h>

struct pair { REAL first, second; };
struct four { REAL values[4]; };
struct tagged { long tag; REAL value; };
struct counted { float value; int count; };
struct large { REAL values[9]; char name[5]; REAL last; };

static APART struct pair swapped(struct pair in)
{
  struct pair out = {in.second, in.first * 2};
  return out;
}

static APART struct four doubled(struct four in)
{
  for (int i = 0; i < 4; i++)
    in.values[i] += in.values[i];
  return in;
}

static APART struct tagged retagged(struct tagged in)
{
  in.tag++;
  in.value *= in.tag;
  return in;
}

/* Eight bytes, of which the upper four are an integer or another number. */
static APART struct counted counted_on(struct counted in)
{
  in.count += 1;
  in.count ^= 0x100000;
  return in;
}

static APART struct counted counted_anew(struct counted in)
{
  in.count = 0x3f800000;
  return in;
}

static APART struct large reversed(struct large in)
{
  struct large out = in;
  for (int i = 0; i < 9; i++)
    out.values[i] = in.values[8 - i];
  out.last = in.last * in.values[0];
  return out;
}

static APART REAL sum(int count, ...)
{
  va_list list;
  va_start(list, count);
  REAL total = 0;
  for (int i = 0; i < count; i++) {
    total += (REAL)va_arg(list, double) * (i + 1);
    struct pair pair = va_arg(list, struct pair);
    total += pair.first - pair.second;
  }
  va_end(list);
  return total;
}

static APART REAL many(REAL a, REAL b, REAL c, REAL d, REAL e, REAL f, REAL g, REAL h, REAL i, REAL j, REAL k)
{
  return a + 2 * b + 3 * c + 4 * d + 5 * e + 6 * f + 7 * g + 8 * h + 9 * i + 10 * j + 11 * k;
}

int main(void)
{
  REAL x = input(1.5, 2), y = input(-0.25, 3);
  struct pair pair = swapped((struct pair){x, y});
  check("pair", pair.first, 3);
  check("pair", pair.second, 4);
  struct four four = doubled((struct four){{x, y, x * y, 1}});
  check("four", four.values[0], 4);
  check("four", four.values[1], 6);
  check("four", four.values[2], 2 * (2 * y + 3 * x));
  check("four", four.values[3], 0);
  struct tagged tagged = retagged((struct tagged){6, x});
  check("tagged", tagged.value, 14);
  struct counted counted = counted_anew(counted_on(counted_on((struct counted){(float)x, 7})));
  check("counted", counted.value, 2);
  struct large large = {{x, y, 3, 4, x, 6, 7, 8, y}, "name", x};
  large = reversed(reversed(large));
  check("large", large.values[0], 2);
  check("large", large.values[8], 3);
  check("large", large.last, 4 * x * y + 3 * x * x);
  check("variable arguments", sum(2, (double)x, pair, (double)y, pair), 2 + 3 * 2 + 2 * (3 - 4));
  check("many arguments", many(x, y, x, y, x, y, x, y, x, y, x), 2 * (1 + 3 + 5 + 7 + 9 + 11) + 3 * (2 + 4 + 6 + 8 + 10));
  return 0;
}
