/* A private key of a token, and the public half of it in software. Included by the programs beside it. */
#define OPENSSL_SUPPRESS_DEPRECATED /* Engines are, since OpenSSL 3.0. */
#include <openssl/crypto.h>
#include <openssl/engine.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/store.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static ENGINE *engine;
static EVP_PKEY *private_key, *public_key;

static void check(int is_true, const char *what) {
    if (is_true) return;
    fprintf(stderr, "%s failed\n", what);
    ERR_print_errors_fp(stderr);
    _exit(99);
}

/* `way` is "engine" or "provider"; OPENSSL_CONF names a file that has them. */
static void load(const char *way, const char *uri, const char *public_file) {
    OPENSSL_init_crypto(OPENSSL_INIT_LOAD_CONFIG, NULL);
    if (!strcmp(way, "engine")) {
        engine = ENGINE_by_id("pkcs11");
        check(engine && ENGINE_init(engine), "the engine's start");
        private_key = ENGINE_load_private_key(engine, uri, NULL, NULL);
    } else {
        OSSL_STORE_CTX *store = OSSL_STORE_open(uri, NULL, NULL, NULL, NULL);
        check(store != NULL, "the provider's store");
        while (!private_key && !OSSL_STORE_eof(store)) {
            OSSL_STORE_INFO *found = OSSL_STORE_load(store);
            if (found && OSSL_STORE_INFO_get_type(found) == OSSL_STORE_INFO_PKEY)
                private_key = OSSL_STORE_INFO_get1_PKEY(found);
            OSSL_STORE_INFO_free(found);
        }
        OSSL_STORE_close(store);
    }
    check(private_key != NULL, "loading the key");
    FILE *file = fopen(public_file, "r");
    check(file != NULL, "opening the public key");
    public_key = PEM_read_PUBKEY_ex(file, NULL, NULL, NULL, NULL, "provider=default");
    check(public_key != NULL, "reading the public key");
    fclose(file);
}

static inline void let_go(void) {
    EVP_PKEY_free(private_key);
    EVP_PKEY_free(public_key);
    if (engine) {
        ENGINE_finish(engine);
        ENGINE_free(engine);
    }
    private_key = public_key = NULL;
    engine = NULL;
}

/* The token signs, and the public half says whether it did. A wrong message has to be refused. */
static void sign(const char *message) {
    unsigned char signature[1024];
    size_t length = sizeof signature;
    const unsigned char *bytes = (const unsigned char *)message;
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    check(EVP_DigestSignInit_ex(context, NULL, "SHA256", NULL, NULL, private_key, NULL) == 1, "the signature's start");
    check(EVP_DigestSign(context, signature, &length, bytes, strlen(message)) == 1, "a signature");
    EVP_MD_CTX_free(context);
    for (int is_right = 0; is_right < 2; is_right++) {
        context = EVP_MD_CTX_new();
        check(EVP_DigestVerifyInit_ex(context, NULL, "SHA256", NULL, "provider=default", public_key, NULL) == 1,
              "the verification's start");
        check((EVP_DigestVerify(context, signature, length, bytes, strlen(message) - !is_right) == 1) == is_right,
              "a verification");
        EVP_MD_CTX_free(context);
    }
    ERR_clear_error();
}
