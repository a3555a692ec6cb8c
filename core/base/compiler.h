#ifndef WM_COMPILER_H
#define WM_COMPILER_H

/* Marks what runs for every operation: whatever it calls becomes part of it. The calls of a
 * write across the core's files, left as calls, were a fifteenth of its instructions. */
#define WM_HOT_PATH __attribute__((flatten))
#endif
