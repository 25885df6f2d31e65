/* A small just-in-time compiler: code is written, run, overwritten, protected, unmapped, and mapped elsewhere. */
#define _GNU_SOURCE
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

typedef int (*function)(void);

/* mov eax, value; ret */
static void write_constant(unsigned char* code, int value)
{
  code[0] = 0xb8;
  memcpy(code + 1, &value, 4);
  code[5] = 0xc3;
}

/* mulsd xmm0, xmm0, as often as asked; ret */
static void write_power(unsigned char* code, int times)
{
  while (times-- > 0) {
    memcpy(code, "\xf2\x0f\x59\xc0", 4);
    code += 4;
  }
  *code = 0xc3;
}

/* Code that comes as a message, which is gone once it has been received, to where code was before. */
static void receive_code(unsigned char* code)
{
  struct { long type; unsigned char code[6]; } message = {.type = 1};
  int sockets[2], queue = msgget(IPC_PRIVATE, 0600);
  long sum = 0;
  socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets);
  write_constant(code + 8, 0);
  for (int i = 1; i <= 50; i++) {
    struct iovec part = {code + 8, 6};
    struct msghdr header = {.msg_iov = &part, .msg_iovlen = 1};
    struct mmsghdr several = {.msg_hdr = header};
    ((function)(void*)(code + 8))();
    write_constant(message.code, i);
    if (i % 6 == 0)
      msgsnd(queue, &message, 6, 0);
    else
      send(sockets[1], message.code, 6, 0);
    switch (i % 6) {
    case 0: msgrcv(queue, code, 6, 0, IPC_NOWAIT); break;
    case 1: recv(sockets[0], code + 8, 6, MSG_DONTWAIT); break;
    case 2: recvmsg(sockets[0], &header, MSG_DONTWAIT); break;
    case 3: recvmmsg(sockets[0], &several, 1, MSG_DONTWAIT, NULL); break;
    case 4: (void)!readv(sockets[0], &part, 1); break;
    case 5: (void)!read(sockets[0], code + 8, 6); break;
    }
    sum += ((function)(void*)(code + 8))();
  }
  msgctl(queue, IPC_RMID, NULL);
  printf("received: %ld\n", sum);
}

int main(void)
{
  int all = PROT_READ | PROT_WRITE | PROT_EXEC;
  unsigned char* code = mmap(NULL, 8192, all, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  long sum = 0;
  for (int i = 0; i < 2000; i++) {
    write_constant(code + 64 * (i % 3), i);
    sum += ((function)(void*)(code + 64 * (i % 3)))();
  }
  printf("writable: %ld\n", sum);
  receive_code(code);
  double power = 0;
  for (int i = 0; i < 5; i++) {
    write_power(code + 4096 - 8, i);
    power += ((double (*)(double))(void*)(code + 4096 - 8))(1.25);
  }
  printf("across pages: %.17g\n", power);
  sum = 0;
  for (int i = 0; i < 300; i++) {
    mprotect(code, 4096, PROT_READ | PROT_WRITE);
    write_constant(code, i * 7);
    mprotect(code, 4096, PROT_READ | PROT_EXEC);
    sum += ((function)(void*)code)();
  }
  printf("protected: %ld\n", sum);
  munmap(code, 8192);
  sum = 0;
  for (int i = 0; i < 300; i++) {
    unsigned char* again = mmap(code, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
    write_constant(again, i * 11);
    mprotect(again, 4096, PROT_READ | PROT_EXEC);
    sum += ((function)(void*)again)();
    munmap(again, 4096);
  }
  printf("mapped again: %ld\n", sum);
  int file = memfd_create("code", 0);
  if (file < 0 || ftruncate(file, 4096) != 0)
    return 1;
  unsigned char* writable = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  unsigned char* executable = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);
  write_constant(writable, 77);
  printf("mapped twice: %d\n", ((function)(void*)executable)());
  unsigned char* target = mmap(NULL, 4096, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  unsigned char* moved = mremap(executable, 4096, 4096, MREMAP_MAYMOVE | MREMAP_FIXED, target);
  printf("moved: %d\n", ((function)(void*)moved)());
  /* Code that overwrites the instruction after next: mov byte [rip+1], 9; mov eax, 1; ret */
  unsigned char* self = mmap(NULL, 4096, all, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memcpy(self, "\xc6\x05\x01\x00\x00\x00\x09\xb8\x01\x00\x00\x00\xc3", 13);
  printf("modifies itself: %d\n", ((function)(void*)self)());
  /* A function that returns a flag. call to the 32nd byte; setc al; movzx eax, al; ret. There: shr edi, 1; ret */
  memcpy(self, "\xe8\x1b\x00\x00\x00\x0f\x92\xc0\x0f\xb6\xc0\xc3", 12);
  memcpy(self + 32, "\xd1\xef\xc3", 3);
  sum = 0;
  for (int i = 0; i < 300; i++)
    sum += i * ((int (*)(int))(void*)self)(i);
  printf("returns a flag: %ld\n", sum);
  return 0;
}
