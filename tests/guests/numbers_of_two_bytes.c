/* Arithmetic with _Float16, and storage in binary16 and bfloat16. Derivatives are as precise as such numbers. */
#define REAL float
#include "check.h"
#include <immintrin.h>
#include <math.h>

enum { COUNT = 37 };
static float x[COUNT], y[COUNT];

static APART void store_and_load(void)
{
  unsigned short stored[8];
  for (int k = 0; k + 8 <= COUNT; k += 8) {
    const __m256 numbers = _mm256_loadu_ps(x + k);
    _mm_storeu_si128((__m128i*)stored, _mm256_cvtps_ph(_mm256_mul_ps(numbers, numbers), 0));
    _mm256_storeu_ps(y + k, _mm256_cvtph_ps(_mm_loadu_si128((const __m128i*)stored)));
  }
}

#ifdef __AVX512FP16__
static APART void compute(void)
{
  for (int k = 0; k < COUNT; k++) {
    const _Float16 t = (_Float16)x[k];
    y[k] = (float)((t * t + (_Float16)1.5 * t) / (t + (_Float16)2));
  }
}

static APART float compute_one(float number)
{
  const _Float16 t = (_Float16)number;
  const _Float16 square = t * t - (_Float16)0.25;
  return (float)(square * (t > (_Float16)1 ? t : (_Float16)1));
}

static APART void sum_of_products(void)
{
  for (int k = 0; k + 32 <= COUNT; k += 32) {
    const __m512 low = _mm512_loadu_ps(x + k), high = _mm512_loadu_ps(x + k + 16);
    const __m512bh pairs = _mm512_cvtne2ps_pbh(high, low);
    _mm512_storeu_ps(y, _mm512_dpbf16_ps(_mm512_setzero_ps(), pairs, pairs));
  }
}
#endif

int main(void)
{
  for (int k = 0; k < COUNT; k++)
    x[k] = input(0.5f + k / 16.0f, 0.75f);
  store_and_load();
  for (int k = 0; k < COUNT / 8 * 8; k++)
    check("stored", y[k], 1.5f * (0.5f + k / 16.0f));
#ifdef __AVX512FP16__
  compute();
  for (int k = 0; k < COUNT; k++) {
    const float t = 0.5f + k / 16.0f, below = t + 2;
    check("quotient", y[k], 0.75f * ((2 * t + 1.5f) / below - (t * t + 1.5f * t) / (below * below)));
  }
  for (int k = 0; k < COUNT; k++) {
    const float t = 0.5f + k / 16.0f;
    check("choice", compute_one(x[k]), 0.75f * (t > 1 ? 3 * t * t - 0.25f : 2 * t));
  }
  sum_of_products();
  for (int k = 0; k < 16; k++) {
    const float one = 0.5f + 2 * k / 16.0f, other = 0.5f + (2 * k + 1) / 16.0f;
    check("sum", y[k], 1.5f * (one + other));
  }
#endif
  return 0;
}
