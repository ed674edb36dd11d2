import { basicsC } from "../../targets/c/prelude.ts";

/** Threads that one runtime may have beside its caller. */
const mostWorkers = 255;

/**
 * The C of the runtime object: memory, kernels, the walker of tables and the threads that share a row's tasks. All of
 * its state is in what `thaw_create` gives, so that every JavaScript thread can have one of its own.
 *
 * A job is a row that is shared out. `ticket` holds the job's number (high half) and the next task that nobody has
 * taken (low half), so that taking a task of a job that is over cannot succeed; only tasks that somebody has taken are
 * waited for, so that a thread which never gets a core delays nobody.
 */
export const runtimeSource = (): string => `
#define _GNU_SOURCE
#include <dlfcn.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
${basicsC}
typedef void kernel(const i64 *, i64, i64, char *);
/** A row of a plan's table, as rowLayout lays it out. */
typedef struct { kernel *run; const i64 *args; i64 total, chunk; const int *status; } row;

enum { most_workers = ${mostWorkers}, spins = 3000, closed = 0x7fffffff };

typedef struct runtime {
  _Alignas(64) uint64_t ticket;
  const row *entry;
  uint32_t tasks;
  _Alignas(64) uint32_t done;
  _Alignas(64) uint32_t sequence;
  uint32_t sleeping, stop;
  int workers;
  i64 scratch_bytes;
  char *scratch;
  pthread_mutex_t lock;
  pthread_cond_t wake;
  pthread_t threads[most_workers];
} runtime;

/** A moment of waiting: now and then another thread may have the core, also one of another process. */
static inline void relax(int turn) {
  if (turn % 32 == 31) {
    sched_yield();
    return;
  }
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  __asm__ volatile("yield");
#endif
}

static double seconds(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec + t.tv_nsec * 1e-9;
}

/** Blocks from here on are pages of their own, which the system gives zeroed and only when they are first touched. */
static const i64 paged = (i64)1 << 17;
/** A large page, and the blocks that ask for such: they are touched a first time, and looked up, 512 times less often. */
static const i64 large = (i64)1 << 21, worth_large = (i64)1 << 22;

/** Whole pages of any system. */
static inline i64 span(i64 bytes) { return (bytes + 65535) & ~(i64)65535; }

#if THAW_MASKS
/** So many bytes of whole pages, from the beginning of a large one on where they are worth that; null where there are none. */
static char *pages(i64 size, int protection) {
  i64 beside = 0;
#ifdef MADV_HUGEPAGE
  if (size >= worth_large) beside = large;
#endif
  char *page = mmap(NULL, size + beside, protection, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return NULL;
#ifdef MADV_HUGEPAGE
  if (beside) {
    // What is around them goes back.
    i64 before = -(uintptr_t)page & (large - 1);
    if (before) munmap(page, before);
    page += before;
    munmap(page + size, beside - before);
    madvise(page, size, MADV_HUGEPAGE);
  }
#endif
  return page;
}
#endif

/** Zeroed memory at a multiple of 64 bytes; null where there is none. */
char *thaw_allocate(i64 bytes) {
#if THAW_MASKS
  if (bytes >= paged) {
    // Blocks begin at different places of a page, so that those walked together do not meet in the same cache sets.
    static uint32_t blocks;
    i64 shift = __atomic_fetch_add(&blocks, 1, __ATOMIC_RELAXED) % 16 * 256;
    char *page = pages(span(bytes + shift), PROT_READ | PROT_WRITE);
    return page ? page + shift : NULL;
  }
#endif
  void *p = NULL;
  if (posix_memalign(&p, 64, bytes)) return NULL;
  return memset(p, 0, bytes);
}

void thaw_release(char *p, i64 bytes) {
#if THAW_MASKS
  if (bytes >= paged) {
    i64 shift = (uintptr_t)p % 4096;
    munmap(p - shift, span(bytes + shift));
    return;
  }
#endif
  (void)bytes;
  free(p);
}

/**
 * A block with more bytes, in another place: its pages move, so that only what is added is touched for a first time. Null
 * where that cannot be, and the block stays as it is.
 */
char *thaw_grow(char *p, i64 bytes, i64 more) {
#if THAW_MASKS && defined(MREMAP_FIXED)
  i64 shift = (uintptr_t)p % 4096, size = span(bytes + shift), next = span(more + shift);
  if (bytes < worth_large) return NULL;
  char *place = pages(next, PROT_NONE);
  if (!place) return NULL;
  if (mremap(p - shift, size, next, MREMAP_MAYMOVE | MREMAP_FIXED, place) != MAP_FAILED) return place + shift;
  munmap(place, next);
#else
  (void)p, (void)bytes, (void)more;
#endif
  return NULL;
}

runtime *thaw_create(i64 scratch_bytes) {
  runtime *r = (runtime *)thaw_allocate(sizeof(runtime));
  if (!r) return NULL;
  r->scratch_bytes = scratch_bytes;
  r->scratch = thaw_allocate(scratch_bytes);
  pthread_mutex_init(&r->lock, NULL);
  pthread_cond_init(&r->wake, NULL);
  return r;
}

/** The function of a kernel's object file; null: see thaw_problem. */
void *thaw_load(const char *path, const char *symbol) {
  void *object = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  return object ? dlsym(object, symbol) : NULL;
}

const char *thaw_problem(void) {
  const char *text = dlerror();
  return text ? text : "";
}

/** Takes and runs tasks of the present job until none is left. */
static void claim(runtime *r, char *scratch) {
  for (;;) {
    uint64_t ticket = __atomic_load_n(&r->ticket, __ATOMIC_ACQUIRE);
    uint32_t index = (uint32_t)ticket;
    if (index >= __atomic_load_n(&r->tasks, __ATOMIC_ACQUIRE)) return;
    const row *e = __atomic_load_n(&r->entry, __ATOMIC_ACQUIRE);
    if (!__atomic_compare_exchange_n(&r->ticket, &ticket, ticket + 1, 0, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
      continue;
    i64 begin = index * e->chunk, end = begin + e->chunk;
    e->run(e->args, begin, end < e->total ? end : e->total, scratch);
    __atomic_fetch_add(&r->done, 1, __ATOMIC_RELEASE);
  }
}

static void *work(void *argument) {
  runtime *r = argument;
  char *scratch = thaw_allocate(r->scratch_bytes);
  while (scratch && !__atomic_load_n(&r->stop, __ATOMIC_SEQ_CST)) {
    uint32_t seen = __atomic_load_n(&r->sequence, __ATOMIC_SEQ_CST);
    claim(r, scratch);
    // Awake a little longer than the time between two rows of a table.
    for (int i = 0; i < spins && __atomic_load_n(&r->sequence, __ATOMIC_ACQUIRE) == seen; i++) relax(i);
    if (__atomic_load_n(&r->sequence, __ATOMIC_SEQ_CST) != seen) continue;
    pthread_mutex_lock(&r->lock);
    __atomic_fetch_add(&r->sleeping, 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(&r->sequence, __ATOMIC_SEQ_CST) == seen) pthread_cond_wait(&r->wake, &r->lock);
    __atomic_fetch_sub(&r->sleeping, 1, __ATOMIC_SEQ_CST);
    pthread_mutex_unlock(&r->lock);
  }
  if (scratch) thaw_release(scratch, r->scratch_bytes);
  return NULL;
}

/** Says that there is something new to see. */
static void announce(runtime *r) {
  __atomic_fetch_add(&r->sequence, 1, __ATOMIC_SEQ_CST);
  if (__atomic_load_n(&r->sleeping, __ATOMIC_SEQ_CST) == 0) return;
  pthread_mutex_lock(&r->lock);
  pthread_cond_broadcast(&r->wake);
  pthread_mutex_unlock(&r->lock);
}

/** Ends the workers; nothing may be running. */
static void dismiss(runtime *r) {
  __atomic_store_n(&r->stop, 1, __ATOMIC_SEQ_CST);
  announce(r);
  for (int i = 0; i < r->workers; i++) pthread_join(r->threads[i], NULL);
  r->workers = 0;
  __atomic_store_n(&r->stop, 0, __ATOMIC_SEQ_CST);
}

/** Starts or ends workers until there are so many; gives how many there are. */
int thaw_workers(runtime *r, int count) {
  if (count > most_workers) count = most_workers;
  if (count < r->workers) dismiss(r);
  while (r->workers < count && !pthread_create(&r->threads[r->workers], NULL, work, r)) r->workers++;
  return r->workers;
}

void thaw_destroy(runtime *r) {
  dismiss(r);
  thaw_release(r->scratch, r->scratch_bytes);
  thaw_release((char *)r, sizeof(runtime));
}

static void share(runtime *r, const row *e) {
  uint64_t job = ((__atomic_load_n(&r->ticket, __ATOMIC_RELAXED) >> 32) + 1) << 32;
  uint32_t tasks = (uint32_t)((e->total + e->chunk - 1) / e->chunk);
  // Close the last job before its words change, then open this one.
  __atomic_store_n(&r->ticket, job | closed, __ATOMIC_SEQ_CST);
  __atomic_store_n(&r->entry, e, __ATOMIC_SEQ_CST);
  __atomic_store_n(&r->tasks, tasks, __ATOMIC_SEQ_CST);
  __atomic_store_n(&r->done, 0, __ATOMIC_SEQ_CST);
  __atomic_store_n(&r->ticket, job, __ATOMIC_SEQ_CST);
  announce(r);
  claim(r, r->scratch);
  // Whoever has a task may be waiting for this core.
  for (int i = 0; __atomic_load_n(&r->done, __ATOMIC_ACQUIRE) != tasks; i++) relax(i < spins ? i : 31);
}

static inline void run_row(runtime *r, const row *e, int shared) {
  if (shared && r->workers > 0 && e->chunk < e->total) share(r, e);
  else e->run(e->args, 0, e->total, r->scratch);
}

/** Runs a table's rows in order, shared out if so; gives -1, or the number of the first status word that is not zero. */
int thaw_walk(runtime *r, const row *table, i64 rows, int shared) {
  int checks = 0;
  for (const row *e = table; e < table + rows; e++) {
    run_row(r, e, shared);
    if (!e->status) continue;
    if (*e->status) return checks;
    checks++;
  }
  return -1;
}

/** As thaw_walk; when each row has ended, in nanoseconds from the start, goes to \`ends\`. */
int thaw_walk_timed(runtime *r, const row *table, i64 rows, int shared, double *ends) {
  double start = seconds();
  int checks = 0;
  for (i64 i = 0; i < rows; i++) {
    run_row(r, table + i, shared);
    ends[i] = (seconds() - start) * 1e9;
    if (!table[i].status) continue;
    if (*table[i].status) return checks;
    checks++;
  }
  return -1;
}
`;
