/* A server's master process loads a key and forks its workers; all of them sign at the same time, each in several threads.
 *
 *   workers WAY URI PUBLIC WORKERS THREADS SIGNATURES */
#include "key.h"
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static int signatures;

static void *work(void *unused) {
    char message[64];
    for (int i = 0; i < signatures; i++) {
        snprintf(message, sizeof message, "message %d of %d", i, (int)getpid());
        sign(message);
    }
    return unused;
}

static void work_in(int threads) {
    pthread_t thread[16];
    for (int i = 0; i < threads; i++) check(!pthread_create(&thread[i], NULL, work, NULL), "a thread");
    for (int i = 0; i < threads; i++) pthread_join(thread[i], NULL);
}

int main(int count, char **arguments) {
    if (count != 7) return 2;
    int workers = atoi(arguments[4]), threads = atoi(arguments[5]), made = 0;
    signatures = atoi(arguments[6]);
    if (threads > 16) return 2;
    load(arguments[1], arguments[2], arguments[3]);
    sign("before the fork");
    for (int i = 0; i < workers; i++) {
        pid_t child = fork();
        check(child >= 0, "a fork");
        if (!child) {
            /* pkcs11-provider logs in at the first use, and fails if two threads do so at once: its issue 287. */
            if (!engine) sign("before the threads");
            work_in(threads);
            exit(0);
        }
    }
    /* The master's own sessions do not suffer. */
    work_in(threads);
    for (int i = 0; i < workers; i++) {
        int status = -1;
        wait(&status);
        if (WIFEXITED(status) && !WEXITSTATUS(status)) made += threads * signatures;
        else fprintf(stderr, "a worker ended with %x\n", status);
    }
    sign("after the workers");
    printf("%d signatures of workers\n", made);
    return 0;
}
