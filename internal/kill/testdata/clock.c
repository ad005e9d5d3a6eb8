// A clock that can be set for one program and its children alone: the wall clock
// is shifted by the number of seconds (int64) that the file CLOCK begins with, at
// once whenever it changes. Clocks that nobody can set stay as they are.
//
// Loaded before everything else (LD_PRELOAD), it replaces the three functions of
// the vDSO by which libc, the Go runtime and ClickHouse alike ask for the time.
// What waits until a time of the wall clock is told the kernel's.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static volatile int64_t *offset;

static long call(long number, long a, long b) {
  long result;
  __asm__ volatile("syscall" : "=a"(result) : "0"(number), "D"(a), "S"(b) : "rcx", "r11", "memory");
  return result;
}

static long shifted_clock_gettime(long clock, struct timespec *t) {
  long result = call(SYS_clock_gettime, clock, (long)t);
  if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
    t->tv_sec += *offset;
  return result;
}

static long shifted_gettimeofday(struct timeval *t, void *zone) {
  long result = call(SYS_gettimeofday, (long)t, (long)zone);
  if (result == 0 && t)
    t->tv_sec += *offset;
  return result;
}

static long shifted_time(time_t *t) {
  long now = call(SYS_time, 0, 0) + *offset;
  if (t)
    *t = now;
  return now;
}

int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *until) {
  static int (*next)(pthread_cond_t *, pthread_mutex_t *, const struct timespec *);
  if (!next)
    next = dlvsym(RTLD_NEXT, "pthread_cond_timedwait", "GLIBC_2.3.2");
  struct timespec real = *until;
  if (real.tv_sec > 500000000) // not one of the time since the machine started
    real.tv_sec -= *offset;
  return next(cond, mutex, &real);
}

static void fail(const char *what) {
  dprintf(2, "the test's clock does not fit this system: %s\n", what);
  _exit(97);
}

// replace puts a jump to f where the function begins.
static void replace(unsigned char *function, void *f) {
  unsigned char jump[] = {0x48, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xe0}; // mov rax, f; jmp rax
  memcpy(jump + 2, &f, sizeof f);
  memcpy(function, jump, sizeof jump);
}

__attribute__((constructor)) static void start(void) {
  int file = open(CLOCK, O_RDONLY | O_CLOEXEC);
  offset = mmap(NULL, sizeof *offset, PROT_READ, MAP_SHARED, file, 0);
  if (file < 0 || offset == MAP_FAILED)
    fail("no file " CLOCK);
  close(file);

  unsigned char *vdso = (unsigned char *)getauxval(AT_SYSINFO_EHDR);
  if (!vdso)
    fail("no vDSO");
  Elf64_Ehdr *head = (Elf64_Ehdr *)vdso;
  Elf64_Shdr *sections = (Elf64_Shdr *)(vdso + head->e_shoff);
  size_t size = head->e_shoff + (size_t)head->e_shnum * sizeof *sections;
  long page = sysconf(_SC_PAGESIZE);
  if (mprotect(vdso, (size + page - 1) / page * page, PROT_READ | PROT_WRITE | PROT_EXEC))
    fail("the vDSO cannot be written to");
  int replaced = 0;
  for (int i = 0; i < head->e_shnum; i++) {
    if (sections[i].sh_type != SHT_DYNSYM)
      continue;
    Elf64_Sym *symbols = (Elf64_Sym *)(vdso + sections[i].sh_offset);
    const char *names = (const char *)(vdso + sections[sections[i].sh_link].sh_offset);
    for (size_t n = 0; n < sections[i].sh_size / sizeof *symbols; n++) {
      const char *name = names + symbols[n].st_name;
      void *f = strcmp(name, "__vdso_clock_gettime") == 0  ? (void *)shifted_clock_gettime
                : strcmp(name, "__vdso_gettimeofday") == 0 ? (void *)shifted_gettimeofday
                : strcmp(name, "__vdso_time") == 0         ? (void *)shifted_time
                                                           : NULL;
      if (f) {
        replace(vdso + symbols[n].st_value, f);
        replaced++;
      }
    }
  }
  if (replaced != 3)
    fail("the vDSO has not the three functions that it has on x86-64");
}
