#include "net/tls.h"

#include <arpa/inet.h>
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "wire/http_head.h"

#define FILES 3 /* ca_file, cert_file, key_file */
#define PROBLEM_MAX 480

/* What identifies a file's content: if it differs, the file was replaced. */
typedef struct file_version {
    ino_t inode;
    struct timespec changed;
    off_t size;
} file_version;

struct wm_tls_settings {
    char *paths[FILES]; /* path; NULL: the option is not set */
    file_version versions[FILES];
    bool verify;
    BIO_METHOD *method;
    SSL_CTX *context; /* each session has a reference, too */
    int holders;      /* references: of the owner, and of sessions, which need `method` */
};

struct wm_tls {
    wm_tls_settings *settings;
    SSL *ssl;
    int fd;
    bool waits_to_write;
    bool is_open; /* the handshake is complete */
    char host[256];
    char problem[PROBLEM_MAX];
};

static const char *const option_names[FILES] = {"tls.ca_file", "tls.cert_file", "tls.key_file"};
enum {
    CA,
    CERT,
    KEY,
};

/* -- the socket below -- */

/* Replaces OpenSSL's own, which writes without MSG_NOSIGNAL: writing to a closed socket would raise
 * SIGPIPE. */
static int bio_write(BIO *bio, const char *bytes, int len)
{
    const wm_tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t n = send(t->fd, bytes, (size_t)len, MSG_NOSIGNAL);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_write(bio);
    return (int)n;
}

static int bio_read(BIO *bio, char *bytes, int size)
{
    const wm_tls *t = BIO_get_data(bio);
    BIO_clear_retry_flags(bio);
    ssize_t n = recv(t->fd, bytes, (size_t)size, 0);
    if (n < 0 && (errno == EAGAIN || errno == EINTR)) BIO_set_retry_read(bio);
    return (int)n;
}

static long bio_ctrl(BIO *bio, int command, long number, void *pointer)
{
    (void)bio;
    (void)number;
    (void)pointer;
    return command == BIO_CTRL_FLUSH; /* there is no buffer to flush */
}

static int bio_create(BIO *bio)
{
    BIO_set_init(bio, 1);
    return 1;
}

static BIO_METHOD *new_method(void)
{
    BIO_METHOD *m = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "socket");
    if (m == NULL) return NULL;
    BIO_meth_set_write(m, bio_write);
    BIO_meth_set_read(m, bio_read);
    BIO_meth_set_ctrl(m, bio_ctrl);
    BIO_meth_set_create(m, bio_create);
    return m;
}

/* -- certificates of servers -- */

/* The names in a certificate, with commas between them. */
static void names_of(X509 *certificate, char *out, size_t size)
{
    size_t used = 0;
    out[0] = 0;
    GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names) && used < size - 1; i++) {
        const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
        char text[128] = "";
        if (name->type == GEN_DNS) {
            wm_text_span dns = {(const char *)ASN1_STRING_get0_data(name->d.dNSName), (size_t)ASN1_STRING_length(name->d.dNSName)};
            wm_span_escape(dns, text, sizeof text);
        } else if (name->type == GEN_IPADD) {
            int bytes = ASN1_STRING_length(name->d.iPAddress);
            if (bytes == 4 || bytes == 16)
                inet_ntop(bytes == 4 ? AF_INET : AF_INET6, ASN1_STRING_get0_data(name->d.iPAddress), text, sizeof text);
        }
        if (text[0] == 0) continue;
        int n = snprintf(out + used, size - used, "%s%s", used ? ", " : "", text);
        used = n < (int)(size - used) ? used + (size_t)n : size - 1;
    }
    GENERAL_NAMES_free(names);
}

/* Called for each certificate of a chain. It keeps OpenSSL's verdict. */
static int on_verified(int is_right, X509_STORE_CTX *chain)
{
    wm_tls *t = SSL_get_app_data(X509_STORE_CTX_get_ex_data(chain, SSL_get_ex_data_X509_STORE_CTX_idx()));
    if (is_right) return 1;
    int verdict = X509_STORE_CTX_get_error(chain);
    const char *words = X509_verify_cert_error_string(verdict);
    char names[200];
    snprintf(t->problem, sizeof t->problem, "the certificate was refused: %s", words);
    if (verdict != X509_V_ERR_HOSTNAME_MISMATCH && verdict != X509_V_ERR_IP_ADDRESS_MISMATCH) return 0;
    names_of(X509_STORE_CTX_get0_cert(chain), names, sizeof names);
    snprintf(t->problem, sizeof t->problem, "the certificate was refused: %s: it is for %s, not for %.100s", words,
             names[0] ? names : "no name", t->host);
    return 0;
}

/* -- files -- */

static file_version version_of(const char *path)
{
    struct stat s;
    file_version v = {0};
    if (path == NULL || stat(path, &s) != 0) return v;
    v.inode = s.st_ino;
    v.changed = s.st_mtim;
    v.size = s.st_size;
    return v;
}

