/* Pages that another thread provides when they are touched first (userfaultfd): the thread that touches one waits for
   it, in the middle of an instruction. */
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PAGE = 4096, PAGES = 6 };

static int faults;
static char content[PAGE];

/* Provides one page. */
static void* provide(void* letter)
{
  struct uffd_msg message;
  if (read(faults, &message, sizeof message) != sizeof message)
    return NULL;
  memset(content, *(char*)letter, PAGE);
  struct uffdio_copy copy = {message.arg.pagefault.address & -(uint64_t)PAGE, (uintptr_t)content, PAGE, 0, 0};
  ioctl(faults, UFFDIO_COPY, &copy);
  return NULL;
}

int main(void)
{
  faults = (int)syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
  struct uffdio_api api = {UFFD_API, 0, 0};
  if (faults < 0 || ioctl(faults, UFFDIO_API, &api) != 0) {
    puts("the kernel does not allow it");
    return 0;
  }
  char* memory = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  struct uffdio_register wanted = {{(uintptr_t)memory, PAGES * PAGE}, UFFDIO_REGISTER_MODE_MISSING, 0};
  if (memory == MAP_FAILED || ioctl(faults, UFFDIO_REGISTER, &wanted) != 0)
    return 1;
  for (int page = 0; page < PAGES; page++) {
    char letter = (char)('a' + page);
    pthread_t provider;
    pthread_create(&provider, NULL, provide, &letter);
    if (page % 2)
      memory[page * PAGE + 7] = '!';
    printf("%c%c\n", memory[page * PAGE + 7], memory[page * PAGE + 8]);
    pthread_join(provider, NULL);
  }
  return 0;
}
