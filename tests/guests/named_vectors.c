/* Calls of functions of vectors by their names: those of libmvec that compilers do not call by themselves, and those of
 * Intel's compilers, from a library that loses derivatives. */
#define _GNU_SOURCE
#include "check.h"
#include "named_vectors.h"
#include <math.h>
#include <stdint.h>

typedef long double wide;

/* Pointers of all lanes need one register or two. */
typedef uintptr_t addresses __attribute__((vector_size(POINTER_BYTES)));
#define POINTERS (POINTER_BYTES / 8)
#if 8 * LANES > POINTER_BYTES
#define BOTH(vectors) vectors[0], vectors[1]
#define PARAMETERS vector, addresses, addresses, addresses, addresses
#else
#define BOTH(vectors) vectors[0]
#define PARAMETERS vector, addresses, addresses
#endif

/* The letter of the instruction set, N, lanes. */
#define OF_ABI(letters, name) JOINED(JOINED(JOINED(_ZGV, ISA_NAME), LANES), JOINED(letters, F(name)))
vector OF_ABI(v_, sin)(vector);
#if HAS_SINCOS
void OF_ABI(vvv_, sincos)(PARAMETERS);
#endif

static APART vector numbers_from(REAL start, REAL step)
{
  vector x;
  for (int lane = 0; lane < LANES; lane++)
    x[lane] = start + step * (REAL)lane;
  return x;
}

static REAL dot_of_lane(int lane)
{
  return lane % 3 == 1 ? 0 : 1 + (REAL)lane / 2;
}

/* Every third lane is passive. */
static APART vector activated(vector x)
{
  for (int lane = 0; lane < LANES; lane++)
    if (dot_of_lane(lane) != 0)
      x[lane] = input(x[lane], dot_of_lane(lane));
  return x;
}

#define CHECK(name, call, derivative)                                                                                  \
  do {                                                                                                                 \
    const vector f = (call);                                                                                           \
    for (int lane = 0; lane < LANES; lane++) {                                                                         \
      const wide x = (REAL)passive(given[lane]);                                                                       \
      (void)x;                                                                                                         \
      check(name, f[lane], (REAL)(dot_of_lane(lane) * (derivative)));                                                  \
    }                                                                                                                  \
  } while (0)

/* Calls a function of one vector that preserves the upper registers: what is in one of them stays, and a second value may
 * be in the second register. The stack below belongs to the function. */
static APART vector call(vector (*function)(vector), vector x, vector* second_value, vector* kept)
{
  register vector first __asm__("xmm0") = x;
  register vector second __asm__("xmm1") = x;
  register vector upper __asm__("xmm12") = *kept;
  __asm__ volatile("movq %%rsp, %%rbx\n\tsubq $256, %%rsp\n\tandq $-64, %%rsp\n\tcall *%3\n\tmovq %%rbx, %%rsp"
                   : "+v"(first), "+v"(second), "+v"(upper)
                   : "r"((void*)function)
                   : "rax", "rbx", "rcx", "rdx", "rdi", "rsi", "r8", "r9", "r10", "r11", "memory", "cc", "xmm2", "xmm3",
                     "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm13", "xmm14", "xmm15");
  *second_value = second;
  *kept = upper;
  return first;
}

#if BYTES == 64
/* Lanes that the mask excludes come from the first argument. */
static APART vector masked_logarithm(vector others, vector numbers, unsigned mask)
{
  register vector first __asm__("zmm0") = others;
  register vector second __asm__("zmm1") = numbers;
  __asm__ volatile("kmovw %2, %%k1\n\tcall *%3"
                   : "+v"(first), "+v"(second)
                   : "r"(mask), "r"((void*)JOINED(INTEL(log), _mask))
                   : "rax", "rcx", "rdx", "rdi", "rsi", "r8", "r9", "r10", "r11", "k1", "memory", "cc", "xmm2", "xmm3",
                     "xmm4", "xmm5", "xmm6", "xmm7", "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14", "xmm15");
  return first;
}
#endif

int main(int argc, char** argv)
{
  (void)argv;
  const vector given = numbers_from((REAL)0.5, (REAL)0.25);
  const vector x = activated(given), probabilities = activated(numbers_from((REAL)0.975, 0));
  if (argc > 1) {
    CHECK("secret", INTEL(secret)(x), 0);
    return 0;
  }
  CHECK("sin", INTEL(sin)(x), cosl(x));
  CHECK("exp", INTEL(exp)(x), expl(x));
  CHECK("pow", INTEL(pow)(x, given), powl(x, x));
  CHECK("pow of both", INTEL(pow)(x, x), powl(x, x) * (logl(x) + 1));
  CHECK("cdfnorminv", INTEL(cdfnorminv)(probabilities), sqrtl(2 * acosl(-1)) * expl(f[lane] * (wide)f[lane] / 2));
  vector second, kept = x + x;
  CHECK("cosine beside a register that is kept", call(INTEL(cos), x, &second, &kept), -sinl(x));
  CHECK("register that is kept", kept, 2);
  CHECK("sine of both", call(INTEL(sincos), x, &second, &kept), cosl(x));
  CHECK("cosine of both", second, -sinl(x));
  CHECK("sin of libmvec", OF_ABI(v_, sin)(x), cosl(x));
#if HAS_SINCOS
  REAL sines[LANES], cosines[LANES];
  addresses to_sines[2], to_cosines[2];
  for (int lane = 0; lane < LANES; lane++) {
    to_sines[lane / POINTERS][lane % POINTERS] = (uintptr_t)&sines[LANES - 1 - lane];
    to_cosines[lane / POINTERS][lane % POINTERS] = (uintptr_t)&cosines[lane];
  }
  OF_ABI(vvv_, sincos)(x, BOTH(to_sines), BOTH(to_cosines));
  for (int lane = 0; lane < LANES; lane++) {
    check("sine", sines[LANES - 1 - lane], (REAL)(dot_of_lane(lane) * cosl(given[lane])));
    check("cosine", cosines[lane], (REAL)(dot_of_lane(lane) * -sinl(given[lane])));
  }
#endif
#if BYTES < 64
  vector mask;
  for (int lane = 0; lane < LANES; lane++)
    mask[lane] = lane % 4 == 3 ? 0 : -1;
  CHECK("masked logarithm", JOINED(INTEL(log), _mask)(x, mask), lane % 4 == 3 ? 0 : 1 / x);
#else
  CHECK("masked logarithm", masked_logarithm(x + x, x, 0x5aa6), 0x5aa6 >> lane & 1 ? 1 / x : 2);
#endif
  return 0;
}
