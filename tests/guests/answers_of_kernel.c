/* Everything that a system call writes is passive afterwards, and nothing else: each call gets an active buffer twice,
 * filled with different bytes, of which it changes those that it writes at least once. */
#define _GNU_SOURCE
#include <derivgrind.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/aio_abi.h>
#include <linux/futex.h>
#include <mqueue.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/msg.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/sem.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <sys/xattr.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 4096 };

static _Alignas(8) unsigned char buffer[SIZE], before[SIZE], changed[SIZE], shadows[SIZE];
static int zero_file, pipes[2], sockets[2], queue, semaphores, segment, timer_file, epoll;
static timer_t timer;
static char temporary[] = "/tmp/answers_of_kernel_XXXXXX";
static aio_context_t context;

/* Only the end of the buffer is given to calls whose answers are long. */
#define AT(distance) (buffer + (distance))
#define CALL(number, ...) syscall(number, ##__VA_ARGS__)

static void activate(void)
{
  memset(shadows, 0x11, SIZE);
  for (int i = 0; i < SIZE; i += 8)
    DG_SET_DOTVALUE(buffer + i, shadows + i, 8);
}

static void send_one(void)
{
  struct { long type; char text[24]; } message = { 1, "a message of the queue" };
  (void)!write(sockets[1], "a datagram of some size", 23);
  (void)!write(pipes[1], "something in a pipe", 19);
  (void)!msgsnd(queue, &message, sizeof message.text, 0);
}

static void drain(void)
{
  char text[100];
  while (recv(sockets[0], text, sizeof text, MSG_DONTWAIT) > 0)
    continue;
  while (read(pipes[0], text, sizeof text) > 0)
    continue;
  while (msgrcv(queue, text, sizeof text - 8, 0, IPC_NOWAIT) >= 0)
    continue;
}

static void note_changes(void)
{
  for (int i = 0; i < SIZE; i++)
    changed[i] |= buffer[i] != before[i];
}

static void prepare(unsigned char byte)
{
  drain();
  send_one();
  memset(buffer, byte, SIZE);
}

static void judge(const char* name, long result)
{
  int bad_written = 0, bad_kept = 0, written = 0;
  for (int i = 0; i < SIZE; i += 8)
    DG_GET_DOTVALUE(buffer + i, shadows + i, 8);
  for (int i = 0; i < SIZE; i++) {
    written += changed[i];
    bad_written += changed[i] && shadows[i] != 0;
    /* Far behind whatever any answer has. */
    bad_kept += i >= SIZE - 512 && !changed[i] && shadows[i] == 0;
  }
  if (DG_GET_MODE != DERIVGRIND_MODE_FORWARD)
    bad_written = bad_kept = 0;
  printf("%s: %s, active %d, lost %d\n", name, result < 0 ? strerror(errno) : written ? "written" : "nothing",
         bad_written, bad_kept);
}

#define PROBE(name, set, call)                                                                                         \
  do {                                                                                                                 \
    long result = 0;                                                                                                   \
    memset(changed, 0, SIZE);                                                                                          \
    for (int round = 0; round < 2; round++) {                                                                          \
      prepare(round ? 0x5a : 0xa5);                                                                                    \
      set;                                                                                                             \
      memcpy(before, buffer, SIZE);                                                                                    \
      activate();                                                                                                      \
      errno = 0;                                                                                                       \
      result = (call);                                                                                                 \
      note_changes();                                                                                                  \
    }                                                                                                                  \
    judge(name, result);                                                                                               \
  } while (0)

#define SIMPLE(name, ...) PROBE(#name, (void)0, CALL(SYS_##name, __VA_ARGS__))

static void in_word(int distance, unsigned long word)
{
  memcpy(buffer + distance, &word, 8);
}

/* Structures whose pointers lead elsewhere in the buffer. */
static void vector(int distance, int target, unsigned long length)
{
  in_word(distance, (unsigned long)(buffer + target));
  in_word(distance + 8, length);
}

static void message(int distance)
{
  memset(buffer + distance, 0, 64);
  in_word(distance, (unsigned long)AT(2048));
  in_word(distance + 8, 64);
  in_word(distance + 16, (unsigned long)AT(1024));
  in_word(distance + 24, 1);
  vector(1024, 0, 128);
}

