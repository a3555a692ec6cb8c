#ifndef WM_FORKS_H
#define WM_FORKS_H

/* How often this process, since this code was loaded, has become a child of a fork: another
 * number than at some time before says that what was made then is the parent's. Costs a
 * load. */
unsigned wm_forks(void);
#endif
