/* A web page from a static program: cc -static -O2 -o program program.c */

#include <arpa/inet.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static const char page[] = "<!doctype html><title>program</title><h1>Hello from C</h1>\n";

int main(void)
{
    const char *wanted = getenv("PORT");
    int port = wanted ? atoi(wanted) : 8000;
    int on = 1;
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons((unsigned short)port)};
    int listener = socket(AF_INET, SOCK_STREAM, 0);

    signal(SIGPIPE, SIG_IGN);
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    if (bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 16)) {
        perror("program");
        return 1;
    }
    printf("program: listening on port %d\n", port);
    fflush(stdout);
    for (;;) {
        char request[4096];
        int peer = accept(listener, NULL, NULL);

        if (peer < 0)
            continue;
        if (read(peer, request, sizeof request) > 0)
            dprintf(peer, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
                          "Content-Length: %zu\r\nConnection: close\r\n\r\n%s",
                    strlen(page), page);
        close(peer);
    }
}
