/* Filters for system calls that a program installs for itself: which programs are accepted and what they compute, what
 * becomes of a call, and who inherits them. */
#define _GNU_SOURCE
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/ucontext.h>
#include <sys/wait.h>
#include <unistd.h>

/* A system call that does not exist. */
#define NONE 1000
#define LENGTH(array) (sizeof(array) / sizeof(*(array)))
#define NUMBER BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))
/* The call of this number gets this action; all others are allowed. */
#define ONLY(number, action)                                                                                           \
  {NUMBER, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, number, 0, 1), BPF_STMT(BPF_RET | BPF_K, action),                       \
   BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)}

static long install(struct sock_filter* filter, size_t length, unsigned flags)
{
  struct sock_fprog program = {(unsigned short)length, filter};
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

static void only(int number, unsigned action)
{
  struct sock_filter filter[] = ONLY((unsigned)number, action);
  if (install(filter, LENGTH(filter), 0) != 0)
    printf("not installed: %d\n", errno);
}

/* What a call gives: its value, or the negative error number. */
static long value(long outcome)
{
  return outcome < 0 ? -errno : outcome;
}

static int wait_for(pid_t child)
{
  int status = 0;
  waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static void in_child(const char* name, void (*act)(void))
{
  pid_t child = fork();
  if (child == 0) {
    act();
    _exit(0);
  }
  printf("%s: ended with %d\n", name, wait_for(child));
}

static uint32_t random_number(void)
{
  static uint64_t state = 88172645463325252u;
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return (uint32_t)(state >> 20);
}

static struct sock_filter random_instruction(unsigned left)
{
  static const unsigned short codes[] = {
    BPF_LD | BPF_W | BPF_ABS, BPF_LD | BPF_IMM, BPF_LDX | BPF_IMM, BPF_LD | BPF_W | BPF_LEN, BPF_LDX | BPF_W | BPF_LEN,
    BPF_ST, BPF_STX, BPF_LD | BPF_MEM, BPF_LDX | BPF_MEM, BPF_MISC | BPF_TAX, BPF_MISC | BPF_TXA, BPF_ALU | BPF_NEG,
    BPF_JMP | BPF_JA, BPF_RET | BPF_K};
  static const unsigned short operations[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND,
                                              BPF_LSH, BPF_RSH, BPF_XOR};
  static const unsigned short comparisons[] = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};
  unsigned short source = random_number() % 2 ? BPF_X : BPF_K;
  uint32_t small = random_number() % 40;
  unsigned char if_true = (unsigned char)(random_number() % (left + 1));
  unsigned char if_false = (unsigned char)(random_number() % (left + 1));
  struct sock_filter instruction = {0, if_true, if_false, random_number() % 3 ? small : random_number()};
  switch (random_number() % 4) {
  case 0:
    instruction.code = (unsigned short)(BPF_ALU | operations[random_number() % LENGTH(operations)] | source);
    if (random_number() % 8)
      instruction.k = instruction.k % 31 + 1;
    break;
  case 1:
    instruction.code = (unsigned short)(BPF_JMP | comparisons[random_number() % LENGTH(comparisons)] | source);
    break;
  default:
    instruction.code = codes[random_number() % LENGTH(codes)];
    if (instruction.code == (BPF_LD | BPF_W | BPF_ABS))
      /* Not the address, which differs from run to run. */
      instruction.k = (4 + random_number() % 14) % 16 * 4;
    else if (instruction.code == (BPF_JMP | BPF_JA))
      instruction.k = random_number() % (left + 1);
    else if (instruction.code == (BPF_RET | BPF_K))
      instruction.k = SECCOMP_RET_ERRNO | random_number() % 4000;
    else if (random_number() % 16)
      instruction.k %= 3;
  }
  return instruction;
}

/* Programs that compute something from the arguments, with jumps, and return it as an error number. */
static void random_programs(void)
{
  int accepted = 0;
  for (unsigned round = 0; round < 40; round++) {
    struct sock_filter filter[32] = {NUMBER, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NONE + round, 1, 0),
                                     BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
    unsigned length = 3, end = 8 + random_number() % 20;
    if (round % 4)
      for (unsigned cell = 0; cell < 3; cell++)
        filter[length++] = (struct sock_filter)BPF_STMT(BPF_ST, cell);
    while (length < end) {
      filter[length] = random_instruction(end - length - 1);
      length++;
    }
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xfff);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO);
    filter[length++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_A, 0);
    long outcome = value(install(filter, length, 0));
    accepted += outcome == 0;
    printf("%ld", outcome);
    for (long argument = 0; argument < 3 && outcome == 0; argument++)
      printf(" %ld", value(syscall(NONE + (int)round, argument, -argument, argument << 33, 0x123456789abcdef0, 7, 31)));
    printf("\n");
  }
  printf("accepted %d\n", accepted);
}

