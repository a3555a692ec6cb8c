/* The generator that nothing in a script can beat: frames that were encoded and masked
 * before the clock ran, sent from C over one connection with up to 64 in flight, and of
 * each acknowledgement no more read than that it is one. Run by scripts/bench/load.lua:
 *
 *   load PORT TOKEN BATCH OPERATIONS
 *
 * and prints one JSON object. Times are seconds. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WINDOW 64
#define KEYS 10000

static uint8_t *out; /* all frames, one after the other */
static size_t out_len;
static uint8_t in[65536];
static size_t in_len;

static void fail(const char *what)
{
    perror(what);
    exit(1);
}

/* -- MessagePack ----------------------------------------------------------------------- */

static void byte(uint8_t b) { out[out_len++] = b; }

static void text(const char *s)
{
    size_t n = strlen(s);
    if (n < 32) byte((uint8_t)(0xa0 + n));
    else byte(0xd9), byte((uint8_t)n);
    memcpy(out + out_len, s, n);
    out_len += n;
}

static void big_endian(uint8_t kind, uint64_t value, int bytes)
{
    byte(kind);
    for (int i = bytes - 1; i >= 0; i--) byte((uint8_t)(value >> (8 * i)));
}

static void operation(unsigned sequence)
{
    char id[32], key[32];
    snprintf(id, sizeof id, "bench000-%012u", sequence);
    snprintf(key, sizeof key, "key-%u", sequence % KEYS + 1);
    byte(0x85);
    text("id"), text(id);
    text("key"), text(key);
    text("mapName"), text("bench");
    text("opType"), text("PUT");
    text("record"), byte(0x82);
    text("timestamp"), byte(0x83);
    text("millis"), big_endian(0xcf, (uint64_t)time(NULL) * 1000, 8);
    text("counter"), big_endian(0xce, sequence, 4);
    text("nodeId"), text("6f1c2b9e-0d4a-4c57-9a3e-5b8f7d2e1c04");
    text("value"), byte(0x81), text("v"), big_endian(0xce, sequence, 4);
}

/* -- frames ------------------------------------------------------------------------------ */

/* Room for the longest head; the mask is four zero bytes, so nothing is changed. */
static size_t begin_frame(void)
{
    size_t at = out_len;
    byte(0x82);
    byte(0x80 | 126);
    for (int i = 0; i < 6; i++) byte(0);
    return at;
}

static void end_frame(size_t at)
{
    size_t n = out_len - at - 8;
    if (n > 65535) fail("a batch is too large");
    out[at + 2] = (uint8_t)(n >> 8);
    out[at + 3] = (uint8_t)n;
}

static void send_all(int fd, const uint8_t *p, size_t n)
{
    while (n > 0) {
        ssize_t sent = send(fd, p, n, MSG_NOSIGNAL);
        if (sent <= 0) fail("send");
        p += sent;
        n -= (size_t)sent;
    }
}

/* Reads once; how many of the frames that are whole contain `what`. */
static unsigned receive(int fd, const char *what)
{
    ssize_t n = recv(fd, in + in_len, sizeof in - in_len, 0);
    if (n <= 0) fail("recv");
    in_len += (size_t)n;
    unsigned found = 0;
    size_t at = 0;
    while (in_len - at >= 2) {
        size_t head = 2, len = in[at + 1];
        if (len == 126) {
            if (in_len - at < 4) break;
            head = 4;
            len = (size_t)in[at + 2] << 8 | in[at + 3];
        }
        if (in_len - at < head + len) break;
        if (memmem(in + at + head, len, what, strlen(what)) != NULL) found++;
        at += head + len;
    }
    memmove(in, in + at, in_len -= at);
    return found;
}

/* -- the run ----------------------------------------------------------------------------- */

static int open_connection(int port, const char *token)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1;
    struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof to) < 0) fail("connect");
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    static const char upgrade[] = "GET /ws HTTP/1.1\r\nHost: 127.0.0.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                                  "Sec-WebSocket-Key: d2luZ21hbi1iZW5jaC1rZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";
    send_all(fd, (const uint8_t *)upgrade, sizeof upgrade - 1);
    uint8_t *end;
    do {
        ssize_t n = recv(fd, in + in_len, sizeof in - in_len, 0);
        if (n <= 0) fail("upgrade");
        in_len += (size_t)n;
    } while ((end = memmem(in, in_len, "\r\n\r\n", 4)) == NULL);
    size_t head = (size_t)(end + 4 - in);
    memmove(in, in + head, in_len -= head);

    out_len = 0;
    size_t at = begin_frame();
    byte(0x82), text("type"), text("AUTH"), text("token");
    size_t n = strlen(token);
    big_endian(0xda, n, 2);
    memcpy(out + out_len, token, n);
    out_len += n;
    end_frame(at);
    send_all(fd, out, out_len);
    while (receive(fd, "AUTH_ACK") == 0) {
    }
    return fd;
}

static double seconds(struct timespec t) { return (double)t.tv_sec + (double)t.tv_nsec / 1e9; }

static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return seconds(t);
}

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return seconds(t);
}

int main(int argc, char **argv)
{
    if (argc != 5) return 2;
    unsigned batch = (unsigned)atoi(argv[3]), operations = (unsigned)atoi(argv[4]), frames = KEYS / batch;
    out = malloc(KEYS * 256u + frames * 128u + 4096u);
    size_t *ends = malloc((frames + 1) * sizeof *ends);
    if (out == NULL || ends == NULL) fail("malloc");
    int fd = open_connection(atoi(argv[1]), argv[2]);

    out_len = 0;
    ends[0] = 0;
    for (unsigned f = 0; f < frames; f++) {
        size_t at = begin_frame();
        byte(0x82), text("type"), text("OP_BATCH"), text("payload"), byte(0x81), text("ops"), big_endian(0xdc, batch, 2);
        for (unsigned i = 0; i < batch; i++) operation(f * batch + i);
        end_frame(at);
        ends[f + 1] = out_len;
    }

    unsigned total = operations / batch, sent = 0, acked = 0;
    double began = now(), used = cpu_seconds();
    while (acked < total) {
        if (sent < total && sent - acked < WINDOW) {
            unsigned from = sent % frames, count = WINDOW - (sent - acked);
            if (count > total - sent) count = total - sent;
            if (count > frames - from) count = frames - from;
            send_all(fd, out + ends[from], ends[from + count] - ends[from]);
            sent += count;
        }
        acked += receive(fd, "OP_ACK");
    }
    printf("{\"acked\":%u,\"seconds\":%.6f,\"cpu_seconds\":%.6f}\n", acked * batch, now() - began, cpu_seconds() - used);
    close(fd);
    return 0;
}
