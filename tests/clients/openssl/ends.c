/* A program that has used a key of a token comes to its end in one of many ways.
 *
 *   ends ORDER WAY URI PUBLIC MODULE */
#include "key.h"
#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *order;

static int is(const char *name) { return !strcmp(order, name); }

/* The words are for the test: what ought to have happened did. */
static void say(const char *word) {
    ssize_t written = write(1, word, strlen(word));
    (void)written;
}

static void sign_at_exit(void) {
    sign("at exit");
    say("at exit ");
}
static void let_go_at_exit(void) {
    let_go();
    say("let go ");
}
static void *sign_in_thread(void *unused) {
    sign("in a thread");
    say("thread ");
    return unused;
}
static void *exit_in_thread(void *unused) {
    sign("in a thread");
    say("thread ");
    exit(0);
    return unused;
}

/* The program uses the module on its own too, as a second client in the same process. */
static void *open_module(const char *path) {
    void *module = dlopen(path, RTLD_NOW);
    if (!module) return NULL;
    unsigned long (*initialize)(void *);
    *(void **)&initialize = dlsym(module, "C_Initialize");
    unsigned long rv = initialize(NULL);
    check(rv == 0 || rv == 0x191, "C_Initialize"); /* CKR_CRYPTOKI_ALREADY_INITIALIZED */
    say("module ");
    return module;
}

int main(int count, char **arguments) {
    if (count != 6) return 2;
    order = arguments[1];
    const char *path = arguments[5];
    void *module = NULL;
    if (is("module first, closed last") || is("module first and finalized")) {
        module = open_module(path);
        check(module != NULL, "the module");
        /* Whoever initialized it says that it has ended, or else the client that comes next takes it over. */
        if (is("module first and finalized")) {
            unsigned long (*finalize)(void *);
            *(void **)&finalize = dlsym(module, "C_Finalize");
            check(!finalize(NULL), "C_Finalize");
            dlclose(module);
            module = NULL;
        }
    }
    load(arguments[2], arguments[3], arguments[4]);
    sign("a message");
    say("signed ");

    if (is("exit")) exit(0);
    if (is("_exit")) _exit(0);
    if (is("quick_exit")) quick_exit(0);
    if (is("let go")) let_go();
    if (is("cleanup")) OPENSSL_cleanup();
    if (is("let go and cleanup")) {
        let_go();
        OPENSSL_cleanup();
    }
    if (is("let go, cleanup and _exit")) {
        let_go();
        OPENSSL_cleanup();
        _exit(0);
    }
    if (is("a signature at exit")) atexit(sign_at_exit);
    if (is("let go at exit")) atexit(let_go_at_exit);
    if (is("both at exit")) {
        atexit(let_go_at_exit);
        atexit(sign_at_exit);
    }
    if (is("after a thread") || is("exit in a thread")) {
        pthread_t thread;
        pthread_create(&thread, NULL, is("after a thread") ? sign_in_thread : exit_in_thread, NULL);
        pthread_join(thread, NULL);
    }
    if (is("module last, closed at once") || is("module last, let go, closed")) {
        module = open_module(path);
        check(module != NULL, "the module");
        if (is("module last, let go, closed")) let_go();
    }
    if (module) check(!dlclose(module), "dlclose");
    if (is("a child exits") || is("a child signs and returns")) {
        pid_t child = fork();
        if (!child) {
            if (is("a child exits")) exit(0);
            sign("in a child");
            return 0;
        }
        int status = -1;
        waitpid(child, &status, 0);
        check(status == 0, "a child");
        sign("after a child");
        say("child ");
    }
    return 0;
}
