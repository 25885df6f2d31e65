/* What the module `derivgrind` calls: the macros of derivgrind.h as functions.
 *
 * Sizes are those of the numbers in Fortran: a real(10) occupies 16 bytes and has 10.
 *
 * SPDX-License-Identifier: MIT OR Apache-2.0
 */
#include <derivgrind.h>
#include <stdint.h>

static unsigned long meaningful(int bytes)
{
  return bytes > 8 ? 10ul : (unsigned long)bytes;
}

int derivgrind_fortran_set_dotvalue(void* x, const void* dot, int bytes)
{
  return (int)DG_SET_DOTVALUE(x, dot, meaningful(bytes));
}

int derivgrind_fortran_get_dotvalue(const void* x, void* dot, int bytes)
{
  return (int)DG_GET_DOTVALUE(x, dot, meaningful(bytes));
}

/* The same for any number of bytes. */
int derivgrind_fortran_set_dotvalues(void* x, const void* dots, int bytes)
{
  return (int)DG_SET_DOTVALUE(x, dots, bytes);
}

int derivgrind_fortran_get_dotvalues(const void* x, void* dots, int bytes)
{
  return (int)DG_GET_DOTVALUE(x, dots, bytes);
}

int64_t derivgrind_fortran_input(void* x, int bytes, double value)
{
  return (int64_t)derivgrind_input_(DERIVGRIND_WORD_(x), meaningful(bytes), value);
}

void derivgrind_fortran_inputf(void* x, int bytes, double value)
{
  derivgrind_inputf_(DERIVGRIND_WORD_(x), meaningful(bytes), value);
}

void derivgrind_fortran_outputf(const void* x, int bytes, double value)
{
  derivgrind_outputf_(DERIVGRIND_WORD_(x), meaningful(bytes), value);
}

int64_t derivgrind_fortran_output(const void* x, int bytes, double value)
{
  return (int64_t)derivgrind_output_(DERIVGRIND_WORD_(x), meaningful(bytes), value);
}

void derivgrind_fortran_get_index(const void* x, int64_t* index, int bytes)
{
  derivgrind_request_(DERIVGRIND_REQUEST_GET_INDEX, DERIVGRIND_WORD_(x), DERIVGRIND_WORD_(index), meaningful(bytes), 0, 0);
}

void derivgrind_fortran_set_index(void* x, const int64_t* index, int bytes)
{
  derivgrind_request_(DERIVGRIND_REQUEST_SET_INDEX, DERIVGRIND_WORD_(x), DERIVGRIND_WORD_(index), meaningful(bytes), 0, 0);
}

void derivgrind_fortran_new_index(const int64_t* index1, const int64_t* index2, const double* partial_derivative1,
                                  const double* partial_derivative2, int64_t* index, const double* value)
{
  DG_NEW_INDEX(index1, index2, partial_derivative1, partial_derivative2, index, value);
}

void derivgrind_fortran_new_index_noactivityanalysis(const int64_t* index1, const int64_t* index2,
                                                     const double* partial_derivative1,
                                                     const double* partial_derivative2, int64_t* index,
                                                     const double* value)
{
  DG_NEW_INDEX_NOACTIVITYANALYSIS(index1, index2, partial_derivative1, partial_derivative2, index, value);
}

void derivgrind_fortran_index_to_file(int file, const int64_t* index)
{
  DG_INDEX_TO_FILE(file, index);
}

int64_t derivgrind_fortran_disable(int plus, int minus)
{
  return (int64_t)DG_DISABLE(plus, minus);
}

int derivgrind_fortran_get_mode(void)
{
  return (int)DG_GET_MODE;
}

int derivgrind_fortran_get_flags(const void* x, void* activity, void* discreteness, int bytes)
{
  return (int)DG_GET_FLAGS(x, activity, discreteness, bytes);
}

int derivgrind_fortran_set_flags(void* x, const void* activity, const void* discreteness, int bytes)
{
  return (int)DG_SET_FLAGS(x, activity, discreteness, bytes);
}

void derivgrind_fortran_mark_float(void* x, int bytes)
{
  derivgrind_mark_float_(DERIVGRIND_WORD_(x), meaningful(bytes));
}

int derivgrind_fortran_tape_position(int64_t* position)
{
  return (int)DG_TAPE_POSITION(position);
}

int derivgrind_fortran_tape_reset(const int64_t* position)
{
  return (int)DG_TAPE_RESET(position);
}

int derivgrind_fortran_tape_reverse(const int64_t* indices, const double* bars, int64_t count)
{
  return (int)DG_TAPE_REVERSE(indices, bars, count);
}

int derivgrind_fortran_tape_get_bar(const int64_t* index, double* bar)
{
  return (int)DG_TAPE_GET_BAR(index, bar);
}

int derivgrind_fortran_tape_clear_bars(void)
{
  return (int)DG_TAPE_CLEAR_BARS;
}
