/* A host that calls the module while it comes to its end: in functions registered for its exit, in destructors, and in a
 * thread whose own data are gone. Prints what each call returned. */
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

typedef unsigned long rv;
static rv (*c_initialize)(void *), (*c_finalize)(void *), (*c_random)(unsigned long, unsigned char *, unsigned long);
static rv (*c_slots)(unsigned char, unsigned long *, unsigned long *);
typedef struct { unsigned long id; void *parameter; unsigned long length; } mechanism;
typedef struct { unsigned long name; void *value; unsigned long length; } attribute;
static rv (*c_generate)(unsigned long, mechanism *, attribute *, unsigned long, unsigned long *);
static rv (*c_sign_init)(unsigned long, mechanism *, unsigned long);
static rv (*c_sign)(unsigned long, unsigned char *, unsigned long, unsigned char *, unsigned long *);
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
/* A key is made and used, the first thing that this thread does. */
static void use_key(const char *when) {
    unsigned long length = 32, made = 0, len = 64;
    unsigned char yes = 1, code[64];
    mechanism generate = {0x350, NULL, 0}, hmac = {0x251, NULL, 0}; /* CKM_GENERIC_SECRET_KEY_GEN, CKM_SHA256_HMAC */
    attribute template[] = {{0x161, &length, sizeof length}, {0x108, &yes, 1}}; /* CKA_VALUE_LEN, CKA_SIGN */
    rv first = c_generate(session, &generate, template, 2, &made);
    if (!first) first = c_sign_init(session, &hmac, made);
    if (!first) first = c_sign(session, code, sizeof code, code, &len);
    fprintf(stderr, "%s key %lx\n", when, first);
}
static void *thread(void *unused) {
    (void)unused;
    pthread_setspecific(key, &key);
    use_key("thread");
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
    *(void **)&c_generate = dlsym(module, "C_GenerateKey");
    *(void **)&c_sign_init = dlsym(module, "C_SignInit");
    *(void **)&c_sign = dlsym(module, "C_Sign");
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
    use_key("main");
    /* A child that only ends runs all of the above too, without what its parent had in memory of keys. */
    pid_t child = fork();
    if (child == 0) exit(0);
    int status = -1;
    waitpid(child, &status, 0);
    fprintf(stderr, "child %d\n", status);
    use_key("after the fork");
    call("main");
    return 0;
}
