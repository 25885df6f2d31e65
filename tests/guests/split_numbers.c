/* Numbers are taken apart and put together in the ways of vectorised logarithms, by bytes and words in another order,
 * and while instructions that do nothing name the registers that they are in. */
#include "check.h"
#include <emmintrin.h>
#include <stdint.h>
#include <string.h>

static APART uint64_t bits_of(double x)
{
  uint64_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static APART double number_of(uint64_t bits)
{
  double x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

/* Not known to the compiler. */
static APART uint64_t constant(uint64_t bits)
{
  __asm__("" : "+r"(bits));
  return bits;
}

static APART __m128i both(uint64_t bits)
{
  return _mm_set1_epi64x((long long)constant(bits));
}

static APART double first(__m128i bits)
{
  return _mm_cvtsd_f64(_mm_castsi128_pd(bits));
}

#define SQRT_HALF 0x3fe6a09e00000000u
#define ONE 0x3ff0000000000000u
#define UPPER_FRACTION 0x000fffff00000000u
#define LOWER_HALF 0xffffffffu

/* The fraction between sqrt(1/2) and sqrt(2): a sum, a mask, a sum, and the lower half again. */
static APART double fraction_sum_first(double x)
{
  uint64_t bits = bits_of(x), upper = bits + (ONE - SQRT_HALF);
  upper = (upper & UPPER_FRACTION) + SQRT_HALF;
  return number_of(upper | (bits & LOWER_HALF));
}

static APART double fraction_of_halves(double x)
{
  uint64_t bits = bits_of(x);
  uint32_t upper = (uint32_t)(bits >> 32) + (uint32_t)((ONE - SQRT_HALF) >> 32);
  upper = (upper & 0x000fffff) + (uint32_t)(SQRT_HALF >> 32);
  return number_of((uint64_t)upper << 32 | (bits & LOWER_HALF));
}

#define IN_REGISTERS(name, code)                                                                                       \
  static APART double name(double x)                                                                                   \
  {                                                                                                                    \
    double y;                                                                                                          \
    __asm__ volatile("movq %1, %%rax\n" code "movq %%rax, %0" : "=x"(y) : "x"(x) : "rax", "rcx", "rdx", "cc");         \
    return y;                                                                                                          \
  }

/* The lower half comes in before the exponent does. */
IN_REGISTERS(fraction_then_exponent, "movabs $0xfffff00000000, %%rdx\n"
                                     "and %%rax, %%rdx\n"
                                     "mov %%eax, %%eax\n"
                                     "or %%rdx, %%rax\n"
                                     "movabs $0x3ff0000000000000, %%rcx\n"
                                     "add %%rcx, %%rax\n")

static APART double fraction_of_vectors(double x)
{
  __m128i bits = _mm_castpd_si128(_mm_set1_pd(x));
  __m128i upper = _mm_add_epi64(_mm_and_si128(bits, both(UPPER_FRACTION)), both(ONE));
  return first(_mm_or_si128(upper, _mm_and_si128(bits, both(LOWER_HALF))));
}

/* An arithmetic shift by 32 of 64 bits, which SSE2 does not have. */
static APART double fraction_by_shifted_signs(double x)
{
  __m128i bits = _mm_castpd_si128(_mm_set1_pd(x));
  __m128i sign = _mm_slli_epi64(_mm_srai_epi32(_mm_shuffle_epi32(bits, 0xf5), 32), 32);
  __m128i upper = _mm_or_si128(_mm_srli_epi64(bits, 32), sign);
  upper = _mm_add_epi64(upper, both((ONE - SQRT_HALF) >> 32));
  upper = _mm_add_epi64(_mm_and_si128(upper, both(0xfffff)), both(SQRT_HALF >> 32));
  return first(_mm_or_si128(_mm_slli_epi64(upper, 32), _mm_and_si128(bits, both(LOWER_HALF))));
}

/* Powers of two are added to exponents, in lanes of 32 bits that are halves of numbers. */
static APART double exponent_in_halves(double x, int power)
{
  __m128i shifted = _mm_slli_epi64(both((uint64_t)power), 52);
  return first(_mm_add_epi32(_mm_castpd_si128(_mm_set1_pd(x)), shifted));
}

static APART double exponent_out_of_halves(double x, int power)
{
  __m128i shifted = _mm_slli_epi64(both((uint64_t)power), 52);
  return first(_mm_sub_epi32(_mm_castpd_si128(_mm_set1_pd(x)), shifted));
}

static APART double exponents_of_floats(double x, int power)
{
  __m128i bits = _mm_castps_si128(_mm_set1_ps((float)x));
  bits = _mm_add_epi32(bits, _mm_slli_epi32(_mm_set1_epi32((int)constant((uint64_t)power)), 23));
  return (double)_mm_cvtss_f32(_mm_castsi128_ps(bits));
}

/* The sign of a product: it is wanted from all inverted bits, or from the bits as they are. */
static APART double with_sign_of(double x, double sign, uint64_t mask)
{
  __m128i inverted = _mm_xor_si128(_mm_castpd_si128(_mm_set1_pd(sign)), both(mask));
  __m128i signs = _mm_and_si128(inverted, both((uint64_t)1 << 63));
  return first(_mm_xor_si128(_mm_castpd_si128(_mm_set1_pd(x)), signs));
}

/* What has no index of its own is counted in a recording. */
static double moved(double (*move)(double), double x)
{
  return DG_GET_MODE == DERIVGRIND_MODE_RECORDING ? x : move(x);
}

IN_REGISTERS(one_byte_apart, "mov %%rax, %%rdx\n"
                             "movabs $0x00ff000000000000, %%rcx\n"
                             "and %%rcx, %%rax\n"
                             "not %%rcx\n"
                             "and %%rcx, %%rdx\n"
                             "or %%rdx, %%rax\n")
IN_REGISTERS(byte_of_fraction_apart, "mov %%rax, %%rdx\n"
                                     "movabs $0x0000ff0000000000, %%rcx\n"
                                     "and %%rcx, %%rax\n"
                                     "not %%rcx\n"
                                     "and %%rcx, %%rdx\n"
                                     "add %%rdx, %%rax\n")
IN_REGISTERS(every_other_byte, "mov %%rax, %%rdx\n"
                               "movabs $0xff00ff00ff00ff00, %%rcx\n"
                               "and %%rcx, %%rax\n"
                               "not %%rcx\n"
                               "and %%rcx, %%rdx\n"
                               "or %%rdx, %%rax\n")
IN_REGISTERS(swapped_and_masked, "bswap %%rax\n"
                                 "mov %%eax, %%ecx\n"
                                 "and $0xff00, %%ecx\n"
                                 "and $-65281, %%rax\n"
                                 "or %%rcx, %%rax\n"
                                 "bswap %%rax\n")
IN_REGISTERS(bytes_shifted_out, "mov %%rax, %%rdx\n"
                                "shl $56, %%rax\n"
                                "shr $56, %%rax\n"
                                "shr $8, %%rdx\n"
                                "shl $8, %%rdx\n"
                                "or %%rdx, %%rax\n")

static APART __m128i words_swapped(__m128i words)
{
  words = _mm_shufflelo_epi16(words, 0x1b);
  return _mm_or_si128(_mm_srli_epi16(words, 8), _mm_slli_epi16(words, 8));
}

static APART double bytes_of_words_swapped(double x)
{
  return first(words_swapped(words_swapped(_mm_castpd_si128(_mm_set_sd(x)))));
}

/* Loads: a register that a load has filled is looked at if it may hold a number. */
#define BESIDE_FILLERS(name, filler)                                                                                   \
  static APART double name(double x)                                                                                   \
  {                                                                                                                    \
    double y;                                                                                                          \
    __asm__ volatile("mov (%1), %%rax\n" filler "movq %%rax, %0" : "=x"(y) : "r"(&x) : "rax", "memory");               \
    return y;                                                                                                          \
  }
BESIDE_FILLERS(short_filler, "nopl (%%rax)\n")
BESIDE_FILLERS(long_filler, "cs nopw 0x0(%%rax,%%rax,1)\n")
BESIDE_FILLERS(prefetched, "prefetcht0 (%%rax)\n")

static APART double added_by_exchange(double x, double summand)
{
  uint64_t bits = bits_of(x), old = __atomic_load_n(&bits, __ATOMIC_SEQ_CST), new;
  do
    new = bits_of(number_of(old) + summand);
  while (!__atomic_compare_exchange_n(&bits, &old, new, 1, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST));
  return number_of(bits);
}

int main(void)
{
  double x = input(0.37, 1.0 / 3), y = input(11.3, 1.75);
  check("fraction_sum_first", fraction_sum_first(x), 2.0 / 3);
  check("fraction_sum_first_of_more", fraction_sum_first(y), 1.75 / 8);
  check("fraction_of_halves", fraction_of_halves(x), 2.0 / 3);
  check("fraction_then_exponent", fraction_then_exponent(x), 4.0 / 3);
  check("fraction_of_vectors", fraction_of_vectors(y), 1.75 / 8);
  check("fraction_by_shifted_signs", fraction_by_shifted_signs(x), 2.0 / 3);
  check("exponent_in_halves", exponent_in_halves(x, 2), 4.0 / 3);
  check("exponent_out_of_halves", exponent_out_of_halves(y, 3), 1.75 / 8);
  check("exponents_of_floats", exponents_of_floats(y, 2), 7);
  check("with_sign_of", with_sign_of(x, y, 0), 1.0 / 3);
  check("with_opposite_sign_of", with_sign_of(x, y, ~(uint64_t)0), -1.0 / 3);
  check("one_byte_apart", moved(one_byte_apart, x), 1.0 / 3);
  check("byte_of_fraction_apart", moved(byte_of_fraction_apart, x), 1.0 / 3);
  check("every_other_byte", moved(every_other_byte, x), 1.0 / 3);
  check("swapped_and_masked", moved(swapped_and_masked, x), 1.0 / 3);
  check("bytes_shifted_out", moved(bytes_shifted_out, x), 1.0 / 3);
  check("bytes_of_words_swapped", moved(bytes_of_words_swapped, y), 1.75);
  check("short_filler", short_filler(x), 1.0 / 3);
  check("long_filler", long_filler(y), 1.75);
  check("prefetched", prefetched(x), 1.0 / 3);
  check("added_by_exchange", added_by_exchange(x, x), 2.0 / 3);
  return 0;
}
