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

#define TEXT(name) TEXT_OF(name)
#define TEXT_OF(name) #name
#define FUNCTION(name, code)                                                                                           \
  __asm__(".globl " TEXT(name) "\n.type " TEXT(name) ", @function\n" TEXT(name) ":\n" code)

/* Moves of whole registers between (%rsp) and number 1 or 12. */
#if BYTES == 64
#define MOVE "vmovups "
#define REGISTER(number) "%zmm" #number
#elif BYTES == 32
#define MOVE "vmovups "
#define REGISTER(number) "%ymm" #number
#else
#define MOVE "movups "
#define REGISTER(number) "%xmm" #number
#endif

vector cosines(vector numbers)
{
  for (int lane = 0; lane < LANES; lane++)
    numbers[lane] = F(cos)(lost(numbers[lane]));
  return numbers;
}

/* The upper registers live on behind these functions. */
FUNCTION(INTEL(cos), "subq $136, %rsp\n" MOVE REGISTER(12) ", (%rsp)\n"
                     "call cosines@PLT\n" MOVE "(%rsp), " REGISTER(12) "\n"
                     "addq $136, %rsp\nret\n");

vector sines_and_cosines(vector numbers, REAL* values)
{
  for (int lane = 0; lane < LANES; lane++) {
    values[lane] = F(cos)(lost(numbers[lane]));
    numbers[lane] = F(sin)(lost(numbers[lane]));
  }
  return numbers;
}

/* Cosines are returned in the second register. */
FUNCTION(INTEL(sincos), "subq $136, %rsp\nmovq %rsp, %rdi\n"
                        "call sines_and_cosines@PLT\n" MOVE "(%rsp), " REGISTER(1) "\n"
                        "addq $136, %rsp\nret\n");

#if BYTES < 64
vector JOINED(INTEL(log), _mask)(vector numbers, vector mask)
{
  for (int lane = 0; lane < LANES; lane++)
    if (signbit(mask[lane]))
      numbers[lane] = F(log)(lost(numbers[lane]));
  return numbers;
}
#else
vector logarithms(vector others, vector numbers, unsigned mask)
{
  for (int lane = 0; lane < LANES; lane++)
    if (mask >> lane & 1)
      others[lane] = F(log)(lost(numbers[lane]));
  return others;
}

FUNCTION(JOINED(INTEL(log), _mask), "kmovw %k1, %edi\njmp logarithms@PLT\n");
#endif
