/* A program as it was written for the classic tool: the old names of header and macros. */
#include <stdio.h>
#include <valgrind/derivgrind.h>

int main()
{
  double a = 3.0, b = -4.0, one = 1.0, dot = 0.0;
  float single = 3.0f, single_dot = 1.0f;
  double product;
  VALGRIND_SET_DERIVATIVE(&a, &one, sizeof(double));
  DERIVGRIND_INPUTF(a);
  DG_INPUTF(b);
  product = a * b;
  VALGRIND_GET_DERIVATIVE(&product, &dot, sizeof(double));
  printf("%5.1f\n", dot);
  DG_OUTPUTF(product);
  DERIVGRIND_SET_DOTVALUE(&single, &single_dot, 4);
  single = single * single;
  single_dot = 0;
  DERIVGRIND_GET_DOTVALUE(&single, &single_dot, 4);
  printf("%5.1f\n", single_dot);
  DERIVGRIND_MARK_FLOAT(a);
  return 0;
}
