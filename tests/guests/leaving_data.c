/* Bytes of active numbers that go out through the kernel are reported with descriptor and place; what is read is passive. */
#define _GNU_SOURCE
#include <derivgrind.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static double numbers[64];

/* How many of the numbers are active; natively none. */
static int active_count(const double* from, int count)
{
  int active = 0;
  for (int i = 0; i < count; i++) {
    double dot = 0;
    DG_GET_DOTVALUE(&from[i], &dot, sizeof dot);
    active += dot != 0;
  }
  return active;
}

static void activate(double* to, int count)
{
  for (int i = 0; i < count; i++) {
    double dot = 1.0 + i;
    to[i] = i;
    DG_SET_DOTVALUE(&to[i], &dot, sizeof dot);
  }
}

static void check(const char* what, long done, const double* buffer, int expected)
{
  int active = active_count(buffer, 64);
  printf("%s %ld: %s\n", what, done, active == 0 || active == expected ? "passive" : "ACTIVE");
  if (active != 0 && active != expected)
    printf("  %d instead of %d\n", active, expected);
}

__attribute__((noinline)) static void send_by_pipe(int descriptor)
{
  if (write(descriptor, numbers, 10 * sizeof(double)) != 80)
    abort();
}

int main(int argc, char** argv)
{
  int ends[2], sockets[2];
  const char* path = argv[1];
  (void)argc;
  if (pipe(ends) != 0 || socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets) != 0)
    return 1;
  double buffer[64];
  activate(numbers, 64);
  send_by_pipe(ends[1]);
  activate(buffer, 64);
  check("read", read(ends[0], buffer, 80), buffer, 54);
  struct iovec parts[2] = {{numbers + 3, 24}, {numbers + 20, 40}}, into[2] = {{buffer + 1, 24}, {buffer + 40, 40}};
  long done = writev(ends[1], parts, 2);
  activate(buffer, 64);
  done += readv(ends[0], into, 2);
  check("writev and readv", done, buffer, 64 - 8);
  done = send(sockets[0], numbers, 16, 0);
  activate(buffer, 64);
  done += recv(sockets[1], buffer, 512, 0);
  check("send and recv", done, buffer, 62);
  char control[64];
  struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2};
  done = sendmsg(sockets[0], &message, 0);
  activate(buffer, 64);
  struct msghdr answer = {.msg_iov = into, .msg_iovlen = 2, .msg_control = control, .msg_controllen = sizeof control};
  done += recvmsg(sockets[1], &answer, 0);
  check("sendmsg and recvmsg", done, buffer, 64 - 8);
  struct mmsghdr several[2] = {{.msg_hdr = {.msg_iov = parts, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = parts + 1, .msg_iovlen = 1}}};
  done = sendmmsg(sockets[0], several, 2, 0);
  activate(buffer, 64);
  struct mmsghdr answers[2] = {{.msg_hdr = {.msg_iov = into, .msg_iovlen = 1}}, {.msg_hdr = {.msg_iov = into + 1, .msg_iovlen = 1}}};
  done += recvmmsg(sockets[1], answers, 2, 0, NULL);
  check("sendmmsg and recvmmsg", done, buffer, 64 - 8);
  int file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
  done = pwrite(file, numbers, 40, 8);
  activate(buffer, 64);
  done += pread(file, buffer, 40, 8);
  check("pwrite and pread", done, buffer, 59);
  done = pwritev(file, parts, 2, 0);
  activate(buffer, 64);
  done += preadv(file, into, 2, 0);
  check("pwritev and preadv", done, buffer, 56);
  activate(buffer, 64);
  done = getrandom(buffer, 32, 0);
  check("getrandom", done, buffer, 60);
  activate(buffer, 64);
  socklen_t length = 8;
  done = getsockopt(sockets[0], SOL_SOCKET, SO_LINGER, buffer, &length);
  check("getsockopt", done, buffer, 63);
  activate(buffer, 64);
  struct sockaddr_storage* name = (void*)buffer;
  length = sizeof *name;
  done = getsockname(socket(AF_INET, SOCK_DGRAM, 0), (struct sockaddr*)name, &length);
  check("getsockname", done, buffer, 62);
  activate(buffer, 64);
  FILE* stream = fopen(path, "r+");
  done = (long)fread(buffer, 8, 4, stream);
  check("fread", done, buffer, 60);
  rewind(stream);
  done = (long)fwrite(numbers, 8, 30, stream);
  fclose(stream);
  activate(buffer, 64);
  struct iovec local = {buffer, 80}, remote = {numbers, 80};
  done = process_vm_readv(getpid(), &local, 1, &remote, 1, 0);
  check("process_vm_readv", done, buffer, 54);
  double* shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  ftruncate(file, 4096);
  shared[7] = numbers[7] * 2;
  printf("shared %g\n", shared[7]);
  int null = open("/dev/null", O_WRONLY);
  printf("text %d\n", dprintf(null, "%.17g %g\n", numbers[3], numbers[5]));
  printf("passive %zd\n", write(null, buffer, 80));
  return 0;
}
