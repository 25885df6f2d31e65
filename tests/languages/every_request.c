/* Each request by the macros of derivgrind.h, in whatever mode the program runs. */
#include "expect.h"
#include <complex.h>
#include <derivgrind.h>

static void dot_values(void)
{
  const int served = DG_GET_MODE == 'd';
  float single = 3.0f, single_dot = 1.0f;
  double number = 3.0, dot = 1.0;
  long double extended = 3.0L, extended_dot = 1.0L;
  double array[3] = {1.0, 2.0, 4.0}, dots[3] = {1.0, 0.0, 2.0};
  double complex z = 1.0 + 2.0 * I, z_dot = 0.5 + 0.25 * I;
  EXPECT(DG_SET_DOTVALUE(&single, &single_dot, sizeof single) == (unsigned long)served);
  EXPECT(DG_SET_DOTVALUE(&number, &dot, sizeof number) == (unsigned long)served);
  EXPECT(DG_SET_DOTVALUE(&extended, &extended_dot, 10) == (unsigned long)served);
  EXPECT(DG_SET_DOTVALUE(array, dots, sizeof array) == (unsigned long)served);
  EXPECT(DG_SET_DOTVALUE(&z, &z_dot, sizeof z) == (unsigned long)served);
  single *= single;
  number *= number;
  extended *= extended;
  for (int i = 0; i < 3; i++) {
    array[i] *= 0.5;
  }
  z *= z;
  single_dot = 0.0f;
  dot = 0.0;
  extended_dot = 0.0L;
  dots[0] = dots[1] = dots[2] = 0.0;
  z_dot = 0.0;
  EXPECT(DG_GET_DOTVALUE(&single, &single_dot, sizeof single) == (unsigned long)served);
  DG_GET_DOTVALUE(&number, &dot, sizeof number);
  DG_GET_DOTVALUE(&extended, &extended_dot, 10);
  DG_GET_DOTVALUE(array, dots, sizeof array);
  DG_GET_DOTVALUE(&z, &z_dot, sizeof z);
  EXPECT(single == 9.0f && single_dot == (served ? 6.0f : 0.0f));
  EXPECT(number == 9.0 && dot == (served ? 6.0 : 0.0));
  EXPECT(extended == 9.0L && extended_dot == (served ? 6.0L : 0.0L));
  EXPECT(dots[0] == (served ? 0.5 : 0.0) && dots[1] == 0.0 && dots[2] == (served ? 1.0 : 0.0));
  EXPECT(creal(z) == -3.0 && creal(z_dot) == (served ? 0.0 : 0.0) && cimag(z_dot) == (served ? 2.5 : 0.0));
}

static void indices_and_tape(void)
{
  const int recording = DG_GET_MODE == 'b';
  double x = 3.0, y, bar = -1.0, one = 1.0, half = 0.5, value = 1.5;
  float single = 2.0f;
  long double extended = 2.0L;
  derivgrind_index position = 0, index = 0, other = 0, none = 0, output, input;
  EXPECT(DG_TAPE_POSITION(&position) == (unsigned long)recording);
  input = DG_INPUT(x);
  EXPECT((input != 0) == recording);
  y = x * x;
  output = DG_OUTPUT(y);
  EXPECT((output != 0) == recording);
  DG_GET_INDEX(&x, &index);
  EXPECT(index == input);
  EXPECT(DG_TAPE_REVERSE(&output, &one, 1) == (unsigned long)recording);
  EXPECT(DG_TAPE_GET_BAR(&input, &bar) == (unsigned long)recording);
  EXPECT(bar == (recording ? 6.0 : -1.0));
  EXPECT(DG_TAPE_CLEAR_BARS == (unsigned long)recording);

  /* An operation that the tool does not see: y = x / 2. */
  EXPECT(DG_NEW_INDEX(&input, &none, &half, &half, &other, &value) == (unsigned long)recording);
  EXPECT((other != 0) == recording);
  DG_SET_INDEX(&y, &other);
  DG_GET_INDEX(&y, &index);
  EXPECT(index == other);
  DG_TAPE_REVERSE(&other, &one, 1);
  DG_TAPE_GET_BAR(&input, &bar);
  EXPECT(bar == (recording ? 0.5 : -1.0));
  other = 77;
  DG_NEW_INDEX(&none, &none, &half, &half, &other, &value);
  EXPECT(other == (recording ? 0u : 77u));
  DG_NEW_INDEX_NOACTIVITYANALYSIS(&none, &none, &half, &half, &other, &value);
  EXPECT(recording ? other != 0 : other == 77);

  EXPECT(DG_DISABLE(1, 0) == 0);
  y = x * x;
  DG_DISABLE(0, 1);
  EXPECT(DG_OUTPUT(y) == 0);
  EXPECT(DG_TAPE_RESET(&position) == (unsigned long)recording);

  /* What the files list: two inputs of other sizes, and an output that depends on both. */
  DG_INPUTF(single);
  DG_INPUTF(extended);
  y = (double)(single * (float)extended);
  DG_OUTPUTF(y);
  index = 0;
  DG_INDEX_TO_FILE(DG_INDEXFILE_INPUT, &index);
}

static void flags(void)
{
  double x = 1.0;
  unsigned char activity[8] = {0}, discreteness[8] = {0};
  EXPECT(DG_SET_FLAGS(&x, activity, discreteness, sizeof x) == 0);
  EXPECT(DG_GET_FLAGS(&x, activity, discreteness, sizeof x) == 0);
  EXPECT(DG_MARK_FLOAT(x) == 0);
  EXPECT(x == 1.0);
}

int main(void)
{
  dot_values();
  indices_and_tape();
  flags();
  return failures != 0;
}
