import { basicsC } from "../../targets/c/prelude.ts";

/**
 * The C of a kernel that runs a share of another one, and copies what that has stored to where other ranks have it
 * (`shared-row.ts`). Not a part of the runtime, as most programs have one rank, and each start would compile it.
 */
export const shareSource = (): string => `
#include <stdint.h>
#include <string.h>
${basicsC}
typedef void kernel(const i64 *, i64, i64, char *);
typedef i64 two __attribute__((vector_size(16), aligned(1)));

/** Copies to memory that this thread does not read again: past the caches, so that what was there is not read first. */
static void copy_past(char *to, const char *from, i64 bytes) {
  i64 done = 0;
#if defined(__x86_64__)
  // The compiler's headers of vectors would take half as long as all of this file.
  if (!((uintptr_t)to & 15))
    for (; done + 64 <= bytes; done += 64)
      for (int i = 0; i < 64; i += 16)
        __asm__ volatile("movntdq %1, %0" : "=m"(*(two *)(to + done + i)) : "x"(*(const two *)(from + done + i)));
#endif
  memcpy(to + done, from + done, bytes - done);
}

/** Elements of a shared row that are stored before they are copied: few enough to be in a cache still. */
static const i64 at_once = 2048;

/**
 * Arguments: the other kernel and its arguments, the first element, how many copies there are, and of each from where,
 * to where, and the bytes of an element.
 */
void run(const i64 *a, i64 begin, i64 end, char *scratch) {
  kernel *other = (kernel *)(uintptr_t)a[0];
  const i64 *args = (const i64 *)(uintptr_t)a[1];
  i64 first = a[2] + begin, last = a[2] + end;
  for (i64 at = first; at < last; at += at_once) {
    i64 to = at + at_once < last ? at + at_once : last;
    other(args, at, to, scratch);
    for (const i64 *copy = a + 4; copy < a + 4 + 3 * a[3]; copy += 3)
      copy_past((char *)(uintptr_t)copy[1] + at * copy[2], (const char *)(uintptr_t)copy[0] + at * copy[2], (to - at) * copy[2]);
  }
#if defined(__x86_64__)
  // Before anybody is told that it is done.
  __asm__ volatile("sfence" ::: "memory");
#endif
}
`;
