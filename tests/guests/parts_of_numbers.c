/* Sign and exponent of a number are changed in the bytes or words that hold them. Unoptimised, that happens in memory. */
#include "check.h"
#include <stdint.h>
#include <string.h>

#ifdef REAL_IS_FLOAT
enum { FRACTION = 23, BIAS = 127 };
#else
enum { FRACTION = 52, BIAS = 1023 };
#endif

typedef union {
  REAL number;
#ifdef REAL_IS_FLOAT
  struct {
    uint32_t fraction : 23, exponent : 8, sign : 1;
  } fields;
#else
  struct {
    uint32_t low, fraction : 20, exponent : 11, sign : 1;
  } fields;
#endif
  uint16_t words[sizeof(REAL) / 2];
  unsigned char bytes[sizeof(REAL)];
} number_with_parts;

/* Where parts of two numbers in registers are not reported. */
#if !defined REAL_IS_FLOAT && !(defined __clang__ && defined __OPTIMIZE__)
#define HAS_TWO_PARTS
#endif

enum { LAST_WORD = sizeof(REAL) / 2 - 1, LAST_BYTE = sizeof(REAL) - 1 };

/* Bits of the highest word. */
enum { WORD_FRACTION = FRACTION % 16, WORD_MASK = (1 << FRACTION % 16) - 1 };

static APART REAL field_of_sign(REAL x)
{
  number_with_parts u = {x};
  u.fields.sign ^= 1;
  return u.number;
}

static APART REAL field_of_sign_set(REAL x)
{
  number_with_parts u = {x};
  u.fields.sign = 1;
  return u.number;
}

static APART REAL field_of_sign_cleared(REAL x)
{
  number_with_parts u = {x};
  u.fields.sign = 0;
  return u.number;
}

static APART REAL sign_of_another(REAL x, REAL y)
{
  number_with_parts u = {x}, v = {y};
  u.fields.sign = v.fields.sign;
  return u.number;
}

static APART REAL field_of_exponent(REAL x)
{
  number_with_parts u = {x};
  u.fields.exponent = BIAS - 1;
  return u.number;
}

static APART REAL exponent_of_another(REAL x, REAL y)
{
  number_with_parts u = {x}, v = {y};
  u.fields.exponent = v.fields.exponent;
  return u.number;
}

static APART REAL field_of_exponent_raised(REAL x)
{
  number_with_parts u = {x};
  u.fields.exponent += 3;
  return u.number;
}

#ifndef __OPTIMIZE__ /* Else they are parts of registers. */
static APART REAL word_with_sign(REAL x)
{
  number_with_parts u = {x};
  u.words[LAST_WORD] ^= 0x8000;
  return u.number;
}

static APART REAL word_with_exponent(REAL x)
{
  number_with_parts u = {x};
  u.words[LAST_WORD] = (uint16_t)((u.words[LAST_WORD] & (0x8000 | WORD_MASK)) | (BIAS - 1) << WORD_FRACTION);
  return u.number;
}

static APART REAL byte_of_a_copy(REAL x)
{
  unsigned char bytes[sizeof x];
  memcpy(bytes, &x, sizeof x);
  bytes[LAST_BYTE] ^= 0x80;
  memcpy(&x, bytes, sizeof x);
  return x;
}

static APART REAL word_of_a_copy(REAL x)
{
  uint16_t words[sizeof x / 2];
  memcpy(words, &x, sizeof x);
  words[LAST_WORD] &= 0x7fff;
  memcpy(&x, words, sizeof x);
  return x;
}

#endif

/* By way of a pointer, in functions that do not access the number itself. */
static APART void negate_byte(void* number)
{
  unsigned char* bytes = number;
  bytes[LAST_BYTE] ^= 0x80;
}

static APART void clear_sign_in_byte(void* number)
{
  unsigned char* bytes = number;
  bytes[LAST_BYTE] &= 0x7f;
}

static APART void negate_word(void* number)
{
  uint16_t* words = number;
  words[LAST_WORD] ^= 0x8000;
}

static APART void replace_exponent_in_word(void* number)
{
  uint16_t* words = number;
  words[LAST_WORD] = (uint16_t)((words[LAST_WORD] & (0x8000 | WORD_MASK)) | (BIAS - 1) << WORD_FRACTION);
}

#ifdef HAS_TWO_PARTS
/* The sign of one number with the magnitude of another. */
static APART void take_sign(void* number, const void* other)
{
  uint16_t* words = number;
  const uint16_t* of_other = other;
  words[LAST_WORD] = (uint16_t)((words[LAST_WORD] & 0x7fff) | (of_other[LAST_WORD] & 0x8000));
}

