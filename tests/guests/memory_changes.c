/* The shadow follows what happens to memory; locking and huge sparse mappings do not make it large. */
#define _GNU_SOURCE
#include <derivgrind.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <unistd.h>

static const size_t page = 4096;
static int under_tool;

static double dot_of(const double* number)
{
  double dot = 0;
  DG_GET_DOTVALUE(number, &dot, sizeof dot);
  return dot;
}

static void activate(double* number, double dot)
{
  *number = 1.5;
  DG_SET_DOTVALUE(number, &dot, sizeof dot);
}

/* Prints what is the same natively: whether the dot value is the one expected, which natively nobody knows. */
static void expect(const char* what, const double* number, double dot)
{
  double found = dot_of(number);
  printf("%s: %g %s\n", what, *number, !under_tool || found == dot ? "as expected" : "WRONG");
}

static long resident_kilobytes(void)
{
  char line[256];
  long size = 0, resident = 0;
  FILE* file = fopen("/proc/self/statm", "r");
  if (fgets(line, sizeof line, file) != NULL)
    sscanf(line, "%ld %ld", &size, &resident);
  fclose(file);
  return resident * 4;
}

static double* map(size_t length, int flags)
{
  double* memory = mmap(NULL, length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | flags, -1, 0);
  if (memory == MAP_FAILED) {
    printf("mmap of %zu: %s\n", length, strerror(errno));
    exit(1);
  }
  return memory;
}

