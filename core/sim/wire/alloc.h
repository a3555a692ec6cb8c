#ifndef SIM_ALLOC_H
#define SIM_ALLOC_H
#include <stddef.h>
#include <stdint.h>

/* Memory of the simulator, freed by free(). The functions never return NULL: without memory they
 * abort the process with a message, since a simulator has no data to save. */

/* `size` zeroed bytes. */
void *sim_alloc(size_t size);
/* As realloc; new bytes are not zeroed. */
void *sim_realloc(void *old, size_t size);
/* A copy of `len` bytes and a NUL. */
char *sim_copy(const void *bytes, size_t len);
/* Grows an array of `*cap` elements of `element` bytes to at least `need`; returns it, sets *cap. */
void *sim_grow(void *old, uint32_t *cap, uint32_t need, size_t element);
#endif