static APART REAL with_sign_of(REAL x, REAL y)
{
  take_sign(&x, &y);
  return x;
}
#endif

static APART void flip_field(void* number)
{
  number_with_parts* u = number;
  u->fields.sign ^= 1;
}

static APART void negate_upper_half(void* number)
{
  uint32_t* words = number;
  words[sizeof(REAL) / 4 - 1] ^= 0x80000000;
}

static APART void give_sign_to_upper_half(void* number, uint32_t sign)
{
  uint32_t* words = number;
  words[sizeof(REAL) / 4 - 1] ^= sign;
}

static APART void replace_exponent_in_upper_half(void* number)
{
  uint32_t* words = number;
  const uint32_t kept = 0x80000000 | ((1u << FRACTION % 32) - 1);
  words[sizeof(REAL) / 4 - 1] = (words[sizeof(REAL) / 4 - 1] & kept) | (uint32_t)(BIAS - 1) << FRACTION % 32;
}

static APART void raise_exponent_in_upper_half(void* number)
{
  uint32_t* words = number;
  words[sizeof(REAL) / 4 - 1] += 3u << FRACTION % 32;
}

/* The half is kept in a variable, which unoptimised code has in memory. */
static APART void negate_kept_half(void* number)
{
  uint32_t* words = number;
  uint32_t half = words[sizeof(REAL) / 4 - 1];
  half ^= 0x80000000;
  words[sizeof(REAL) / 4 - 1] = half;
}

static APART void replace_exponent_in_kept_half(void* number)
{
  uint32_t* words = number;
  uint32_t half = words[sizeof(REAL) / 4 - 1];
  half &= 0x80000000 | ((1u << FRACTION % 32) - 1);
  half |= (uint32_t)(BIAS - 1) << FRACTION % 32;
  words[sizeof(REAL) / 4 - 1] = half;
}

static APART REAL through(void (*change)(void*), REAL x)
{
  /* Numbers beside it stay as they are. */
  REAL numbers[3] = {1, x, 2};
  change(&numbers[1]);
  return numbers[1] * numbers[0] * numbers[2] / 2;
}

static APART REAL given_sign(REAL x, uint32_t sign)
{
  give_sign_to_upper_half(&x, sign);
  return x;
}

int main(void)
{
  REAL x = input((REAL)-11.3, (REAL)1.7), y = input((REAL)2.7, (REAL)-0.3);
  check("field_of_sign", field_of_sign(x), (REAL)-1.7);
  check("field_of_sign_set", field_of_sign_set(y), (REAL)0.3);
  check("field_of_sign_kept", field_of_sign_set(x), (REAL)1.7);
  check("field_of_sign_cleared", field_of_sign_cleared(x), (REAL)-1.7);
  check("sign_of_another", sign_of_another(y, x), (REAL)0.3);
  check("field_of_exponent", field_of_exponent(x), (REAL)1.7 / 16);
  check("exponent_of_another", exponent_of_another(x, y), (REAL)1.7 / 4);
  check("field_of_exponent_raised", field_of_exponent_raised(x), (REAL)1.7 * 8);
#ifndef __OPTIMIZE__
  check("word_with_sign", word_with_sign(x), (REAL)-1.7);
  check("word_with_exponent", word_with_exponent(x), (REAL)1.7 / 16);
  check("byte_of_a_copy", byte_of_a_copy(x), (REAL)-1.7);
  check("word_of_a_copy", word_of_a_copy(x), (REAL)-1.7);
#endif
  check("negate_byte", through(negate_byte, x), (REAL)-1.7);
  check("clear_sign_in_byte", through(clear_sign_in_byte, x), (REAL)-1.7);
  check("negate_word", through(negate_word, x), (REAL)-1.7);
  check("replace_exponent_in_word", through(replace_exponent_in_word, x), (REAL)1.7 / 16);
  check("flip_field", through(flip_field, x), (REAL)-1.7);
#ifdef HAS_TWO_PARTS
  check("with_sign_of", with_sign_of(x, y), (REAL)-1.7);
  check("with_sign_of_same", with_sign_of(y, y), (REAL)-0.3);
#endif
  check("negate_upper_half", through(negate_upper_half, x), (REAL)-1.7);
  check("replace_exponent_in_upper_half", through(replace_exponent_in_upper_half, x), (REAL)1.7 / 16);
  check("raise_exponent_in_upper_half", through(raise_exponent_in_upper_half, x), (REAL)1.7 * 8);
  check("negate_kept_half", through(negate_kept_half, x), (REAL)-1.7);
  check("replace_exponent_in_kept_half", through(replace_exponent_in_kept_half, x), (REAL)1.7 / 16);
  check("given_sign", given_sign(x, 0x80000000), (REAL)-1.7);
  return 0;
}
