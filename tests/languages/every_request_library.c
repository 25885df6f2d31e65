/* Each request by the functions of libderivgrind, in whatever mode the program runs. */
#include "expect.h"
#include <complex.h>
#include <derivgrind_library.h>
#include <string.h>

/* What functions return that make sense in one mode only. */
static int32_t status_in(int mode)
{
  return dg_get_mode() == mode ? DG_OK : dg_get_mode() == 0 ? DG_NO_TOOL : DG_OTHER_MODE;
}

static void dot_values(void)
{
  const int32_t status = status_in('d');
  const double served = status == DG_OK ? 1.0 : 0.0;
  float single = 3.0f, single_dot = 1.0f;
  double number = 3.0, dot = 1.0;
  long double extended = 3.0L, extended_dot = 1.0L;
  double matrix[2][3] = {{1.0, 2.0, 3.0}, {4.0, 5.0, 6.0}}, column[2] = {1.0, 2.0}, dots[3] = {0.0, 0.0, 0.0};
  long double pair[2] = {1.0L, 2.0L}, pair_dots[2] = {1.0L, 2.0L};
  float complex z = 1.0f + 2.0f * I, z_dot = 0.5f + 0.25f * I;
  EXPECT(dg_set_dotvalue(&single, &single_dot, DG_FLOAT) == status);
  EXPECT(dg_set_dotvalue(&number, &dot, DG_DOUBLE) == status);
  EXPECT(dg_set_dotvalue(&extended, &extended_dot, DG_LONG_DOUBLE) == status);
  EXPECT(dg_set_dotvalue(&z, &z_dot, DG_COMPLEX_FLOAT) == status);
  EXPECT(dg_set_dotvalues(&matrix[0][1], sizeof matrix[0], column, sizeof(double), 2, DG_DOUBLE) == status);
  EXPECT(dg_set_dotvalues(pair, sizeof *pair, pair_dots, sizeof *pair_dots, 2, DG_LONG_DOUBLE) == status);
  single *= single;
  number *= number;
  extended *= extended;
  z *= 2.0f;
  single_dot = 0.0f;
  dot = 0.0;
  extended_dot = 0.0L;
  z_dot = 0.0f;
  memset(pair_dots, 0, sizeof pair_dots);
  EXPECT(dg_get_dotvalue(&single, &single_dot, DG_FLOAT) == status);
  EXPECT(dg_get_dotvalue(&number, &dot, DG_DOUBLE) == status);
  EXPECT(dg_get_dotvalue(&extended, &extended_dot, DG_LONG_DOUBLE) == status);
  EXPECT(dg_get_dotvalue(&z, &z_dot, DG_COMPLEX_FLOAT) == status);
  EXPECT(single_dot == 6.0f * (float)served && dot == 6.0 * served && extended_dot == 6.0L * served);
  EXPECT(crealf(z_dot) == (float)served && cimagf(z_dot) == 0.5f * (float)served);
  EXPECT(dg_get_dotvalues(matrix[1], sizeof(double), dots, sizeof(double), 3, DG_DOUBLE) == status);
  EXPECT(dots[0] == 0.0 && dots[1] == 2.0 * served && dots[2] == 0.0);
  /* From the end to the beginning. */
  EXPECT(dg_get_dotvalues(pair, sizeof *pair, &pair_dots[1], -(ptrdiff_t)sizeof *pair, 2, DG_LONG_DOUBLE) == status);
  EXPECT(pair_dots[0] == 2.0L * served && pair_dots[1] == served);
  EXPECT(dg_set_dotvalues(NULL, 0, NULL, 0, 0, DG_DOUBLE) == status);
}

static double derivative(uint64_t output, uint64_t input)
{
  const int32_t status = status_in('b');
  const double one = 1.0;
  double bar = 0.0;
  EXPECT(dg_tape_reverse(&output, &one, 1) == status);
  EXPECT(dg_tape_get_bar(input, &bar) == status);
  EXPECT(dg_tape_clear_bars() == status);
  return bar;
}