static int interrupt_soon(void)
{
  const struct itimerval soon = { { 0, 0 }, { 0, 20000 } };
  return setitimer(ITIMER_REAL, &soon, NULL);
}

static void on_alarm(int signal)
{
  (void)signal;
}

static void files(void)
{
  SIMPLE(read, zero_file, buffer, 100);
  SIMPLE(pread64, zero_file, buffer, 100, 3);
  SIMPLE(stat, temporary, buffer);
  SIMPLE(fstat, zero_file, buffer);
  SIMPLE(lstat, temporary, buffer);
  SIMPLE(newfstatat, AT_FDCWD, temporary, buffer, 0);
  SIMPLE(statx, AT_FDCWD, temporary, 0, STATX_ALL, buffer);
  SIMPLE(statfs, "/", buffer);
  SIMPLE(getcwd, buffer, 1000);
  SIMPLE(readlink, "/proc/self/cwd", buffer, 1000);
  SIMPLE(setxattr, temporary, "user.name", "a value", 7, 0);
  SIMPLE(getxattr, temporary, "user.name", buffer, 100);
  PROBE("size of getxattr", (void)0, CALL(SYS_getxattr, temporary, "user.name", AT(SIZE - 8), 0));
  SIMPLE(listxattr, temporary, buffer, 100);
  PROBE("name_to_handle_at", in_word(0, 128), CALL(SYS_name_to_handle_at, AT_FDCWD, "/etc", buffer, AT(512), 0));
  PROBE("getdents64", (void)0, lseek(epoll, 0, 0) * 0 + CALL(SYS_getdents64, open("/", O_RDONLY), buffer, 500));
  PROBE("copy_file_range", in_word(0, 0); in_word(8, 5000),
        CALL(SYS_copy_file_range, zero_file, buffer, zero_file, AT(8), 100, 0));
  PROBE("sendfile", in_word(0, 0), CALL(SYS_sendfile, sockets[1], zero_file, buffer, 10));
  PROBE("splice", in_word(0, 0), CALL(SYS_splice, zero_file, buffer, pipes[1], NULL, 10, 0));
  PROBE("FIONREAD", (void)0, ioctl(pipes[0], FIONREAD, buffer));
  PROBE("TIOCOUTQ", (void)0, ioctl(sockets[0], TIOCOUTQ, buffer));
  PROBE("FIGETBSZ", (void)0, ioctl(zero_file, 2, buffer));
  PROBE("F_OFD_GETLK", in_word(0, 0); in_word(8, 0); in_word(16, 0); in_word(24, 0),
        CALL(SYS_fcntl, zero_file, F_OFD_GETLK, buffer));
  PROBE("F_GETOWN_EX", (void)0, CALL(SYS_fcntl, pipes[0], F_GETOWN_EX, buffer));
}

static void messages(void)
{
  PROBE("readv", vector(1024, 0, 7); vector(1040, 512, 7), CALL(SYS_readv, zero_file, AT(1024), 2));
  SIMPLE(recvfrom, sockets[0], buffer, 100, 0, NULL, NULL);
  PROBE("longer datagram", (void)0, CALL(SYS_recvfrom, sockets[0], AT(SIZE - 8), 4, MSG_TRUNC, NULL, NULL));
  PROBE("recvmsg", message(512), CALL(SYS_recvmsg, sockets[0], AT(512), 0));
  PROBE("recvmmsg", message(512); in_word(3000, 1); in_word(3008, 0),
        CALL(SYS_recvmmsg, sockets[0], AT(512), 1, 0, AT(3000)));
  PROBE("sendmmsg", message(512); in_word(512, 0); in_word(520, 0), CALL(SYS_sendmmsg, sockets[1], AT(512), 1, 0));
  PROBE("vmsplice", vector(1024, 0, 10), CALL(SYS_vmsplice, pipes[0], AT(1024), 1, 0));
  SIMPLE(msgrcv, queue, buffer, 100, 0, IPC_NOWAIT);
  SIMPLE(msgctl, queue, IPC_STAT, buffer);
  PROBE("MSG_INFO", (void)0, CALL(SYS_msgctl, queue, MSG_INFO, buffer));
  SIMPLE(shmctl, segment, IPC_STAT, buffer);
  PROBE("SHM_INFO", (void)0, CALL(SYS_shmctl, 0, SHM_INFO, buffer));
  PROBE("IPC_INFO", (void)0, CALL(SYS_shmctl, 0, IPC_INFO, buffer));
  SIMPLE(semctl, semaphores, 0, IPC_STAT, buffer);
  PROBE("GETALL", (void)0, CALL(SYS_semctl, semaphores, 0, GETALL, buffer));
  PROBE("poll", in_word(0, (unsigned long)pipes[0] | 1ul << 32), CALL(SYS_poll, buffer, 1, 0));
  PROBE("ppoll", in_word(0, (unsigned long)pipes[0] | 1ul << 32); in_word(512, 1); in_word(520, 0),
        CALL(SYS_ppoll, buffer, 1, AT(512), NULL, 8));
  PROBE("select", in_word(0, 1ul << pipes[0]); in_word(512, 1); in_word(520, 0),
        CALL(SYS_select, 64, buffer, NULL, NULL, AT(512)));
  SIMPLE(epoll_wait, epoll, buffer, 4, 0);
  SIMPLE(pipe2, buffer, 0);
  SIMPLE(socketpair, AF_UNIX, SOCK_STREAM, 0, buffer);
  PROBE("getsockopt", in_word(0, 4), CALL(SYS_getsockopt, sockets[0], SOL_SOCKET, SO_RCVBUF, AT(512), buffer));
  PROBE("getsockname", in_word(0, 100), CALL(SYS_getsockname, sockets[0], AT(512), buffer));
}

