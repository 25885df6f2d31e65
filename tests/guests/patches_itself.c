/* Changes a function through the file of its own memory before it is called for the first time, if there is an
   argument. */
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

static __attribute__((noinline, noclone, aligned(64))) int function(void)
{
  __asm__ volatile("nop; nop; nop; nop");
  return 1;
}

static int (*volatile called)(void) = function;

int main(int count, char** words)
{
  (void)words;
  if (count > 1) {
    /* mov $2, %eax; ret */
    const unsigned char code[] = {0xb8, 2, 0, 0, 0, 0xc3};
    int memory = open("/proc/self/mem", O_RDWR);
    if (pwrite(memory, code, sizeof code, (off_t)(long)function) != sizeof code)
      puts("the kernel does not allow it");
    if (count > 2 && lseek(memory, (off_t)(long)function, SEEK_SET) != -1 && write(memory, code, sizeof code) < 0)
      puts("the kernel does not allow it");
    close(memory);
  }
  printf("%d\n", called());
  return 0;
}
