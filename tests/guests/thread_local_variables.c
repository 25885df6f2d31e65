/* Thread-local variables are addressed relative to FS. */
#include "check.h"
#include <pthread.h>

static __thread REAL here;
static __thread REAL several[7];
__thread REAL visible;

static APART void accumulate(REAL x)
{
  here += x * x;
  for (int i = 0; i < 7; i++)
    several[i] += x * i;
  visible = here - several[3];
}

static void* thread(void* argument)
{
  REAL x = *(REAL*)argument;
  check("another thread starts with zeros", here + several[2], 0);
  accumulate(x);
  accumulate(x);
  check("here", here, 4 * x * 3);
  check("visible", visible, 4 * x * 3 - 6 * 3);
  *(REAL*)argument = several[6];
  return NULL;
}

int main(void)
{
  REAL x = input(1.5, 1), y = input(-2, 3);
  pthread_t other;
  accumulate(x);
  accumulate(x + 1);
  if (pthread_create(&other, NULL, thread, &y) != 0)
    return 1;
  pthread_join(other, NULL);
  check("here", here, 2 * x + 2 * (x + 1));
  check("several", several[5], 10);
  check("visible", visible, 2 * x + 2 * (x + 1) - 6);
  check("result of the other thread", y, 6 * 2 * 3);
  return 0;
}
