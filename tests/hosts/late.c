/* A host that calls the module while it comes to its end: in functions registered for its exit, in destructors, and in a
 * thread whose own data are gone. Prints what each call returned. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

typedef unsigned long rv;
static rv (*c_initialize)(void *), (*c_finalize)(void *), (*c_random)(unsigned long, unsigned char *, unsigned long);
static rv (*c_slots)(unsigned char, unsigned long *, unsigned long *);
static rv (*c_open)(unsigned long, unsigned long, void *, void *, unsigned long *);
static unsigned long session;

static void call(const char *when) {
    unsigned char bytes[16];
    fprintf(stderr, "%s random %lx\n", when, c_random(session, bytes, sizeof bytes));
}

static void before(void) { call("registered before"); }
static void after(void) { call("registered after"); }
__attribute__((destructor)) static void destructor(void) {
    if (!c_random) return;
    call("destructor");
}

static void last(void) {
    call("destructor of a library");
    fprintf(stderr, "destructor of a library finalize %lx\n", c_finalize(NULL));
    fprintf(stderr, "destructor of a library initialize %lx\n", c_initialize(NULL));
}

static void end_of_thread(void *unused) { (void)unused; call("end of a thread"); }
static pthread_key_t key;
static void *thread(void *unused) {
    (void)unused;
    pthread_setspecific(key, &key);
    call("thread");
    return NULL;
}

int main(int count, char **arguments) {
    if (count < 2) return 2;
    void *module = dlopen(arguments[1], RTLD_NOW);
    if (!module) { fprintf(stderr, "%s\n", dlerror()); return 3; }
    *(void **)&c_initialize = dlsym(module, "C_Initialize");
    *(void **)&c_finalize = dlsym(module, "C_Finalize");
    *(void **)&c_random = dlsym(module, "C_GenerateRandom");
    *(void **)&c_slots = dlsym(module, "C_GetSlotList");
    *(void **)&c_open = dlsym(module, "C_OpenSession");
    atexit(before);
    pthread_key_create(&key, end_of_thread);
    if (c_initialize(NULL)) return 4;
    atexit(after);
    unsigned long slot[8], slots = 8;
    if (c_slots(1, slot, &slots) || c_open(slot[0], 4, NULL, NULL, &session)) return 5;
    void (*end)(void) = last;
    for (int i = 2; i < count; i++) {
        void *library = dlopen(arguments[i], RTLD_NOW);
        if (!library) return 6;
        void (*late)(void (**)(void));
        *(void **)&late = dlsym(library, "late_library");
        late(&end);
    }
    pthread_t other;
    pthread_create(&other, NULL, thread, NULL);
    pthread_join(other, NULL);
    call("main");
    return 0;
}
