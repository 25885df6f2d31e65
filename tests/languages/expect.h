/* Expectations of the programs in this folder: one that is not met is printed, and the exit status is 1. */
#include <stdio.h>

static int failures = 0;

#define EXPECT(condition)                                                                                              \
  ((condition) ? (void)0 : (void)(failures++, printf("%s:%d: %s\n", __FILE__, __LINE__, #condition)))
