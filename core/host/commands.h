#ifndef HOST_COMMANDS_H
#define HOST_COMMANDS_H
#include <stddef.h>

/* Exit codes. */
enum {
    HOST_OK = 0,
    HOST_FAILED = 1, /* the script raised an error, or what was asked for failed */
    HOST_USAGE = 2,  /* wrong arguments, or a script that cannot be read */
    /* 128 + the signal's number: ended by SIGINT, SIGTERM or SIGHUP */
};

/* Writes the end of an error about a wrong name ("; did you mean 'run'?", or "") to `hint`. */
void host_hint(const char *wrong, const char *const *names, size_t count, char *hint, size_t size);
/* `wingman run SCRIPT [ARGS]`; argv[0] is "run". */
int host_run(int argc, char **argv);
/* `wingman bench URL`; argv[0] is "bench". */
int host_bench(int argc, char **argv);
/* `wingman probe URL...`; argv[0] is "probe". */
int host_probe(int argc, char **argv);
/* `wingman report show|diff|merge FILE...`; argv[0] is "report". */
int host_report(int argc, char **argv);
/* `wingman oplog inspect|salvage FILE`; argv[0] is "oplog". */
int host_oplog(int argc, char **argv);
/* `wingman keep-awake`; argv[0] is "keep-awake". */
int host_keep_awake(int argc, char **argv);
/* `wingman sim`; argv[0] is "sim". */
int host_sim(int argc, char **argv);
/* `wingman ctl PATH ORDER`; argv[0] is "ctl". */
int host_ctl(int argc, char **argv);
/* `wingman repl [URL]`; argv[0] is "repl". */
int host_repl(int argc, char **argv);
#endif
