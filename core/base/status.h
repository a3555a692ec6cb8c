#ifndef WM_STATUS_H
#define WM_STATUS_H

/* Results of core functions: 0 or more is success. */
enum {
    WM_OK = 0,
    WM_ENOMEM = -100, /* out of memory; nothing was changed */
    WM_EFULL = -101,  /* a limit is reached; repeat when there is room again */
    WM_ESIZE = -102,  /* larger than a message to the server may be */
    WM_EINVAL = -103, /* an argument or a received value is not of the right form */
    WM_EDISK = -104,  /* a file cannot be written; nothing was lost, repeat later */
    WM_ENODE = -105,  /* what waits for one node has its share of the op log; repeat when there is room again */
    WM_EUTF8 = -106,  /* a text that would travel as a MessagePack string is not valid UTF-8 */
    WM_ESTALE = -107, /* there is a newer record of the key */
    WM_ENAME = -108,  /* servers of the family store nothing in a map of this name */
    WM_EANSWER = -109, /* no answer of a server of the family can hold the record */
    WM_EINTEGER = -110, /* servers of the family cannot pass on an integer of the value */
};
#endif
