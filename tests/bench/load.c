/* A load generator: N keep-alive connections send prepared requests, one at a time each, and time every answer.
 *
 *   load HOST PORT CONNECTIONS SECONDS FILE
 *
 * FILE holds requests one after another, each a 4-byte little-endian length and the raw bytes. It stops when they are
 * used up or the seconds have passed and prints one JSON object. Loopback only: HOST is an IPv4 address in 127/8.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { ANSWER_MAX = 65536, STATUS_MAX = 600 };

struct conn {
    int fd;
    size_t request, sent;
    double began;
    size_t got;
    char answer[ANSWER_MAX];
};

static const unsigned char *file;
static size_t file_size, next_at;
static size_t *offsets, requests, taken;
static double *latencies;
static size_t answered, errors, statuses[STATUS_MAX];
static struct sockaddr_in server;
static int poller;

static double now(void) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static uint32_t length_at(size_t at) {
    uint32_t n;
    memcpy(&n, file + at, 4);
    return n;
}

static int dial(struct conn *c) {
    int one = 1;
    c->fd = socket(AF_INET, SOCK_STREAM, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&server, sizeof server) < 0) return -1;
    setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    fcntl(c->fd, F_SETFL, O_NONBLOCK);
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = c};
    return epoll_ctl(poller, EPOLL_CTL_ADD, c->fd, &e);
}

static void push(struct conn *c) {
    size_t at = offsets[c->request], length = length_at(at);
    while (c->sent < length) {
        ssize_t n = send(c->fd, file + at + 4 + c->sent, length - c->sent, MSG_NOSIGNAL);
        if (n < 0 && errno == EAGAIN) continue; /* a request is far smaller than a socket buffer */
        if (n <= 0) return;
        c->sent += (size_t)n;
    }
}

static int begin(struct conn *c) {
    if (taken >= requests) return 0;
    c->request = taken++;
    c->sent = c->got = 0;
    c->began = now();
    push(c);
    return 1;
}

/* Returns the answer's whole length once its head is there, else 0. */
static size_t whole(const struct conn *c) {
    const char *end = memmem(c->answer, c->got, "\r\n\r\n", 4);
    if (!end) return 0;
    size_t head = (size_t)(end - c->answer) + 4, body = 0;
    for (const char *line = c->answer; line < end; line = (const char *)memmem(line, (size_t)(end - line) + 2, "\r\n", 2) + 2)
        if (!strncasecmp(line, "content-length:", 15)) body = strtoul(line + 15, NULL, 10);
    return head + body;
}

static int again(struct conn *c) {
    errors++;
    close(c->fd);
    return dial(c) == 0 && begin(c);
}

static int take(struct conn *c) {
    ssize_t n = recv(c->fd, c->answer + c->got, ANSWER_MAX - c->got, 0);
    if (n < 0 && errno == EAGAIN) return 1;
    if (n <= 0 || c->got + (size_t)n >= ANSWER_MAX) return again(c);
    c->got += (size_t)n;
    size_t need = whole(c);
    if (!need || c->got < need) return 1;
    int status = c->got > 12 ? atoi(c->answer + 9) : 0;
    if (status > 0 && status < STATUS_MAX) statuses[status]++;
    latencies[answered++] = now() - c->began;
    return begin(c);
}

static int by_size(const void *a, const void *b) {
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double at_share(double share) {
    if (!answered) return 0;
    size_t i = (size_t)(share * (double)answered);
    return latencies[i < answered ? i : answered - 1] * 1e3;
}

static void report(double elapsed) {
    qsort(latencies, answered, sizeof *latencies, by_size);
    printf("{\"answered\": %zu, \"errors\": %zu, \"elapsed_s\": %.6f, \"p50_ms\": %.3f, \"p99_ms\": %.3f, \"max_ms\": %.3f, \"status\": {",
           answered, errors, elapsed, at_share(0.5), at_share(0.99), at_share(1.0));
    for (int s = 0, first = 1; s < STATUS_MAX; s++)
        if (statuses[s]) printf("%s\"%d\": %zu", first ? "" : ", ", s, statuses[s]), first = 0;
    printf("}}\n");
}

static void map_requests(const char *path) {
    int fd = open(path, O_RDONLY);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0) { perror(path); exit(2); }
    file_size = (size_t)st.st_size;
    file = mmap(NULL, file_size, PROT_READ, MAP_PRIVATE, fd, 0);
    for (next_at = 0; next_at + 4 <= file_size; next_at += 4 + length_at(next_at)) requests++;
    offsets = malloc((requests + 1) * sizeof *offsets);
    latencies = malloc((requests + 1) * sizeof *latencies);
    size_t i = 0;
    for (next_at = 0; next_at + 4 <= file_size; next_at += 4 + length_at(next_at)) offsets[i++] = next_at;
}

int main(int argc, char **argv) {
    if (argc != 6) { fprintf(stderr, "usage: load HOST PORT CONNECTIONS SECONDS FILE\n"); return 2; }
    server.sin_family = AF_INET;
    server.sin_port = htons((uint16_t)atoi(argv[2]));
    if (inet_pton(AF_INET, argv[1], &server.sin_addr) != 1 || (ntohl(server.sin_addr.s_addr) >> 24) != 127) {
        fprintf(stderr, "load: HOST must be in 127.0.0.0/8\n");
        return 2;
    }
    size_t connections = strtoul(argv[3], NULL, 10), open_now = 0;
    map_requests(argv[5]);
    poller = epoll_create1(0);
    struct conn *all = calloc(connections, sizeof *all);
    for (size_t i = 0; i < connections; i++)
        if (dial(&all[i]) < 0) { perror("connect"); return 1; }
    double began = now(), deadline = began + atof(argv[4]);
    for (size_t i = 0; i < connections; i++) open_now += (size_t)begin(&all[i]);
    struct epoll_event ready[256];
    while (open_now && now() < deadline) {
        int n = epoll_wait(poller, ready, 256, 100);
        for (int i = 0; i < n; i++)
            if (!take(ready[i].data.ptr)) open_now--;
    }
    report(now() - began);
    return 0;
}
