#ifndef SIM_ALLOC_H
#define SIM_ALLOC_H
#include <stddef.h>
#include <stdint.h>

/* Memory of the simulator. A process that only pretends to be a cluster has
 * nothing to save when memory is gone: these end it with a message. */

/* `size` zeroed bytes. */
void *sim_alloc(size_t size);
/* As realloc. */
void *sim_realloc(void *old, size_t size);
/* A copy of `len` bytes and a NUL. */
char *sim_copy(const void *bytes, size_t len);
/* Grows an array of `*cap` elements so that it has room for `need`. */
void *sim_grow(void *old, uint32_t *cap, uint32_t need, size_t element);
#endif
