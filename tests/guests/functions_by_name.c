/* Calls functions of the mathematics library by their names, in the type REAL.
 *
 * The file that is named has lines `NAME KIND INTEGER ARGUMENTS`, where KIND is the number of arguments, `n` in front if there is
 * an integer, `c` if real and imaginary part are arguments, `s` for sincos. For each argument as the only input there is a
 * line `NAME ARGUMENT DERIVATIVES`, and in a recording the indices of input and outputs in place of derivatives.
 * Functions that the library does not have are left out. */
#define _GNU_SOURCE
#include "check.h"
#include <complex.h>
#include <dlfcn.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#ifdef REAL_IS_FLOAT
#define ENDING "f"
#elif defined(REAL_IS_EXTENDED)
#define ENDING "l"
#else
#define ENDING ""
#endif

typedef REAL _Complex complex_number;

static APART complex_number joined(REAL real, REAL imaginary)
{
  REAL parts[2] = {real, imaginary};
  complex_number z;
  memcpy(&z, parts, sizeof z);
  return z;
}

static APART int parted(complex_number z, REAL* parts)
{
  memcpy(parts, &z, sizeof z);
  return 2;
}

/* Calls the function; returns the number of values. */
static APART int call(void* function, const char* kind, long integer, const REAL* x, REAL* values)
{
  if (!strcmp(kind, "1"))
    values[0] = ((REAL(*)(REAL))function)(x[0]);
  else if (!strcmp(kind, "2"))
    values[0] = ((REAL(*)(REAL, REAL))function)(x[0], x[1]);
  else if (!strcmp(kind, "n1"))
    values[0] = ((REAL(*)(int, REAL))function)((int)integer, x[0]);
  else if (!strcmp(kind, "1n"))
    values[0] = ((REAL(*)(REAL, int))function)(x[0], (int)integer);
  else if (!strcmp(kind, "s"))
    return ((void (*)(REAL, REAL*, REAL*))function)(x[0], values, values + 1), 2;
  else if (!strcmp(kind, "c1"))
    return parted(((complex_number(*)(complex_number))function)(joined(x[0], x[1])), values);
  else if (!strcmp(kind, "c2"))
    return parted(((complex_number(*)(complex_number, complex_number))function)(joined(x[0], x[1]), joined(x[2], x[3])),
                  values);
  else if (!strcmp(kind, "r1"))
    values[0] = ((REAL(*)(complex_number))function)(joined(x[0], x[1]));
  else
    exit(1);
  return 1;
}

static APART void differentiate(void* function, const char* name, const char* kind, long integer, const REAL* given,
                                int count)
{
  for (int number = 0; number < count; number++) {
    REAL x[4], values[2] = {0, 0}, dot = 1;
    memcpy(x, given, sizeof x);
    const int records = DG_GET_MODE == DERIVGRIND_MODE_RECORDING;
    derivgrind_index index = 0;
    if (records)
      index = DG_INPUTF(x[number]);
    else
      DG_SET_DOTVALUE(&x[number], &dot, sizeof dot);
    const int results = call(function, kind, integer, x, values);
    printf("%s %d", name, number);
    if (records)
      printf(" %llu", (unsigned long long)index);
    for (int result = 0; result < results; result++) {
      if (records) {
        DG_GET_INDEX(&values[result], &index);
        printf(" %llu", (unsigned long long)index);
      } else {
        DG_GET_DOTVALUE(&values[result], &dot, sizeof dot);
        printf(" %La", (long double)dot);
      }
    }
    printf("\n");
  }
}

int main(int argc, char** argv)
{
  void* library = dlopen("libm.so.6", RTLD_NOW);
  FILE* requests = argc == 2 ? fopen(argv[1], "r") : NULL;
  char line[1000];
  while (requests && fgets(line, sizeof line, requests)) {
    char name[50], kind[5], symbol[60];
    long integer;
    int length;
    REAL x[4] = {0, 0, 0, 0};
    if (sscanf(line, "%49s %4s %ld%n", name, kind, &integer, &length) != 3)
      return 1;
    int count = 0;
    char* rest = line + length;
    for (char* end; count < 4; count++, rest = end) {
      x[count] = (REAL)strtod(rest, &end);
      if (end == rest)
        break;
    }
    snprintf(symbol, sizeof symbol, "%s" ENDING, name);
    void* function = dlsym(library, symbol);
    if (function)
      differentiate(function, name, kind, integer, x, count);
  }
  return 0;
}
