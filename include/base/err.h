/* Error codes of the whole program. HTTP statuses are something else. */
#ifndef BASE_ERR_H
#define BASE_ERR_H

enum err {
    ERR_OK = 0,
    ERR_AGAIN,     /* nothing now; a callback will say when */
    ERR_END,       /* the end of a body was reached, and it was whole */
    ERR_NOMEM,     /* a body, disk or network allocation failed */
    ERR_IO,        /* the operating system refused */
    ERR_TIMEOUT,   /* a deadline passed */
    ERR_REFUSED,   /* no connection could be made */
    ERR_RESET,     /* the other side broke the connection */
    ERR_PROTOCOL,  /* the other side broke the protocol */
    ERR_LIMIT,     /* a bound of ours was reached */
    ERR_NOT_FOUND, /* no such thing */
    ERR_LOST,      /* the bytes asked for have left a sliding window */
    ERR_CANCELLED, /* given up by whoever asked */
    ERR_CONFIG,    /* the configuration is wrong */
    ERR_AUTH,      /* not authenticated */
    ERR_COUNT
};

/* The name of an error as it is logged: "timeout", "reset". Static. */
const char *err_name(enum err err);

#endif
