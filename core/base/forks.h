#ifndef WM_FORKS_H
#define WM_FORKS_H

/* The number of forks between the process that loaded this code and this one. If it has changed since
 * an object was made, the object is the parent's. Costs one load. */
unsigned wm_forks(void);
#endif