static bool is_same_version(const file_version *a, const file_version *b)
{
    return a->inode == b->inode && a->size == b->size && a->changed.tv_sec == b->changed.tv_sec &&
           a->changed.tv_nsec == b->changed.tv_nsec;
}

static bool have_changed(const wm_tls_settings *s)
{
    for (int i = 0; i < FILES; i++) {
        file_version now = version_of(s->paths[i]);
        if (!is_same_version(&now, &s->versions[i])) return true;
    }
    return false;
}

/* The text of OpenSSL's oldest error. Clears its error queue. */
static const char *last_words(void)
{
    const char *words = ERR_reason_error_string(ERR_peek_error());
    ERR_clear_error();
    return words ? words : "no reason is known";
}

static bool is_readable(const wm_tls_settings *s, int which, char *error, size_t size)
{
    FILE *file = fopen(s->paths[which], "re");
    if (file == NULL) {
        snprintf(error, size, "option %s: the file cannot be read: '%s': %s", option_names[which], s->paths[which],
                 strerror(errno));
        return false;
    }
    fclose(file);
    return true;
}

static bool load_authorities(const wm_tls_settings *s, SSL_CTX *context, char *error, size_t size)
{
    if (s->paths[CA] == NULL) return SSL_CTX_set_default_verify_paths(context) == 1;
    if (!is_readable(s, CA, error, size)) return false;
    if (SSL_CTX_load_verify_file(context, s->paths[CA]) == 1) return true;
    ERR_clear_error();
    snprintf(error, size, "option %s: the file has no certificate in PEM form: '%s'", option_names[CA], s->paths[CA]);
    return false;
}

static bool load_own(const wm_tls_settings *s, SSL_CTX *context, char *error, size_t size)
{
    if (s->paths[CERT] == NULL) return true;
    if (!is_readable(s, CERT, error, size) || !is_readable(s, KEY, error, size)) return false;
    int wrong = -1;
    if (SSL_CTX_use_certificate_chain_file(context, s->paths[CERT]) != 1) wrong = CERT;
    else if (SSL_CTX_use_PrivateKey_file(context, s->paths[KEY], SSL_FILETYPE_PEM) != 1) wrong = KEY;
    if (wrong < 0) return true;
    snprintf(error, size, "option %s: the file cannot be used: '%s': %s", option_names[wrong], s->paths[wrong], last_words());
    return false;
}

/* An encrypted key is an error, as OpenSSL would ask for its password at the terminal. */
static int no_password(char *out, int size, int writing, void *user)
{
    (void)out;
    (void)size;
    (void)writing;
    (void)user;
    return -1;
}

static SSL_CTX *load(const wm_tls_settings *s, char *error, size_t size)
{
    ERR_clear_error();
    snprintf(error, size, "out of memory for TLS");
    SSL_CTX *context = SSL_CTX_new(TLS_client_method());
    if (context == NULL) return NULL;
    SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
    SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_read_ahead(context, 1); /* one system call for several records */
    SSL_CTX_set_verify(context, s->verify ? SSL_VERIFY_PEER : SSL_VERIFY_NONE, s->verify ? on_verified : NULL);
    SSL_CTX_set_default_passwd_cb(context, no_password);
    if (load_authorities(s, context, error, size) && load_own(s, context, error, size)) return context;
    SSL_CTX_free(context);
    return NULL;
}

/* Reads the files again if they were replaced. */
static bool refresh(wm_tls_settings *s, char *error, size_t size)
{
    if (s->context != NULL && !have_changed(s)) return true;
    file_version versions[FILES];
    for (int i = 0; i < FILES; i++) versions[i] = version_of(s->paths[i]);
    SSL_CTX *context = load(s, error, size);
    if (context == NULL) return false;
    SSL_CTX_free(s->context);
    s->context = context;
    memcpy(s->versions, versions, sizeof versions);
    return true;
}

static void let_go(wm_tls_settings *s)
{
    if (--s->holders > 0) return;
    for (int i = 0; i < FILES; i++) free(s->paths[i]);
    SSL_CTX_free(s->context);
    BIO_meth_free(s->method);
    free(s);
}

void wm_tls_settings_free(wm_tls_settings *s)
{
    if (s != NULL) let_go(s);
}

wm_tls_settings *wm_tls_settings_new(const wm_tls_files *files, bool verify, char *error, size_t size)
{
    const char *const paths[FILES] = {files->ca_file, files->cert_file, files->key_file};
    wm_tls_settings *s = calloc(1, sizeof *s);
    snprintf(error, size, "out of memory for TLS");
    if (s == NULL) return NULL;
    s->verify = verify;
    s->holders = 1;
    s->method = new_method();
    bool copied = s->method != NULL, names_files = false;
    for (int i = 0; i < FILES && copied; i++) {
        if (paths[i] == NULL) continue;
        s->paths[i] = strdup(paths[i]);
        copied = s->paths[i] != NULL;
        names_files = true;
    }
    /* The system's authorities are read by the first session, as that takes 25 ms. */
    if (copied && (!names_files || refresh(s, error, size))) return s;
    let_go(s);
    return NULL;
}

