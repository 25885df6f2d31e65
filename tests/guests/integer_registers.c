/* Numbers that travel through general registers. */
#include "check.h"
#include <stdint.h>
#include <string.h>

#ifdef REAL_IS_FLOAT
typedef uint32_t word;
#else
typedef uint64_t word;
#endif

union both { REAL number; word bits; };

static APART word bits_of(REAL x)
{
  word bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}

static APART REAL number_of(word bits)
{
  union both both;
  both.bits = bits;
  return both.number;
}

static APART word chosen(int which, word first, word second)
{
  return which ? first : second;
}

static APART void swap_words(word* first, word* second)
{
  word kept = *first;
  *first = *second;
  *second = kept;
}

int main(void)
{
  REAL x = input(1.25, 2), y = input(-3, 5);
  check("there and back", number_of(bits_of(x)) * 3, 6);
  check("cmov", number_of(chosen(1, bits_of(x), bits_of(y))), 2);
  check("cmov", number_of(chosen(0, bits_of(x), bits_of(y))), 5);
  union both a = {x}, b = {y};
  swap_words(&a.bits, &b.bits);
  check("swap", a.number, 5);
  check("swap", b.number, 2);
  word bits = bits_of(x);
  __asm__("xchg %0, %1" : "+r"(bits), "+m"(a.bits));
  check("xchg", number_of(bits), 5);
  check("xchg", a.number, 2);
  word old = __atomic_exchange_n(&a.bits, bits, __ATOMIC_SEQ_CST);
  check("atomic exchange", number_of(old), 2);
  check("atomic exchange", a.number, 5);
  word expected = a.bits;
  __atomic_compare_exchange_n(&a.bits, &expected, bits_of(x * x), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  check("compare and exchange", a.number, 4 * x);
  expected = 0;
  __atomic_compare_exchange_n(&a.bits, &expected, bits_of(y), 0, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
  check("failing compare and exchange", a.number, 4 * x);
  check("failing compare and exchange", number_of(expected), 4 * x);
  uint64_t pushed = bits_of(y);
  __asm__ volatile("subq $128, %%rsp\n\tpush %0\n\txorl %k0, %k0\n\tpop %0\n\taddq $128, %%rsp" : "+r"(pushed) : : "cc");
  check("push and pop", number_of((word)pushed), 5);
  volatile word words[2];
  words[0] = bits_of(x);
  words[1] = words[0];
  check("volatile", number_of(words[1]), 2);
  word zero = bits_of(x);
  __asm__("xor %0, %0" : "+r"(zero) : : "cc");
  check("cleared", number_of(zero), 0);
  /* What was there before does not matter, even where it was a part whose bytes are zero. */
  union both c = {x};
  uint16_t part;
  memcpy(&part, &c, sizeof part);
  word ones = part;
  __asm__("shl %1, %0\n\tor $-1, %0\n\tadd $1, %0" : "+r"(ones) : "i"(8 * (int)sizeof(word) - 16) : "cc");
  check("all ones", number_of(ones), 0);
  return 0;
}
