#ifndef WM_FUZZ_REQUIRE_H
#define WM_FUZZ_REQUIRE_H
/* What a fuzzer demands: where it does not hold, the input is a finding. */

#include <stdio.h>
#include <stdlib.h>

#define REQUIRE(condition)                                                  \
    do {                                                                    \
        if (!(condition)) {                                                 \
            fprintf(stderr, "%s:%d: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                        \
        }                                                                   \
    } while (0)

#endif
