/* The second and the third output depend on no input; the second input influences no output. */
#include <derivgrind.h>

int main(void)
{
  double x = 2, unused = 5, constant = 7, zero = 0;
  unsigned long long index = 0;
  DG_INPUTF(x);
  DG_INPUTF(unused);
  double y = 3 * x;
  DG_OUTPUTF(y);
  DG_OUTPUTF(constant);
  DG_SET_INDEX(&zero, &index);
  DG_OUTPUTF(zero);
  return 0;
}
