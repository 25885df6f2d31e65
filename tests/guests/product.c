/* The published example of the classic layout: y = x1 x2 with x1 = 3 and x2 = -4. Nothing is printed, because printing
 * takes numbers apart. */
#include <derivgrind.h>

int main(void)
{
  double x1 = 3, x2 = -4;
  DG_INPUTF(x1);
  DG_INPUTF(x2);
  double y = x1 * x2;
  DG_OUTPUTF(y);
  return y == -12 ? 0 : 1;
}