static void processes(void)
{
  int status;
  SIMPLE(uname, buffer);
  SIMPLE(sysinfo, buffer);
  SIMPLE(getresuid, buffer, AT(64), AT(128));
  SIMPLE(getresgid, buffer, AT(64), AT(128));
  SIMPLE(getgroups, 100, buffer);
  PROBE("number of groups", (void)0, CALL(SYS_getgroups, 0, AT(SIZE - 8)));
  PROBE("capget", in_word(0, 0x20080522), CALL(SYS_capget, buffer, AT(64)));
  SIMPLE(sched_getaffinity, 0, 128, buffer);
  SIMPLE(sched_getparam, 0, buffer);
  SIMPLE(sched_getattr, 0, buffer, 48, 0);
  SIMPLE(sched_rr_get_interval, 0, buffer);
  SIMPLE(getcpu, buffer, AT(64), NULL);
  SIMPLE(get_mempolicy, buffer, AT(64), 1024, NULL, 0);
  SIMPLE(get_robust_list, 0, buffer, AT(64));
  SIMPLE(getrlimit, RLIMIT_NOFILE, buffer);
  SIMPLE(prlimit64, 0, RLIMIT_NOFILE, NULL, buffer);
  SIMPLE(getrusage, RUSAGE_SELF, buffer);
  SIMPLE(mincore, before - (unsigned long)before % 4096, 4096 * 2, buffer);
  PROBE("move_pages", in_word(0, (unsigned long)stdin), CALL(SYS_move_pages, 0, 1, buffer, NULL, AT(64), 0));
  SIMPLE(modify_ldt, 0, buffer, 64);
  SIMPLE(sigaltstack, NULL, buffer);
  SIMPLE(rt_sigaction, SIGALRM, NULL, buffer, 8);
  SIMPLE(rt_sigprocmask, 0, NULL, buffer, 8);
  SIMPLE(rt_sigpending, buffer, 8);
  PROBE("PR_GET_NAME", (void)0, CALL(SYS_prctl, PR_GET_NAME, buffer, 0, 0, 0));
  PROBE("PR_GET_PDEATHSIG", (void)0, CALL(SYS_prctl, PR_GET_PDEATHSIG, buffer, 0, 0, 0));
  PROBE("ARCH_GET_FS", (void)0, CALL(SYS_arch_prctl, 0x1003, buffer));
  PROBE("wait4", if (fork() == 0) _exit(3), CALL(SYS_wait4, -1, buffer, 0, AT(64)));
  PROBE("waitid", if (fork() == 0) _exit(3), CALL(SYS_waitid, P_ALL, 0, buffer, WEXITED, AT(256)));
  PROBE("clone", (void)0, ({
          const pid_t child = CALL(SYS_clone, 0x100000 | SIGCHLD, 0, buffer, 0, 0);
          child == 0 ? (_exit(0), 0) : waitpid(child, &status, 0);
        }));
  PROBE("futex", in_word(0, 0), CALL(SYS_futex, buffer, FUTEX_LOCK_PI_PRIVATE, 0, NULL, NULL, 0));
  SIMPLE(getrandom, buffer, 64, 0);
  PROBE("number of a key", (void)0, CALL(SYS_keyctl, 0, -3, 1, AT(SIZE - 8), AT(SIZE - 16)));
  SIMPLE(keyctl, 6, -3, buffer, 200);
}

