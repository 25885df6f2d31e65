/* A library by which Python gives arrays dot values and reads them. */
#include <derivgrind.h>

void set_dots(void* numbers, void* dots, long bytes)
{
  DG_SET_DOTVALUE(numbers, dots, bytes);
}

void get_dots(void* numbers, void* dots, long bytes)
{
  DG_GET_DOTVALUE(numbers, dots, bytes);
}
