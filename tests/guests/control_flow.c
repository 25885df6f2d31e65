/* Dot values across calls: recursion, function pointers, tail calls, linkage, non-local jumps. */
#include "check.h"
#include <setjmp.h>

static APART REAL factorial(int n, REAL x)
{
  return n == 0 ? 1 : (x + n) * factorial(n - 1, x);
}

static APART REAL fibonacci(int n, REAL x)
{
  return n < 2 ? x * n : fibonacci(n - 1, x) + fibonacci(n - 2, x);
}

static APART REAL square(REAL x)
{
  return x * x;
}

static APART REAL inverse(REAL x)
{
  return 1 / x;
}

typedef REAL (*function)(REAL);
static function volatile functions[] = {square, inverse, square};

static APART REAL derivative_sum(REAL x)
{
  REAL sum = 0;
  for (int i = 0; i < 3; i++)
    sum += functions[i](x);
  return sum;
}

static jmp_buf place;

static APART void jump(REAL x, REAL* out)
{
  *out = x * 7;
  if (x > 0)
    longjmp(place, 3);
}

static APART REAL odd(int n, REAL x);

static APART REAL even(int n, REAL x)
{
  return n == 0 ? x : odd(n - 1, x * 2);
}

static APART REAL odd(int n, REAL x)
{
  return n == 0 ? -x : even(n - 1, x + 1);
}

/* What an entry of a linkage table does, with a word that is bound again and again. */
function linked_word = square;
extern REAL linked(REAL x);
__asm__(".text\n"
        ".type linked, @function\n"
        "linked: jmp *linked_word(%rip)\n"
        ".size linked, .-linked\n");

static APART REAL linked_sum(REAL x)
{
  REAL sum = 0;
  for (int i = 0; i < 40; i++) {
    if (i % 10 == 0)
      linked_word = functions[i / 10 % 2];
    sum += linked(x);
  }
  return sum;
}

int main(void)
{
  REAL x = input(0.5, 2);
  REAL expected = 0;
  for (int i = 1; i <= 6; i++)
    expected += factorial(6, x) / (x + i);
  check("recursion", factorial(6, x), 2 * expected);
  check("two-fold recursion", fibonacci(15, x), 610 * 2);
  check("function pointers", derivative_sum(x), 2 * (4 * x - 1 / (x * x)));
  check("linkage", linked_sum(x), 20 * 2 * (2 * x - 1 / (x * x)));
  check("tail calls", even(9, x), -2 * 32);
  static volatile REAL kept;
  static REAL out;
  kept = x * 3;
  int how = setjmp(place);
  if (how == 0)
    jump(x, &out);
  check("after longjmp", out, 14);
  check("after longjmp", kept * how, 18);
  return 0;
}
