/* Code that changes: through another mapping of its file, on the stack, in pages that are writable and executable. */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <unistd.h>

typedef int (*function)(void);

/* mov eax, VALUE; ret */
static void write_constant(unsigned char* code, int value)
{
  code[0] = 0xb8;
  memcpy(code + 1, &value, 4);
  code[5] = 0xc3;
}

static void through_another_mapping(void)
{
  int file = memfd_create("code", 0);
  if (file < 0 || ftruncate(file, 1 << 16) != 0)
    exit(1);
  unsigned char* writable = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  unsigned char* executable = mmap(NULL, 1 << 15, PROT_READ | PROT_EXEC, MAP_SHARED, file, 8192);
  long sum = 0;
  for (int i = 0; i < 500; i++) {
    write_constant(writable + 8192 + 512 * (i % 40), i);
    sum += ((function)(void*)(executable + 512 * (i % 40)))();
  }
  printf("two mappings: %ld\n", sum);
  sum = 0;
  for (int i = 0; i < 100; i++) {
    write_constant(writable + 8192, 3 * i);
    sum += ((function)(void*)executable)();
    if (i == 50) {
      munmap(writable, 1 << 16);
      writable = mmap(NULL, 1 << 16, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    }
  }
  printf("the writable one mapped again: %ld\n", sum);
  munmap(writable, 1 << 16);
  munmap(executable, 1 << 15);
  close(file);
}

/* A second address for the same memory without a file. */
static void through_a_duplicate(void)
{
  unsigned char* code = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  unsigned char* duplicate = mremap(code, 0, 4096, MREMAP_MAYMOVE);
  if (duplicate == MAP_FAILED || mprotect(duplicate, 4096, PROT_READ | PROT_EXEC) != 0)
    exit(1);
  long sum = 0;
  for (int i = 0; i < 100; i++) {
    write_constant(code + 16, i * 3);
    sum += ((function)(void*)(duplicate + 16))();
  }
  int segment = shmget(IPC_PRIVATE, 4096, IPC_CREAT | 0700);
  unsigned char* first = shmat(segment, NULL, 0);
  unsigned char* second = shmat(segment, NULL, SHM_EXEC);
  shmctl(segment, IPC_RMID, NULL);
  for (int i = 0; i < 100; i++) {
    write_constant(first + 16, i * 5);
    sum += ((function)(void*)(second + 16))();
  }
  printf("duplicates: %ld\n", sum);
}

static void put(int file, int value)
{
  unsigned char code[6];
  write_constant(code, value);
  if (pwrite(file, code, sizeof code, 64) != sizeof code)
    exit(1);
}

/* A system call changes the file, not a store. */
static void by_writing_to_the_file(void)
{
  int file = memfd_create("code", 0);
  char name[64];
  snprintf(name, sizeof name, "/proc/self/fd/%d", file);
  if (file < 0 || ftruncate(file, 8192) != 0)
    exit(1);
  int readable = open(name, O_RDONLY);
  put(file, 1);
  unsigned char* private = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, readable, 0);
  unsigned char* shared = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, readable, 0);
  unsigned char* later = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (private == MAP_FAILED || shared == MAP_FAILED || mprotect(later, 4096, PROT_READ | PROT_EXEC) != 0)
    exit(1);
  long sum = 0;
  for (int i = 0; i < 100; i++) {
    put(file, i * 7);
    sum += ((function)(void*)(private + 64))() + ((function)(void*)(shared + 64))() + ((function)(void*)(later + 64))();
  }
  close(file);
  printf("by writing: %ld\n", sum);
  close(readable);
  snprintf(name, sizeof name, "/tmp/changing-code-%d", (int)getpid());
  file = open(name, O_CREAT | O_RDWR, 0700);
  put(file, 5);
  close(file);
  readable = open(name, O_RDONLY);
  private = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, readable, 0);
  sum = ((function)(void*)(private + 64))();
  file = open(name, O_WRONLY);
  put(file, 50);
  sum += ((function)(void*)(private + 64))();
  printf("opened again: %ld\n", sum);
  unlink(name);
}

static int apply(int (*inner)(int), int value)
{
  return inner(value) + 1;
}

/* gcc builds a trampoline on the stack for a nested function whose address is taken. */
__attribute__((noinline)) static int nested(int offset)
{
  int add(int value)
  {
    return value + offset;
  }
  return apply(add, 10);
}

static volatile int ticks;

static void tick(int number)
{
  ticks += number;
}

/* The frame of the handler comes to the page of the trampoline. */
static void on_the_stack(void)
{
  long sum = 0;
  signal(SIGUSR1, tick);
  for (int i = 0; i < 300; i++) {
    sum += nested(i);
    raise(SIGUSR1);
  }
  printf("trampolines: %ld, signals %d\n", sum, ticks / SIGUSR1);
}

static volatile int stop;
static unsigned char* shared_code;

static void* execute(void* argument)
{
  long calls = 0;
  int before = 0, ordered = 1;
  while (!stop || calls == 0) {
    int value = ((function)(void*)shared_code)();
    ordered &= value >= before;
    before = value;
    calls++;
  }
  *(int*)argument = ordered;
  return NULL;
}

/* One thread writes what others execute; an aligned store of the immediate is seen as a whole. */
static void by_another_thread(void)
{
  shared_code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  shared_code += 63;
  write_constant(shared_code, 0);
  pthread_t threads[2];
  int ordered[2] = {0, 0};
  for (int i = 0; i < 2; i++)
    pthread_create(&threads[i], NULL, execute, &ordered[i]);
  for (int i = 1; i <= 200; i++) {
    __atomic_store_n((int*)(void*)(shared_code + 1), i, __ATOMIC_SEQ_CST);
    if (i % 10 == 0)
      usleep(500);
  }
  int last = ((function)(void*)shared_code)();
  stop = 1;
  for (int i = 0; i < 2; i++)
    pthread_join(threads[i], NULL);
  printf("by another thread: %d %d, last %d\n", ordered[0], ordered[1], last);
}

/* Data beside code in one page that is writable and executable: each store faults once and no more. */
static void data_beside_code(void)
{
  unsigned char* page = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  volatile long* data = (long*)(void*)(page + 2048);
  write_constant(page, 3);
  for (int i = 0; i < 2000; i++)
    *data += ((function)(void*)page)();
  printf("data beside code: %ld\n", *data);
}

int main(void)
{
  through_another_mapping();
  through_a_duplicate();
  by_writing_to_the_file();
  on_the_stack();
  by_another_thread();
  data_beside_code();
  return 0;
}
