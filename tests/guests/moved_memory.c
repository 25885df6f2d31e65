/* Copies of bytes move dot values, whichever function or instruction copies. */
#include "check.h"
#include <stdlib.h>
#include <string.h>

#define COUNT 67

struct row { int key; REAL value; char note[3]; };

static int by_key(const void* left, const void* right)
{
  return ((const struct row*)left)->key - ((const struct row*)right)->key;
}

static int by_value(const void* left, const void* right)
{
  REAL difference = *(const REAL*)left - *(const REAL*)right;
  return (difference > 0) - (difference < 0);
}

static APART void insertion_sort(REAL* x, int count)
{
  for (int i = 1; i < count; i++)
    for (int j = i; j > 0 && x[j - 1] > x[j]; j--) {
      REAL swapped = x[j];
      x[j] = x[j - 1];
      x[j - 1] = swapped;
    }
}

static void string_copy(void* to, const void* from, size_t size)
{
  size_t words = size / 8, rest = size % 8 / 4;
  __asm__ volatile("rep movsq" : "+D"(to), "+S"(from), "+c"(words) : : "memory");
  __asm__ volatile("rep movsl" : "+D"(to), "+S"(from), "+c"(rest) : : "memory");
}

static REAL value_at(int i)
{
  return (i * 29 % COUNT) * (REAL)0.5;
}

int main(void)
{
  REAL x[COUNT], copy[2 * COUNT];
  for (int i = 0; i < COUNT; i++)
    x[i] = input(value_at(i), i);
  memset(copy, 0, sizeof copy);
  /* Sizes select different code in memcpy and memmove. */
  static const int sizes[] = {1, 2, 3, 5, 7, 8, 9, 16, 17, 33, 63, COUNT};
  for (unsigned n = 0; n < sizeof sizes / sizeof *sizes; n++) {
    int size = sizes[n];
    memcpy(copy, x, size * sizeof *x);
    check("memcpy", copy[size - 1], size - 1);
    memmove(copy + 1, copy, size * sizeof *x);
    check("memmove up", copy[size], size - 1);
    memmove(copy, copy + 1, size * sizeof *x);
    check("memmove down", copy[size - 1], size - 1);
    memset(copy, 0, size * sizeof *x);
    check("memset", copy[size - 1], 0);
  }
  string_copy(copy, x, sizeof x);
  check("rep movs", copy[COUNT - 2], COUNT - 2);
  check("rep movs", copy[COUNT - 1], COUNT - 1);
  REAL* allocated = (REAL*)malloc(COUNT * sizeof *x);
  memcpy(allocated, x, sizeof x);
  allocated = (REAL*)realloc(allocated, 100000 * sizeof *x);
  check("realloc", allocated[COUNT - 1], COUNT - 1);
  free(allocated);
  allocated = (REAL*)calloc(100000, sizeof *x);
  check("calloc", allocated[0], 0);
  free(allocated);
  insertion_sort(copy, COUNT);
  check("insertion sort", copy[1], 37);
  for (int i = 0; i < COUNT; i += 6)
    check("insertion sort", copy[i], i * 37 % COUNT);
  memcpy(copy, x, sizeof x);
  qsort(copy, COUNT, sizeof *copy, by_value);
  for (int i = 0; i < COUNT; i += 5)
    check("qsort", copy[i], i * 37 % COUNT);
  static struct row rows[COUNT];
  for (int i = 0; i < COUNT; i++)
    rows[i] = (struct row){i * 29 % COUNT, x[i], "ab"};
  qsort(rows, COUNT, sizeof *rows, by_key);
  for (int i = 0; i < COUNT; i += 7)
    check("qsort of structures", rows[i].value, i * 37 % COUNT);
  const struct row* found = (const struct row*)bsearch(&rows[9], rows, COUNT, sizeof *rows, by_key);
  check("bsearch", found->value, 65);
  return 0;
}
