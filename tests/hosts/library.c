/* A library whose destructor calls its program back. */
static void (*last)(void);
void late_library(void (**end)(void)) { last = *end; }
__attribute__((destructor)) static void destructor(void) {
    if (last) last();
}