static void bad_programs(void)
{
  struct sock_filter filters[][3] = {
    {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 64), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
    {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
    {BPF_STMT(BPF_LD | BPF_H | BPF_ABS, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
    {BPF_STMT(BPF_LD | BPF_W | BPF_IND, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
    {BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, 3), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
    {BPF_STMT(BPF_ALU | BPF_DIV | BPF_K, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
    {BPF_STMT(BPF_ALU | BPF_LSH | BPF_K, 32), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
    {BPF_STMT(BPF_ALU | BPF_NEG | BPF_X, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
    {BPF_STMT(BPF_LD | BPF_MEM, 16), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
    {BPF_STMT(BPF_LD | BPF_MEM, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
    {BPF_STMT(BPF_JMP | BPF_JA, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
    {BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 1, 0, 1), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
    {NUMBER, BPF_STMT(BPF_LD | BPF_IMM, 1)},
    {NUMBER, BPF_STMT(BPF_RET | BPF_X, 1)},
    {BPF_STMT(0xffff, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
    {BPF_STMT(BPF_JMP | BPF_JA, 0), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)},
  };
  for (size_t i = 0; i < LENGTH(filters); i++)
    printf("program %zu: %ld\n", i, value(install(filters[i], 2, 0)));
  struct sock_filter allow = BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  printf("empty %ld, too long %ld\n", value(install(&allow, 0, 0)), value(install(&allow, 5000, 0)));
  printf("nowhere %ld", value(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, 8)));
  printf(" %ld\n", value(install((struct sock_filter*)8, 1, 0)));
  printf("flags %ld\n", value(install(&allow, 1, 0x100)));
  printf("operation %ld\n", value(syscall(SYS_seccomp, 77, 0, 0)));
  printf("strict %ld\n", value(syscall(SYS_seccomp, SECCOMP_SET_MODE_STRICT, 1, 0)));
  unsigned action = SECCOMP_RET_TRAP, unknown = 0x12340000;
  printf("available %ld", value(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &action)));
  printf(" %ld\n", value(syscall(SYS_seccomp, SECCOMP_GET_ACTION_AVAIL, 0, &unknown)));
  printf("prctl %ld\n", value(prctl(PR_SET_SECCOMP, 7, 0, 0, 0)));
}

static void without_end(void)
{
  struct sock_filter* filter = calloc(4096, sizeof *filter);
  for (int i = 0; i < 4095; i++)
    filter[i] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_IMM, 1);
  filter[4095] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
  long outcome = 0;
  int count = 0;
  for (; outcome == 0 && count < 20; count++)
    outcome = value(install(filter, 4096, 0));
  printf("filter %d of the longest: %ld\n", count, outcome);
  free(filter);
}

static volatile uintptr_t call_address;

static void trapped(int number, siginfo_t* information, void* context)
{
  greg_t* registers = ((ucontext_t*)context)->uc_mcontext.gregs;
  call_address = (uintptr_t)information->si_call_addr;
  printf("signal %d, code %d, data %d, call %d, architecture %d, address %d, rax %lld, rcx %d, error %lld\n", number,
         information->si_code, information->si_errno, information->si_syscall,
         information->si_arch == AUDIT_ARCH_X86_64, call_address == (uintptr_t)registers[REG_RIP], registers[REG_RAX], registers[REG_RCX] == registers[REG_RIP],
         registers[REG_RDI]);
  registers[REG_RAX] = -77;
}

static void handle_traps(void)
{
  struct sigaction action = {.sa_sigaction = trapped, .sa_flags = SA_SIGINFO};
  sigaction(SIGSYS, &action, NULL);
}

static void actions(void)
{
  printf("mode %d\n", prctl(PR_GET_SECCOMP));
  only(NONE, SECCOMP_RET_ERRNO | 33);
  printf("mode %d, error %ld\n", prctl(PR_GET_SECCOMP), value(syscall(NONE)));
  only(NONE, SECCOMP_RET_ERRNO | 44);
  printf("the newest %ld\n", value(syscall(NONE)));
  only(NONE, SECCOMP_RET_LOG);
  printf("the strictest %ld\n", value(syscall(NONE)));
  only(NONE + 1, SECCOMP_RET_ERRNO);
  printf("no error %ld\n", value(syscall(NONE + 1)));
  only(NONE + 2, SECCOMP_RET_ERRNO | 0xffff);
  printf("the largest error %ld\n", syscall(NONE + 2) == 0xfff ? 1 : value(-1));
  only(SYS_getppid, SECCOMP_RET_TRACE);
  printf("traced %ld\n", value(syscall(SYS_getppid)));
  only(SYS_getsid, SECCOMP_RET_LOG);
  printf("logged %d\n", syscall(SYS_getsid, 0) > 0);
  handle_traps();
  only(SYS_getpriority, SECCOMP_RET_TRAP | 1234);
  printf("trapped %ld\n", value(syscall(SYS_getpriority, 55)));
  struct sock_filter by_arguments[] = {
    NUMBER, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_close, 0, 3),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args) + 4),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, 0x1234, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 99), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  install(by_arguments, LENGTH(by_arguments), 0);
  printf("arguments %ld %ld\n", value(syscall(SYS_close, 0x123400000063)), value(syscall(SYS_close, 0x123500000063)));
  struct sock_filter by_address[] = {
    NUMBER, BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, NONE + 3, 0, 3),
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)call_address, 0, 1),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | 88), BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)};
  install(by_address, LENGTH(by_address), 0);
  printf("address %ld\n", value(syscall(NONE + 3)));
}

static void blocked_trap(void)
{
  sigset_t all;
  sigfillset(&all);
  handle_traps();
  only(NONE, SECCOMP_RET_TRAP);
  sigprocmask(SIG_SETMASK, &all, NULL);
  syscall(NONE);
}

static void ignored_trap(void)
{
  signal(SIGSYS, SIG_IGN);
  only(NONE, SECCOMP_RET_TRAP);
  syscall(NONE);
}

static void killed_process(void)
{
  handle_traps();
  only(NONE, SECCOMP_RET_KILL_PROCESS);
  syscall(NONE);
}

static void killed_thread(void)
{
  only(NONE, SECCOMP_RET_KILL_THREAD);
  syscall(NONE);
}

static void unknown_action(void)
{
  only(NONE, 0x12340000);
  syscall(NONE);
}

static void strict(void)
{
  printf("strict %ld\n", value(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT)));
  fflush(stdout);
  if (write(1, "still\n", 6) == 6)
    syscall(SYS_exit, 5);
}

static void too_strict(void)
{
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
  syscall(SYS_getpid);
}

static void strict_about_time(void)
{
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT);
  __builtin_ia32_rdtsc();
  syscall(SYS_exit, 0);
}

static char* program;
static pthread_barrier_t barrier;
static long in_thread[2];

static void* follow(void* argument)
{
  if (argument != NULL)
    only(NONE + 5, SECCOMP_RET_ERRNO | 1);
  int thread = (int)syscall(SYS_gettid);
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  in_thread[0] = value(syscall(NONE));
  in_thread[1] = prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
  return (void*)(long)thread;
}

static void synchronise(void* alone)
{
  pthread_t thread;
  void* number;
  pthread_barrier_init(&barrier, NULL, 2);
  pthread_create(&thread, NULL, follow, alone);
  pthread_barrier_wait(&barrier);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  struct sock_filter filter[] = ONLY(NONE, SECCOMP_RET_ERRNO | 66);
  long outcome = install(filter, LENGTH(filter), SECCOMP_FILTER_FLAG_TSYNC);
  long as_error = value(install(filter, LENGTH(filter), SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_TSYNC_ESRCH));
  pthread_barrier_wait(&barrier);
  pthread_join(thread, &number);
  printf("all threads %ld, %ld; here %ld, there %ld, its privileges %ld\n",
         outcome == (long)number ? -1 : outcome, as_error, value(syscall(NONE)), in_thread[0], in_thread[1]);
}

static void synchronised(void)
{
  synchronise(NULL);
}

static void not_synchronised(void)
{
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  synchronise(&barrier);
}

static void* call(void* action)
{
  if (action != NULL)
    only(NONE, SECCOMP_RET_KILL_THREAD);
  return (void*)value(syscall(NONE));
}

static void threads(void)
{
  pthread_t thread;
  void* outcome = NULL;
  pthread_create(&thread, NULL, call, program);
  pthread_join(thread, &outcome);
  only(NONE, SECCOMP_RET_ERRNO | 12);
  pthread_create(&thread, NULL, call, NULL);
  pthread_join(thread, &outcome);
  printf("a thread was killed, the next inherits %ld\n", (long)outcome);
  fflush(stdout);
  pid_t child = fork();
  if (child == 0)
    _exit((int)-value(syscall(NONE)));
  printf("a child inherits %d\n", wait_for(child));
}

static void executed(void)
{
  only(NONE, SECCOMP_RET_ERRNO | 13);
  struct sock_filter filter[] = ONLY(NONE + 1, SECCOMP_RET_ERRNO | 14);
  struct sock_fprog second = {LENGTH(filter), filter};
  prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &second);
  execl("/nonexistent/program", "program", (char*)NULL);
  printf("not executed %d", errno);
  int file = memfd_create("text", 0);
  char name[64];
  snprintf(name, sizeof name, "/proc/self/fd/%d", file);
  if (write(file, "text\n", 5) == 5)
    execl(name, "text", (char*)NULL);
  printf(" %d\n", errno);
  fflush(stdout);
  execl(program, program, "executed", (char*)NULL);
}

static void executed_by_vfork(void)
{
  only(NONE, SECCOMP_RET_ERRNO | 15);
  pid_t child = vfork();
  if (child == 0) {
    execl(program, program, "executed", (char*)NULL);
    _exit(1);
  }
  printf("child of vfork: %d, here %ld\n", wait_for(child), value(syscall(NONE)));
}

static void without_promise(void)
{
  struct sock_filter filter[] = ONLY(NONE, SECCOMP_RET_ERRNO | 1);
  printf("root %ld\n", value(install(filter, LENGTH(filter), 0)));
  if (setuid(65534) == 0)
    printf("nobody %ld\n", value(install(filter, LENGTH(filter), 0)));
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  printf("nobody with a promise %ld\n", value(install(filter, LENGTH(filter), 0)));
}

int main(int argc, char** argv)
{
  setvbuf(stdout, NULL, _IOLBF, 0);
  if (argc > 1) {
    printf("executed: mode %d, calls %ld %ld\n", prctl(PR_GET_SECCOMP), value(syscall(NONE)), value(syscall(NONE + 1)));
    return 3;
  }
  program = argv[0];
  in_child("without a promise", without_promise);
  in_child("synchronised", synchronised);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  in_child("not synchronised", not_synchronised);
  in_child("bad programs", bad_programs);
  for (int i = 0; i < 12; i++) {
    in_child("random programs", random_programs);
    for (int skip = 0; skip < 1 + i; skip++)
      random_number();
  }
  in_child("without end", without_end);
  in_child("actions", actions);
  in_child("blocked trap", blocked_trap);
  in_child("ignored trap", ignored_trap);
  in_child("killed process", killed_process);
  in_child("killed thread", killed_thread);
  in_child("unknown action", unknown_action);
  in_child("strict", strict);
  in_child("too strict", too_strict);
  in_child("strict about time", strict_about_time);
  in_child("threads", threads);
  in_child("executed", executed);
  in_child("executed by vfork", executed_by_vfork);
  return 0;
}
