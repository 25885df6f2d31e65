/* A library that exports functions by the names that Intel's compilers call. Their values come from numbers that were
 * integers for a moment, so that rules for instructions give the derivative zero. */
#include <math.h>
#ifndef REAL
#define REAL double
#endif
#include "named_vectors.h"

/* Derivatives are lost here. */
static REAL lost(REAL x)
{
  return (REAL)(long long)(x * 0x1p20) / 0x1p20;
}

#define ONE(name, expression)                                                                                          \
  vector INTEL(name)(vector numbers)                                                                                   \
  {                                                                                                                    \
    for (int lane = 0; lane < LANES; lane++) {                                                                         \
      const REAL x = lost(numbers[lane]);                                                                              \
      numbers[lane] = (expression);                                                                                    \
    }                                                                                                                  \
    return numbers;                                                                                                    \
  }

ONE(sin, F(sin)(x))
ONE(exp, F(exp)(x))
ONE(secret, F(cos)(x))
/* The value for 0.975 is enough here. */
ONE(cdfnorminv, (REAL)(1.959963984540054 + x - 0.975))

vector INTEL(pow)(vector bases, vector exponents)
{
  for (int lane = 0; lane < LANES; lane++)
    bases[lane] = F(pow)(lost(bases[lane]), lost(exponents[lane]));
  return bases;
}

#if BYTES < 64
vector JOINED(INTEL(log), _mask)(vector numbers, vector mask)
{
  for (int lane = 0; lane < LANES; lane++)
    if (signbit(mask[lane]))
      numbers[lane] = F(log)(lost(numbers[lane]));
  return numbers;
}
#else
#define TEXT(name) TEXT_OF(name)
#define TEXT_OF(name) #name

vector logarithms(vector others, vector numbers, unsigned mask)
{
  for (int lane = 0; lane < LANES; lane++)
    if (mask >> lane & 1)
      others[lane] = F(log)(lost(numbers[lane]));
  return others;
}

__asm__(".globl " TEXT(JOINED(INTEL(log), _mask)) "\n"
        ".type " TEXT(JOINED(INTEL(log), _mask)) ", @function\n" TEXT(JOINED(INTEL(log), _mask)) ":\n"
        "kmovw %k1, %edi\n"
        "jmp logarithms@PLT\n");
#endif