/* -- a session -- */

static bool is_address(const char *host)
{
    uint8_t bytes[16];
    return inet_pton(AF_INET, host, bytes) == 1 || inet_pton(AF_INET6, host, bytes) == 1;
}

/* The server's name: it is checked in the certificate, and sent in the handshake (SNI). */
static bool set_host(wm_tls *t)
{
    X509_VERIFY_PARAM *param = SSL_get0_param(t->ssl);
    if (is_address(t->host)) return X509_VERIFY_PARAM_set1_ip_asc(param, t->host) == 1;
    X509_VERIFY_PARAM_set_hostflags(param, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    return X509_VERIFY_PARAM_set1_host(param, t->host, 0) == 1 && SSL_set_tlsext_host_name(t->ssl, t->host) == 1;
}

static bool set_bio(wm_tls *t)
{
    BIO *bio = BIO_new(t->settings->method);
    if (bio == NULL) return false;
    BIO_set_data(bio, t);
    SSL_set_bio(t->ssl, bio, bio);
    return true;
}

wm_tls *wm_tls_new(wm_tls_settings *s, int fd, const char *host, char *error, size_t size)
{
    if (!refresh(s, error, size)) return NULL;
    snprintf(error, size, "out of memory for TLS");
    wm_tls *t = calloc(1, sizeof *t);
    if (t == NULL) return NULL;
    t->settings = s;
    s->holders++;
    t->fd = fd;
    size_t len = strnlen(host, sizeof t->host - 1);
    if (len > 1 && host[len - 1] == '.') len--; /* the dot of the root is in no certificate */
    memcpy(t->host, host, len);
    t->ssl = SSL_new(s->context);
    if (t->ssl != NULL && set_bio(t) && set_host(t)) {
        SSL_set_app_data(t->ssl, t);
        SSL_set_connect_state(t->ssl);
        return t;
    }
    wm_tls_free(t);
    return NULL;
}

void wm_tls_free(wm_tls *t)
{
    if (t == NULL) return;
    SSL_free(t->ssl);
    let_go(t->settings);
    free(t);
}

/* -- what failed -- */

static const char *hint_for(unsigned long error)
{
    int reason = ERR_GET_REASON(error);
    if (reason == SSL_R_WRONG_VERSION_NUMBER || reason == SSL_R_HTTP_REQUEST) return " (is it a ws:// port?)";
    return "";
}

static int fail(wm_tls *t)
{
    unsigned long error = ERR_peek_error();
    const char *words = ERR_reason_error_string(error);
    if (t->problem[0] == 0)
        snprintf(t->problem, sizeof t->problem, "%s%s", words ? words : "TLS failed", hint_for(error));
    ERR_clear_error();
    return -EPROTO;
}

/* What the failure of an OpenSSL call means. */
static int result_of(wm_tls *t, int returned)
{
    int saved = errno;
    switch (SSL_get_error(t->ssl, returned)) {
    case SSL_ERROR_WANT_READ: t->waits_to_write = false; return -EAGAIN;
    case SSL_ERROR_WANT_WRITE: t->waits_to_write = true; return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN: return 0;
    case SSL_ERROR_SYSCALL: return ERR_peek_error() == 0 && saved != 0 ? -saved : 0;
    default:
        /* The stream ended without a TLS close: reported as an end. */
        if (ERR_GET_REASON(ERR_peek_error()) != SSL_R_UNEXPECTED_EOF_WHILE_READING) return fail(t);
        ERR_clear_error();
        return 0;
    }
}

/* -- bytes -- */

static void prepare(void)
{
    ERR_clear_error();
    errno = 0;
}

int wm_tls_handshake(wm_tls *t)
{
    prepare();
    int returned = SSL_do_handshake(t->ssl);
    if (returned == 1) {
        t->is_open = true;
        return 0;
    }
    int result = result_of(t, returned);
    if (result != 0) return result;
    snprintf(t->problem, sizeof t->problem, "the other side closed the connection during the handshake");
    return -EPROTO;
}

ssize_t wm_tls_read(wm_tls *t, void *bytes, size_t size)
{
    prepare();
    int n = SSL_read(t->ssl, bytes, (int)size);
    return n > 0 ? n : result_of(t, n);
}

ssize_t wm_tls_write(wm_tls *t, const void *bytes, size_t len)
{
    prepare();
    int n = SSL_write(t->ssl, bytes, (int)len);
    if (n > 0) return n;
    int result = result_of(t, n);
    return result == 0 ? -EPIPE : result;
}

void wm_tls_shutdown(wm_tls *t)
{
    if (!t->is_open || t->problem[0] != 0) return;
    prepare();
    SSL_shutdown(t->ssl);
    ERR_clear_error();
}

bool wm_tls_waits_to_write(const wm_tls *t)
{
    return t->waits_to_write;
}

bool wm_tls_has_pending(const wm_tls *t)
{
    return SSL_has_pending(t->ssl) == 1;
}

const char *wm_tls_problem(const wm_tls *t)
{
    return t->problem;
}
