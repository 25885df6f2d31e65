/* The cube of a number, and its derivative. */
#include <derivgrind.h>
#include <stdio.h>

int main(void)
{
  double x = 3.0;

  /* Forward mode: the derivative of x with respect to itself is 1. */
  double dot = 1.0;
  DG_SET_DOTVALUE(&x, &dot, sizeof x);
  /* Recording: x is an input. */
  DG_INPUTF(x);

  double y = x * x * x;
  printf("value %.17g\n", y);

  if (DG_GET_MODE == DERIVGRIND_MODE_FORWARD) {
    DG_GET_DOTVALUE(&y, &dot, sizeof y);
    printf("derivative %.17g\n", dot);
  }
  DG_OUTPUTF(y);
  return 0;
}