static void indices_and_tape(void)
{
  const int32_t status = status_in('b');
  const int recording = status == DG_OK;
  double x = 3.0, y, matrix[2][2] = {{3.0, 3.0}, {3.0, 3.0}};
  double complex z = 3.0 + 2.0 * I;
  float single = 2.0f;
  long double extended = 2.0L;
  uint64_t position = 0, input = 0, output = 0, index = 0, own = 0, before = 77, many[2] = {0, 0};
  EXPECT(dg_tape_position(&position) == status);
  EXPECT(dg_input(&x, DG_DOUBLE, &input) == status && (input != 0) == recording);
  y = x * x;
  EXPECT(dg_output(&y, DG_DOUBLE, &output) == status && (output != 0) == recording);
  EXPECT(derivative(output, input) == 6.0 * recording);
  EXPECT(dg_input(&z, DG_COMPLEX_DOUBLE, many) == status);
  y = creal(z) * cimag(z);
  EXPECT(dg_output(&y, DG_DOUBLE, &output) == status);
  EXPECT(derivative(output, many[1]) == 3.0 * recording);

  EXPECT(dg_new_index(input, 0, 0.5, 0.0, 1.5, &own) == status && (own != 0) == recording);
  EXPECT(dg_set_index(&y, DG_DOUBLE, &own) == status);
  EXPECT(dg_get_index(&y, DG_DOUBLE, &index) == status && index == own);
  EXPECT(derivative(own, input) == 0.5 * recording);
  EXPECT(dg_set_indices(&matrix[0][1], sizeof matrix[0], 2, DG_DOUBLE, many) == status);
  many[0] = many[1] = 0;
  EXPECT(dg_get_indices(matrix[1], sizeof(double), 2, DG_DOUBLE, many) == status);
  EXPECT(many[0] == 0 && (many[1] != 0) == recording);
  EXPECT(dg_new_index(0, 0, 0.5, 0.0, 1.5, &own) == status && (own == 0 || !recording));
  EXPECT(dg_new_index_noactivityanalysis(0, 0, 0.5, 0.0, 1.5, &own) == status && (own != 0) == recording);
  EXPECT(dg_disable(1, 0, &before) == (dg_get_mode() == 0 ? DG_NO_TOOL : DG_OK));
  y = x * x;
  EXPECT(before == (dg_get_mode() == 0 ? 77u : 0u));
  dg_disable(0, 1, NULL);
  output = 0;
  EXPECT(dg_output(&y, DG_DOUBLE, &output) == status && output == 0);
  EXPECT(dg_tape_reset(position) == status);

  EXPECT(dg_inputf(&single, DG_FLOAT, NULL) == status);
  EXPECT(dg_inputf(&extended, DG_LONG_DOUBLE, NULL) == status);
  EXPECT(dg_inputfs(&matrix[0][0], sizeof matrix[0], 2, DG_DOUBLE, NULL) == status);
  matrix[1][0] *= (double)(single * (float)extended);
  EXPECT(dg_outputf(&matrix[1][0], DG_DOUBLE, NULL) == status);
  EXPECT(dg_outputfs(matrix, sizeof matrix[0], 2, DG_DOUBLE, many) == status && (many[1] != 0) == recording);
  EXPECT(dg_index_to_file(DG_INPUT_FILE, 0) == status);
}

static void mistakes(void)
{
  double x = 1.0;
  unsigned char flags[8] = {0};
  const int outside = dg_get_mode() == 0;
  EXPECT(dg_set_dotvalue(NULL, &x, DG_DOUBLE) == DG_NULL_POINTER);
  EXPECT(dg_set_dotvalue(&x, NULL, DG_DOUBLE) == DG_NULL_POINTER);
  EXPECT(dg_get_dotvalue(&x, &x, 77) == DG_UNKNOWN_NUMBER);
  EXPECT(dg_index_to_file(2, 0) == DG_UNKNOWN_NUMBER);
  EXPECT(dg_tape_get_bar(0, NULL) == DG_NULL_POINTER);
  if (dg_get_mode() == 'd') {
    EXPECT(dg_set_dotvalue(&x, (void*)8, DG_DOUBLE) == DG_REFUSED);
  }
  if (dg_get_mode() == 'b') {
    EXPECT(dg_tape_reset(UINT64_MAX) == DG_REFUSED);
    EXPECT(dg_tape_get_bar(UINT64_MAX, &x) == DG_REFUSED);
  }
  EXPECT(dg_set_flags(&x, flags, flags, 8) == (outside ? DG_NO_TOOL : DG_OTHER_MODE));
  EXPECT(dg_get_flags(&x, flags, flags, 8) == (outside ? DG_NO_TOOL : DG_OTHER_MODE));
  EXPECT(dg_mark_float(&x, DG_DOUBLE) == (outside ? DG_NO_TOOL : DG_OTHER_MODE));
  EXPECT(strcmp(dg_strerror(DG_NULL_POINTER), "An address is null.") == 0);
  EXPECT(strcmp(dg_strerror(77), "This is no status of derivgrind.") == 0);
  EXPECT(strcmp(dg_strerror(DG_OK), dg_strerror(DG_REFUSED)) != 0 && strchr(dg_version(), '.') != NULL);
}

int main(void)
{
  dot_values();
  indices_and_tape();
  mistakes();
  return failures != 0;
}
