#ifndef WM_COMPILER_H
#define WM_COMPILER_H

/* Marks a function that runs for every operation: all its callees are inlined. Calls across the core's
 * files took a fifteenth of the instructions of a write. */
#define WM_HOT_PATH __attribute__((flatten))
#endif