static void times_and_timers(void)
{
  SIMPLE(times, buffer);
  PROBE("time", (void)0, CALL(SYS_time, buffer));
  SIMPLE(gettimeofday, buffer, AT(64));
  SIMPLE(clock_gettime, CLOCK_MONOTONIC, buffer);
  SIMPLE(clock_getres, CLOCK_MONOTONIC, buffer);
  PROBE("adjtimex", memset(buffer, 0, 208), CALL(SYS_adjtimex, buffer));
  PROBE("clock_adjtime", memset(buffer, 0, 208), CALL(SYS_clock_adjtime, CLOCK_REALTIME, buffer));
  SIMPLE(getitimer, ITIMER_REAL, buffer);
  PROBE("setitimer", memset(AT(64), 0, 32), CALL(SYS_setitimer, ITIMER_REAL, AT(64), buffer));
  SIMPLE(timer_gettime, timer, buffer);
  PROBE("timer_settime", memset(AT(64), 0, 32), CALL(SYS_timer_settime, timer, 0, AT(64), buffer));
  SIMPLE(timerfd_gettime, timer_file, buffer);
  PROBE("timerfd_settime", memset(AT(64), 0, 32), CALL(SYS_timerfd_settime, timer_file, 0, AT(64), buffer));
  PROBE("timer_create", (void)0, CALL(SYS_timer_create, CLOCK_MONOTONIC, NULL, buffer));
  PROBE("nanosleep", in_word(64, 5); in_word(72, 0); interrupt_soon(), CALL(SYS_nanosleep, AT(64), buffer));
  PROBE("clock_nanosleep", in_word(64, 5); in_word(72, 0); interrupt_soon(),
        CALL(SYS_clock_nanosleep, CLOCK_MONOTONIC, 0, AT(64), buffer));
  PROBE("interrupted select", in_word(0, 5); in_word(8, 0); interrupt_soon(),
        CALL(SYS_select, 0, NULL, NULL, NULL, buffer));
  PROBE("io_setup", in_word(0, 0), CALL(SYS_io_setup, 4, buffer));
  CALL(SYS_io_setup, 4, &context);
  PROBE("io_getevents", ({
          static char target[8];
          struct iocb request = { .aio_lio_opcode = IOCB_CMD_PREAD, .aio_fildes = zero_file };
          struct iocb* requests[] = { &request };
          request.aio_buf = (unsigned long)target;
          request.aio_nbytes = 8;
          CALL(SYS_io_submit, context, 1, requests);
        }), CALL(SYS_io_getevents, context, 1, 1, buffer, NULL));
}

int main(void)
{
  const struct sigaction action = { .sa_handler = on_alarm };
  struct epoll_event event = { .events = EPOLLIN };
  sigaction(SIGALRM, &action, NULL);
  activate();
  zero_file = mkstemp(temporary);
  (void)!ftruncate(zero_file, 10000);
  (void)!pipe2(pipes, O_NONBLOCK);
  socketpair(AF_UNIX, SOCK_DGRAM, 0, sockets);
  queue = msgget(IPC_PRIVATE, 0600);
  semaphores = semget(IPC_PRIVATE, 5, 0600);
  segment = shmget(IPC_PRIVATE, 100, 0600);
  timer_file = timerfd_create(CLOCK_MONOTONIC, 0);
  timer_create(CLOCK_MONOTONIC, NULL, &timer);
  epoll = epoll_create1(0);
  epoll_ctl(epoll, EPOLL_CTL_ADD, pipes[0], &event);
  files();
  messages();
  processes();
  times_and_timers();
  unlink(temporary);
  msgctl(queue, IPC_RMID, NULL);
  semctl(semaphores, 0, IPC_RMID);
  shmctl(segment, IPC_RMID, NULL);
  return 0;
}
