/* What programs do to the bits of numbers, where the result has a derivative. */
#include "check.h"
#include <stdint.h>
#include <string.h>

#ifdef REAL_IS_FLOAT
typedef uint32_t bits;
enum { FRACTION = 23, BIAS = 127, WIDTH = 32 };
static const REAL ROUNDING = 0x1.8p23f, TABLE = 0x1.8p18f, ONE_SIDED = 0x1p23f;
#else
typedef uint64_t bits;
enum { FRACTION = 52, BIAS = 1023, WIDTH = 64 };
static const REAL ROUNDING = 0x1.8p52, TABLE = 0x1.8p45, ONE_SIDED = 0x1p52;
#endif
#define SIGN ((bits)1 << (WIDTH - 1))
#define FRACTION_MASK (((bits)1 << FRACTION) - 1)

static inline bits bits_of(REAL x)
{
  bits word;
  memcpy(&word, &x, sizeof word);
  return word;
}

static inline REAL number_of(bits word)
{
  REAL x;
  memcpy(&x, &word, sizeof x);
  return x;
}

static APART REAL negated(REAL x) { return number_of(bits_of(x) ^ SIGN); }
static APART REAL magnitude(REAL x) { return number_of(bits_of(x) & ~SIGN); }
static APART REAL negative(REAL x) { return number_of(bits_of(x) | SIGN); }
static APART REAL with_sign(REAL x, REAL y) { return number_of((bits_of(x) & ~SIGN) | (bits_of(y) & SIGN)); }
static APART REAL scaled(REAL x, int n) { return number_of(bits_of(x) + ((bits)n << FRACTION)); }
static APART REAL fraction(REAL x)
{
  return number_of((bits_of(x) & (SIGN | FRACTION_MASK)) | ((bits)(BIAS - 1) << FRACTION));
}

static APART int exponent(REAL x)
{
  return (int)(bits_of(x) >> FRACTION & (2 * BIAS + 1)) - BIAS;
}

/* x = 2^k z with z in a chosen binade, as logarithms begin. */
static APART REAL reduced(REAL x, int* k)
{
  const bits offset = bits_of((REAL)0.703125), word = bits_of(x), distance = word - offset;
  *k = (int)(distance >> FRACTION) - (distance >> (WIDTH - 1) ? 2 * BIAS + 2 : 0);
  return number_of(word - (distance & ~FRACTION_MASK));
}

static APART REAL head(REAL x) { return number_of(bits_of(x) & ~(((bits)1 << (FRACTION + 1) / 2) - 1)); }

static APART REAL through_bytes(REAL x)
{
  unsigned char bytes[sizeof x];
  bits word = bits_of(x), back = 0;
  for (unsigned k = 0; k < sizeof x; k++)
    bytes[k] = (unsigned char)(word >> 8 * k);
  for (unsigned k = 0; k < sizeof x; k++)
    back |= (bits)bytes[k] << 8 * k;
  return number_of(back);
}

/* The highest byte of a number, in memory. */
#define SIGN_BYTE(number) (((unsigned char*)&(number))[sizeof(number) - 1])
static APART REAL negated_in_memory(REAL x)
{
  __asm__ volatile("xorb $0x80, %0" : "+m"(SIGN_BYTE(x)));
  return x;
}

static APART REAL magnitude_in_memory(REAL x)
{
  __asm__ volatile("andb $0x7f, %0" : "+m"(SIGN_BYTE(x)));
  return x;
}

#ifndef REAL_IS_FLOAT
/* Fields of bits. Unoptimised, they are changed in the memory of the union. */
typedef union {
  double number;
  struct {
    uint32_t low;
    uint32_t fraction : 20, exponent : 11, sign : 1;
  } fields;
} number_with_fields;

static APART double field_of_sign(double x)
{
  number_with_fields u = {x};
  u.fields.sign ^= 1;
  return u.number;
}

static APART double field_of_exponent(double x)
{
  number_with_fields u = {x};
  u.fields.exponent = BIAS - 1;
  return u.number;
}
#endif

typedef union {
  REAL number;
  uint32_t words[sizeof(REAL) / 4];
} number_and_words;

static APART REAL upper_half_negated(REAL x)
{
  number_and_words u = {x};
  u.words[sizeof(REAL) / 4 - 1] ^= 0x80000000;
  return u.number;
}

static APART REAL rounded(REAL x)
{
  REAL shifted = x + ROUNDING;
  return shifted - ROUNDING;
}

/* The constant in a register. */
static APART REAL rounded_by(REAL x, REAL constant)
{
  REAL shifted = x + constant;
  return shifted - constant;
}

/* What is added is taken back somewhere else. */
static volatile int turns = 2;

static APART REAL rounded_later(REAL x, REAL constant)
{
  REAL shifted = x + constant;
  for (int i = 0; i < turns; i++)
    turns = turns;
  return shifted - constant;
}

typedef struct {
  REAL constant;
} kept_constant;

static APART REAL rounded_by_content(REAL x, const kept_constant* kept)
{
  REAL shifted = x + kept->constant;
  for (int i = 0; i < turns; i++)
    turns = turns;
  return shifted - kept->constant;
}

