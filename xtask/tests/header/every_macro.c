/* Uses every macro of derivgrind.h once, in a way that is valid C89 and C++98. Natively each is without effect. */
#include "derivgrind.h"
/* A second inclusion is harmless. */
#include "derivgrind.h"

int main(void)
{
  double x = 1.0;
  double dot = 1.0;
  float narrow = 1.0f;
  long double extended = 1.0L;
  double array[3];
  const double constant = 2.0;
  volatile double changing = 1.0;
  void* untyped = &x;
  derivgrind_index index = 0;
  unsigned char active[8];
  unsigned char discrete[8];
  char mode = DG_GET_MODE;
  array[0] = 1.0;

  DG_SET_DOTVALUE(&x, &dot, sizeof(x));
  DG_GET_DOTVALUE(array, &dot, sizeof(x));
  DERIVGRIND_SET_DOTVALUE(&narrow, &narrow, sizeof(narrow));
  DERIVGRIND_GET_DOTVALUE(untyped, untyped, sizeof(x));
  VALGRIND_SET_DERIVATIVE(&changing, &constant, 8);
  VALGRIND_GET_DERIVATIVE(&constant, &x, 8);

  DG_INPUT(x);
  DG_INPUTF(narrow);
  DG_OUTPUT(constant);
  DG_OUTPUTF(changing);
  DERIVGRIND_INPUT(array[0]);
  DERIVGRIND_INPUTF(extended);
  index += DERIVGRIND_OUTPUT(array[0]);
  DERIVGRIND_OUTPUTF(extended);

  DG_GET_INDEX(&x, &index);
  DG_SET_INDEX(array, &index);
  DG_GET_INDEX(untyped, &index);
  DG_GET_INDEX(&narrow, &index);
  DERIVGRIND_GET_INDEX(&constant, &index);
  DERIVGRIND_SET_INDEX(&extended, &index);
  DG_NEW_INDEX(&index, &index, &dot, &dot, &index, &x);
  DERIVGRIND_NEW_INDEX(&index, &index, &dot, &dot, &index, &x);
  DG_NEW_INDEX_NOACTIVITYANALYSIS(&index, &index, &dot, &dot, &index, &x);
  DERIVGRIND_NEW_INDEX_NOACTIVITYANALYSIS(&index, &index, &dot, &dot, &index, &x);
  DG_INDEX_TO_FILE(DG_INDEXFILE_INPUT, &index);
  DERIVGRIND_INDEX_TO_FILE(DG_INDEXFILE_OUTPUT, &index);

  DG_TAPE_POSITION(&index);
  DERIVGRIND_TAPE_POSITION(&index);
  DG_TAPE_RESET(&index);
  DERIVGRIND_TAPE_RESET(&index);
  DG_TAPE_REVERSE(&index, &x, 1);
  DERIVGRIND_TAPE_REVERSE(&index, &x, 1);
  DG_TAPE_GET_BAR(&index, &x);
  DERIVGRIND_TAPE_GET_BAR(&index, &x);
  if (DG_TAPE_CLEAR_BARS != 0 || DERIVGRIND_TAPE_CLEAR_BARS != 0)
    return 1;
  DG_DISABLE(1, 0);
  DERIVGRIND_DISABLE(0, 1);
  DG_GET_FLAGS(&x, active, discrete, 8);
  DERIVGRIND_GET_FLAGS(&x, active, discrete, 8);
  DG_SET_FLAGS(&x, active, discrete, 8);
  DERIVGRIND_SET_FLAGS(&x, active, discrete, 8);
  DG_MARK_FLOAT(x);
  DERIVGRIND_MARK_FLOAT(narrow);

  if (mode != 0 || DERIVGRIND_GET_MODE != 0) {
    return 1;
  }
  return index != 0 || x != 1.0 || narrow != 1.0f || array[0] != 1.0 || dot != 1.0;
}
