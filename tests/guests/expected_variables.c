/* Variables in memory that are passive at first and become active, whole or by turns; that change, by themselves or
 * through a pointer, between two uses; divisors of either sign. */
#include "check.h"

#define TIMES 12

static REAL step;

/* Each number is read several times. Unless it is optimised, each time from the stack. */
static APART REAL flow(REAL x, REAL y, REAL width, REAL scale)
{
  REAL west = (x - y) / width, east = (y + x) / width;
  REAL spread = (west - east) / (width * width) + scale * x;
  REAL local = scale * step * (1 + scale) + west * step;
  return scale * (spread * x - west * y) + local * step + east;
}

/* The same with derivatives. */
static APART REAL derivative(REAL x, REAL dx, REAL y, REAL dy, REAL width, REAL dwidth, REAL scale, REAL dscale, REAL dstep)
{
  REAL west = (x - y) / width, dwest = (dx - dy - west * dwidth) / width;
  REAL east = (y + x) / width, deast = (dx + dy - east * dwidth) / width;
  REAL square = width * width, dsquare = 2 * width * dwidth;
  REAL curve = (west - east) / square, dcurve = (dwest - deast - curve * dsquare) / square;
  REAL spread = curve + scale * x, dspread = dcurve + dscale * x + scale * dx;
  REAL dlocal = dscale * step * (1 + scale) + scale * dstep * (1 + scale) + scale * step * dscale + dwest * step + west * dstep;
  REAL local = scale * step * (1 + scale) + west * step;
  return dscale * (spread * x - west * y) + scale * (dspread * x + spread * dx - dwest * y - west * dy) + dlocal * step
    + local * dstep + deast;
}

/* What is stored through the pointer may be any of the others. */
static APART REAL through_pointer(REAL* place, REAL* other, REAL x, REAL factor)
{
  REAL first = *place * factor + *place;
  *other = x * factor;
  REAL second = *place * factor + *place;
  *other = factor;
  return first + 3 * second + 5 * (*place * x + *place);
}

int main(void)
{
  for (int time = 0; time < TIMES; time++) {
    REAL dx = 1 + time % 3, dy = time % 2, sign = time % 4 < 2 ? 1 : -1;
    REAL dwidth = time >= 4 && time % 3 == 1 ? (REAL)0.5 : 0;
    REAL dscale = time >= 6 && time % 2 == 0 ? 2 : 0;
    REAL dstep = time >= 8 && time % 3 != 1 ? (REAL)0.25 : 0;
    REAL x = input(1 + (REAL)0.25 * time, dx), y = input((REAL)0.5 * time - 2, dy);
    REAL width = dwidth != 0 ? input(sign * (REAL)0.75, dwidth) : sign * (REAL)0.75;
    REAL scale = dscale != 0 ? input(-sign * (REAL)1.5, dscale) : -sign * (REAL)1.5;
    step = dstep != 0 ? input((REAL)0.125, dstep) : (REAL)0.125;
    check("flow", flow(x, y, width, scale), derivative(x, dx, y, dy, width, dwidth, scale, dscale, dstep));
    check("same again", flow(y, x, width, scale), derivative(y, dy, x, dx, width, dwidth, scale, dscale, dstep));

    REAL one = 3, two = 5;
    REAL apart = through_pointer(&one, &two, x, scale);
    /* 4 one (factor + 1) + 5 one (x + 1) */
    check("another place", apart, 4 * 3 * dscale + 5 * 3 * dx);
    one = 3;
    REAL same = through_pointer(&one, &one, x, scale);
    /* 3 (factor + 1) + 3 (x factor) (factor + 1) + 5 factor (x + 1) */
    REAL dproduct = dx * scale + x * dscale;
    check("same place", same,
          3 * dscale + 3 * (dproduct * (scale + 1) + x * scale * dscale) + 5 * (dscale * (x + 1) + scale * dx));
  }
  return 0;
}