static APART void each_shifted(REAL* y, const REAL* x, REAL constant, int n)
{
  for (int i = 0; i < n; i++)
    y[i] = x[i] + constant;
}

static APART void each_shifted_back(REAL* y, REAL constant, int n)
{
  for (int i = 0; i < n; i++)
    y[i] -= constant;
}

static APART REAL rounded_product(REAL x, REAL y)
{
  REAL shifted = x * y + ROUNDING;
  return shifted - ROUNDING;
}

static APART REAL rounded_upwards(REAL x)
{
  volatile REAL shifted = x + ONE_SIDED;
  return shifted - ONE_SIDED;
}

/* A sum whose error is carried along. */
static APART REAL compensated(const REAL* x, int n, REAL sum)
{
  REAL error = 0;
  for (int i = 0; i < n; i++) {
    REAL y = x[i] - error, next = sum + y;
    error = (next - sum) - y;
    sum = next;
  }
  return sum;
}

static APART void each_rounded(REAL* y, const REAL* x, REAL constant, int n)
{
  for (int i = 0; i < n; i++) {
    REAL shifted = x[i] * (REAL)1.25 + constant;
    y[i] = x[i] * (shifted - constant);
  }
}

int main(void)
{
  REAL x = input((REAL)-11.3, (REAL)1.5), y = input((REAL)2.7, (REAL)-0.5);
  REAL numbers[13], products[13];
  int k;
  check("negated", negated(x), (REAL)-1.5);
  check("magnitude", magnitude(x), (REAL)-1.5);
  check("magnitude_of_positive", magnitude(y), (REAL)-0.5);
  check("negative", negative(y), (REAL)0.5);
  check("with_sign", with_sign(y, x), (REAL)0.5);
  check("scaled", scaled(x, 5), (REAL)48);
  check("scaled_down", scaled(x, -3), (REAL)0.1875);
  check("fraction", fraction(x), (REAL)(1.5 / 16));
  check("exponent", y * (REAL)exponent(x), (REAL)-1.5);
  check("reduced", reduced(y, &k), (REAL)-0.25);
  check("reduced_exponent", y * (REAL)k, (REAL)-0.5);
  {
    REAL first = head(y), rest = y - first;
    check("head_and_tail", first * first + (2 * first * rest + rest * rest), 2 * y * (REAL)-0.5);
  }
  check("through_bytes", DG_GET_MODE != DERIVGRIND_MODE_RECORDING ? through_bytes(x) : x, (REAL)1.5);
  check("negated_in_memory", negated_in_memory(x), (REAL)-1.5);
  check("magnitude_in_memory", magnitude_in_memory(x), (REAL)-1.5);
  check("magnitude_of_positive_in_memory", magnitude_in_memory(y), (REAL)-0.5);
  check("upper_half_negated", upper_half_negated(x), (REAL)-1.5);
#ifndef REAL_IS_FLOAT
  check("field_of_sign", field_of_sign(x), (REAL)-1.5);
  check("field_of_exponent", field_of_exponent(x), (REAL)(1.5 / 16));
#endif
#ifndef __FAST_MATH__ /* Else the compiler leaves both sums out. */
  check("rounded", x * rounded(x), (REAL)1.5 * rounded(x));
  check("remainder", x - rounded(x), (REAL)1.5);
  check("rounded_by", x * rounded_by(x, ROUNDING), (REAL)1.5 * rounded(x));
  check("rounded_by_negative", x * rounded_by(x, -ROUNDING), (REAL)1.5 * rounded(x));
  check("rounded_for_table", x - rounded_by(x, TABLE), (REAL)1.5);
  check("rounded_later", x * rounded_later(x, ROUNDING), (REAL)1.5 * rounded(x));
  check("rounded_later_by_negative", x * rounded_later(x, -ROUNDING), (REAL)1.5 * rounded(x));
  {
    kept_constant kept = {ROUNDING};
    check("rounded_by_content", x * rounded_by_content(x, &kept), (REAL)1.5 * rounded(x));
  }
  check("rounded_product", y * rounded_product(x, y), (REAL)-0.5 * rounded_product(x, y));
  check("rounded_upwards", y - rounded_upwards(y), (REAL)-0.5);
#endif
  check("small_constant", rounded_by(x, (REAL)1.5), (REAL)1.5);
  for (int i = 0; i < 13; i++)
    numbers[i] = x * (REAL)(i + 1) * (REAL)0.125;
  check("compensated", compensated(numbers, 13, (REAL)1.5), (REAL)(1.5 * 0.125 * 91));
#ifndef __FAST_MATH__
  each_rounded(products, numbers, ROUNDING, 13);
  for (int i = 0; i < 13; i++)
    check("each_rounded", products[i], (REAL)(1.5 * 0.125) * (REAL)(i + 1) * rounded(numbers[i] * (REAL)1.25));
  each_shifted(products, numbers, ROUNDING, 13);
  each_shifted_back(products, ROUNDING, 13);
  for (int i = 0; i < 13; i++)
    check("each_shifted", x * products[i], (REAL)1.5 * rounded(numbers[i]));
#else
  (void)products;
#endif
  check("small_constant_later", rounded_later(x, (REAL)1.5), (REAL)1.5);
  return 0;
}
