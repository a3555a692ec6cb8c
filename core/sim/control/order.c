#include "sim/control/order.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

bool sim_control_fail(sim_control *k, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(k->error, sizeof k->error, format, args);
    va_end(args);
    return false;
}

sim_node *sim_control_node(sim_control *k, const char *id)
{
    sim_node *n = sim_cluster_find(k->cluster, id);
    if (n == NULL) sim_control_fail(k, "unknown node '%s'", id);
    return n;
}

bool sim_control_number(sim_control *k, const char *what, const char *text, uint64_t max, uint64_t *out)
{
    char *stop;
    errno = 0;
    unsigned long long v = strtoull(text, &stop, 10);
    if (text[0] < '0' || text[0] > '9' || *stop != '\0' || errno != 0 || v > max)
        return sim_control_fail(k, "%s: expected a number up to %llu, got '%s'", what, (unsigned long long)max, text);
    *out = v;
    return true;
}
