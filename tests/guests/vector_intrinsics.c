/* Instructions that compilers emit rarely, called by name: horizontal, alternating, blends, inserts, permutations. */
#include "check.h"
#include <immintrin.h>

static double values[4], dots[4];
static float singles[8];

static APART __m256d active(double first)
{
  for (int i = 0; i < 4; i++) {
    double dot = i + 1;
    values[i] = first + i;
    ACTIVATE(values[i], dot);
    dots[i] = dot;
  }
  return _mm256_loadu_pd(values);
}

static APART void check_four(const char* name, __m256d y, double a, double b, double c, double d)
{
  double out[4];
  _mm256_storeu_pd(out, y);
  check(name, out[0], a);
  check(name, out[1], b);
  check(name, out[2], c);
  check(name, out[3], d);
}

static APART void check_two(const char* name, __m128d y, double a, double b)
{
  double out[2];
  _mm_storeu_pd(out, y);
  check(name, out[0], a);
  check(name, out[1], b);
}

static APART void check_singles(const char* name, __m128 y, float a, float b, float c, float d)
{
  float out[4];
  _mm_storeu_ps(out, y);
  check(name, out[0], a);
  check(name, out[1], b);
  check(name, out[2], c);
  check(name, out[3], d);
}

int main(void)
{
  __m256d x = active(0.5);
  __m128d low = _mm256_castpd256_pd128(x), high = _mm256_extractf128_pd(x, 1);
  check_four("hadd", _mm256_hadd_pd(x, x), 3, 3, 7, 7);
  check_four("hsub", _mm256_hsub_pd(x, x), -1, -1, -1, -1);
  check_four("addsub", _mm256_addsub_pd(x, x), 0, 4, 0, 8);
  check_four("permute2f128", _mm256_permute2f128_pd(x, x, 0x01), 3, 4, 1, 2);
  check_four("permute2f128 with zero", _mm256_permute2f128_pd(x, x, 0x08), 0, 0, 1, 2);
  check_four("permute", _mm256_permute_pd(x, 0x5), 2, 1, 4, 3);
  check_four("permute4x64", _mm256_permute4x64_pd(x, 0x1b), 4, 3, 2, 1);
  check_four("shuffle", _mm256_shuffle_pd(x, _mm256_add_pd(x, x), 0xa), 1, 4, 3, 8);
  check_four("unpackhi", _mm256_unpackhi_pd(x, x), 2, 2, 4, 4);
  check_four("blend", _mm256_blend_pd(x, _mm256_setzero_pd(), 0x6), 1, 0, 0, 4);
  check_four("blendv", _mm256_blendv_pd(x, _mm256_add_pd(x, x), _mm256_set_pd(-1, 1, -1, 1)), 1, 4, 3, 8);
  check_four("broadcast", _mm256_broadcastsd_pd(low), 1, 1, 1, 1);
  check_four("broadcast from memory", _mm256_broadcast_sd(&values[2]), 3, 3, 3, 3);
  check_four("insertf128", _mm256_insertf128_pd(x, high, 0), 3, 4, 3, 4);
  check_four("fmaddsub", _mm256_fmaddsub_pd(x, x, x), 2 * 0.5 - 1, 2 * 1.5 * 2 + 2, 2 * 2.5 * 3 - 3, 2 * 3.5 * 4 + 4);
  check_four("fnmsub", _mm256_fnmsub_pd(x, x, x), -2, -8, -18, -32);
  check_four("gather", _mm256_i64gather_pd(values, _mm256_set_epi64x(0, 3, 1, 2), 8), 3, 2, 4, 1);
  check_four("maskload", _mm256_maskload_pd(values, _mm256_set_epi64x(-1, 0, 0, -1)), 1, 0, 0, 4);
  double stored[4] = {9, 9, 9, 9};
  _mm256_maskstore_pd(stored, _mm256_set_epi64x(0, -1, -1, 0), x);
  check_four("maskstore", _mm256_loadu_pd(stored), 0, 2, 3, 0);
  check_four("max", _mm256_max_pd(x, _mm256_set1_pd(2)), 0, 0, 3, 4);
  __m256d mask = _mm256_cmp_pd(x, _mm256_set1_pd(2), _CMP_LT_OQ);
  check_four("and with mask", _mm256_and_pd(x, mask), 1, 2, 0, 0);
  check_four("andnot with mask", _mm256_andnot_pd(mask, x), 0, 0, 3, 4);
  check_four("sqrt", _mm256_sqrt_pd(_mm256_mul_pd(x, x)), 1, 2, 3, 4);
  check_four("integer shuffle", _mm256_castsi256_pd(_mm256_shuffle_epi32(_mm256_castpd_si256(x), 0x4e)), 2, 1, 4, 3);
  check_four("alignr", _mm256_castsi256_pd(_mm256_alignr_epi8(_mm256_castpd_si256(x), _mm256_castpd_si256(x), 8)), 2, 1, 4, 3);
  check_two("loadh", _mm_loadh_pd(low, &values[3]), 1, 4);
  check_two("loadl", _mm_loadl_pd(low, &values[3]), 4, 2);
  check_two("move", _mm_move_sd(low, high), 3, 2);
  check_two("hadd", _mm_hadd_pd(low, high), 3, 7);
  check_two("shift by bytes", _mm_castsi128_pd(_mm_srli_si128(_mm_castpd_si128(low), 8)), 2, 0);
  check_two("convert", _mm_cvtps_pd(_mm_cvtpd_ps(low)), 1, 2);
  check_two("scalar root", _mm_sqrt_sd(low, _mm_mul_pd(high, high)), 3, 2);
  _mm_stream_pd((double*)__builtin_assume_aligned(_mm_malloc(16, 16), 16), low);
  __m128 single = _mm256_cvtpd_ps(x);
  check_singles("convert", single, 1, 2, 3, 4);
  check_singles("shuffle", _mm_shuffle_ps(single, single, 0x1b), 4, 3, 2, 1);
  check_singles("insert", _mm_insert_ps(single, single, 0xd1), 0, 4, 3, 4);
  check_singles("movehl", _mm_movehl_ps(single, single), 3, 4, 3, 4);
  check_singles("movehdup", _mm_movehdup_ps(single), 2, 2, 4, 4);
  check_singles("hadd", _mm_hadd_ps(single, single), 3, 7, 3, 7);
  check_singles("addsub", _mm_addsub_ps(single, single), 0, 4, 0, 8);
  check_singles("permutevar", _mm_permutevar_ps(single, _mm_set_epi32(0, 0, 1, 3)), 4, 2, 1, 1);
  check_singles("blend words", _mm_castsi128_ps(_mm_blend_epi16(_mm_castps_si128(single), _mm_setzero_si128(), 0x0c)), 1, 0, 3, 4);
  check_singles("scalar minimum", _mm_min_ss(single, _mm_set1_ps(-1)), 0, 2, 3, 4);
  _mm_storeu_ps(singles, single);
  int bits = _mm_extract_ps(single, 2);
  float extracted;
  __builtin_memcpy(&extracted, &bits, sizeof bits);
  check("extract", extracted, 3);
  return 0;
}