static void moving(void)
{
  double* memory = map(4 * page, 0);
  activate(memory, 2);
  activate(memory + 511, 3);
  activate(memory + 3 * 512 + 7, 4);
  double* elsewhere = map(64 * page, 0);
  munmap(elsewhere, 64 * page);
  double* moved = mremap(memory, 4 * page, 32 * page, MREMAP_MAYMOVE | MREMAP_FIXED, elsewhere);
  expect("moved, first", moved, 2);
  expect("moved, end of page", moved + 511, 3);
  expect("moved, last", moved + 3 * 512 + 7, 4);
  expect("grown", moved + 20 * 512, 0);
  double* again = mmap(memory, 4 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
  expect("at the old place", again, 0);
  moved = mremap(moved, 32 * page, 2 * page, 0);
  moved = mremap(moved, 2 * page, 8 * page, MREMAP_MAYMOVE);
  expect("shrunk and grown", moved + 3 * 512 + 7, 0);
  expect("still there", moved, 2);
  activate(moved + 100, 6);
  double* kept = mremap(moved, 8 * page, 8 * page, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, NULL);
  expect("taken out", kept + 100, 6);
  expect("left behind", moved + 100, 0);
}

static void losing(void)
{
  double* memory = map(8 * page, 0);
  for (size_t i = 0; i < 8; i++)
    activate(memory + 512 * i + 3, 1.0 + (double)i);
  madvise(memory + 512, 2 * page, MADV_DONTNEED);
  expect("before", memory + 3, 1);
  expect("not needed", memory + 512 + 3, 0);
  expect("behind", memory + 3 * 512 + 3, 4);
  mmap(memory + 4 * 512, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  expect("mapped over", memory + 4 * 512 + 3, 0);
  munmap(memory + 5 * 512, page);
  mmap(memory + 5 * 512, page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
  expect("unmapped and mapped", memory + 5 * 512 + 3, 0);
  mprotect(memory + 6 * 512, page, PROT_NONE);
  mprotect(memory + 6 * 512, page, PROT_READ);
  expect("protected and back", memory + 6 * 512 + 3, 7);
  char* top = sbrk(3 * (long)page);
  double* number = (double*)(((unsigned long)top + 2 * page - 1) / page * page);
  activate(number, 9);
  sbrk(-3 * (long)page);
  sbrk(3 * (long)page);
  expect("break", number, 0);
  int segment = shmget(IPC_PRIVATE, page, IPC_CREAT | 0600);
  double* attached = shmat(segment, NULL, 0);
  shmctl(segment, IPC_RMID, NULL);
  activate(attached, 5);
  expect("attached", attached, 5);
  attached[0] = 0;
  shmdt(attached);
}

static void growth(void)
{
  long before = resident_kilobytes();
  /* A sparse array: one number in each of many pages, and large blocks of untouched memory. */
  size_t length = (size_t)1 << 36;
  double* sparse = map(length, MAP_NORESERVE);
  for (size_t i = 0; i < 1000; i++)
    activate(sparse + i * (length / 8000), 1);
  long grown = resident_kilobytes() - before;
  printf("sparse memory grows by about its pages: %d\n", grown < 24 << 10);
  sparse = mremap(sparse, length, length / 2, 0);
  double* target = map(length, MAP_NORESERVE);
  sparse = mremap(sparse, length / 2, length / 2, MREMAP_MAYMOVE | MREMAP_FIXED, target);
  expect("a number in a huge mapping that moved", sparse + 7 * (length / 8000), 1);
  printf("moving a huge mapping: %d\n", resident_kilobytes() - before < 24 << 10);
  munmap(sparse, length);
  printf("given back: %d\n", resident_kilobytes() - before < 8 << 10);
  size_t block = (size_t)4 << 20;
  for (int i = 0; i < 200; i++) {
    double* memory = map(block, 0);
    for (size_t k = 0; k < block / 8; k += 64)
      memory[k] = 1.0;
    activate(memory + 5, 1);
    munmap(memory, block);
  }
  printf("mapping and unmapping: %d\n", resident_kilobytes() - before < 16 << 10);
}

static void locking(void)
{
  struct rlimit limit = {8 << 20, 8 << 20};
  setrlimit(RLIMIT_MEMLOCK, &limit);
  long before = resident_kilobytes();
  double* memory = map(16 * page, 0);
  int outcome = mlock(memory, 16 * page);
  printf("mlock %d\n", outcome);
  outcome = munlock(memory, 16 * page);
  printf("munlock %d\n", outcome);
  outcome = mlock2(memory, 16 * page, MLOCK_ONFAULT);
  printf("mlock2 %d\n", outcome);
  printf("unknown flag %d\n", mlockall(64));
  outcome = mlockall(MCL_CURRENT | MCL_FUTURE);
  printf("mlockall %d\n", outcome == 0 || errno == ENOMEM || errno == EPERM);
  double* later = map(16 * page, 0);
  unsigned char in_core[16];
  mincore(later, 16 * page, in_core);
  int count = 0;
  for (int i = 0; i < 16; i++)
    count += in_core[i] & 1;
  printf("memory of later is there: %d\n", count == 16 || outcome != 0);
  printf("munlockall %d\n", munlockall());
  printf("locking costs little: %d\n", resident_kilobytes() - before < 600 << 10);
}

static void limits(void)
{
  struct rlimit limit = {1u << 30, RLIM_INFINITY}, found;
  printf("RLIMIT_AS %d\n", setrlimit(RLIMIT_AS, &limit));
  getrlimit(RLIMIT_AS, &found);
  printf("limit %ld\n", (long)found.rlim_cur);
  void* small = mmap(NULL, 64 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  printf("small %d\n", small != MAP_FAILED);
  void* large = mmap(NULL, (size_t)2 << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  printf("large %s\n", large == MAP_FAILED ? strerror(errno) : "mapped");
  char* allocated = malloc(100 << 20);
  printf("malloc %d\n", allocated != NULL);
  free(allocated);
  printf("malloc of much %d\n", malloc((size_t)3 << 30) != NULL);
  limit.rlim_cur = RLIM_INFINITY;
  printf("lifted %d\n", setrlimit(RLIMIT_AS, &limit));
  large = mmap(NULL, (size_t)2 << 30, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  printf("large %d\n", large != MAP_FAILED);
  munmap(large, (size_t)2 << 30);
  munmap(small, 64 << 20);
}

int main(void)
{
  setvbuf(stdout, NULL, _IOLBF, 0);
  double number = 1;
  activate(&number, 1);
  under_tool = dot_of(&number) == 1;
  moving();
  losing();
  growth();
  limits();
  locking();
  return 0;
}
