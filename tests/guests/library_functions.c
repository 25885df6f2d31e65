/* Calls of functions whose derivatives are not known, with active arguments in one place and stale active values in all
 * others. */
#define __STDC_WANT_IEC_60559_BFP_EXT__
#define __STDC_WANT_IEC_60559_EXT__
#include <complex.h>
#include <derivgrind.h>
#include <math.h>

static volatile double active, passive = 0.75;
static double sink;

/* Leaves something active in every argument register. */
static void fill_registers(void)
{
  double x = active;
  __asm__ volatile("movddup %0, %%xmm1\n\tmovapd %%xmm1, %%xmm2\n\tmovapd %%xmm1, %%xmm3\n\tmovapd %%xmm1, %%xmm0"
                   :
                   : "m"(x)
                   : "xmm0", "xmm1", "xmm2", "xmm3");
}

/* A number of 128 bits made of two others. */
static _Float128 wide(double x)
{
  double halves[2] = {x, x};
  _Float128 result;
  __builtin_memcpy(&result, halves, sizeof result);
  return result;
}

#define CALL(expression) (fill_registers(), sink += (double)(expression))

int main(int argc, char** argv)
{
  double dot = 1;
  (void)argv;
  active = 0.5;
  DG_SET_DOTVALUE(&active, &dot, sizeof dot);
  if (argc > 1) {
    CALL(sin(passive));
    CALL(fsqrt(passive));
    CALL(fadd(passive, passive));
    CALL(ffma(passive, passive, passive));
    CALL(sqrtf128(wide(passive)));
    CALL(powf128(wide(passive), wide(passive)));
    CALL(expf((float)passive));
    CALL(pow(passive, passive));
    CALL(tgamma(passive));
    CALL(jn(2, passive));
    CALL(cabs(passive + passive * I));
    CALL(crealf(cexpf((float)passive)));
    CALL(lrint(active));
    return sink != sink;
  }
  CALL(sqrtf128(wide(active)));
  for (int i = 0; i < 2; i++)
    CALL(hypotf128(wide(active), wide(active)));
  for (int i = 0; i < 3; i++)
    CALL(powf128(wide(passive), wide(active)));
  CALL(powf128(wide(active), wide(passive)));
  for (int i = 0; i < 5; i++)
    CALL(fmaf128(wide(passive), wide(passive), wide(active)));
  return sink != sink;
}
