/* Numbers that are strongroom's own, beside the standard's header (pkcs11.h), which is to be included first.
 *
 * They are CKx_VENDOR_DEFINED | 0x53520000 ('SR') and upwards, and never change. */
#ifndef STRONGROOM_H
#define STRONGROOM_H

#define STRONGROOM_VENDOR_BASE 0x53520000UL

/* CK_ULONG. The state of a key (NIST SP 800-57, part 1, section 7). Every key has it; it is CKS_SR_ENABLED when the key is made, and
 * can be set by C_SetAttributeValue, also where CKA_MODIFIABLE is false: enabled to disabled and back, and each of them to
 * compromised, from which there is no way back. What a state does not allow is CKR_KEY_FUNCTION_NOT_PERMITTED at the Init call. */
#define CKA_SR_KEY_STATE (CKA_VENDOR_DEFINED | STRONGROOM_VENDOR_BASE | 0x0001UL)
#define CKS_SR_ENABLED 1UL          /* what it was made for */
#define CKS_SR_DISABLED 2UL         /* nothing */
#define CKS_SR_COMPROMISED 3UL      /* decrypts, verifies and unwraps only; private keys agree */
#define CKS_SR_PENDING_DELETION 4UL /* nothing; not found. Set by the token */
#define CKS_SR_RETIRED 5UL          /* as compromised; found by this or by its version only. Set by the token */

/* CK_ULONG. When a key that was destroyed is gone for good, in seconds since 1970. Only such keys have it. Read-only. */
#define CKA_SR_DELETE_AT (CKA_VENDOR_DEFINED | STRONGROOM_VENDOR_BASE | 0x0002UL)

/* CK_ULONG. The version of a key that was rotated, from 1. Read-only. */
#define CKA_SR_KEY_VERSION (CKA_VENDOR_DEFINED | STRONGROOM_VENDOR_BASE | 0x0003UL)

/* CK_ULONG. Every how many seconds a secret or private key is to be rotated. A key has it once it was set by C_SetAttributeValue, which begins
 * the period; 0 ends it. The token rotates nothing by itself: who does, finds the keys by the next. A new version has it from the old one. */
#define CKA_SR_ROTATE_EVERY (CKA_VENDOR_DEFINED | STRONGROOM_VENDOR_BASE | 0x0004UL)

/* CK_ULONG. When such a key is to be rotated next, in seconds since 1970. Read-only. */
#define CKA_SR_ROTATE_AT (CKA_VENDOR_DEFINED | STRONGROOM_VENDOR_BASE | 0x0005UL)

/* CK_ULONG. Until when a key unwraps, in seconds since 1970: given when it is made, and never changed. Such a key unwraps one key: it is
 * destroyed by that, for good, whatever the token's deletion window is. Afterwards, or when the time is over, nothing is unwrapped
 * (CKR_KEY_FUNCTION_NOT_PERMITTED). */
#define CKA_SR_IMPORT_UNTIL (CKA_VENDOR_DEFINED | STRONGROOM_VENDOR_BASE | 0x0006UL)

/* CK_ULONG. The least version of a key that does anything: a version below it is as disabled, whatever its state. Set on each version by
 * C_SetAttributeValue, also where CKA_MODIFIABLE is false; 1 or less bars none. A key that is enabled or disabled is not barred:
 * CKR_ATTRIBUTE_VALUE_INVALID. A new version has it from the old one. */
#define CKA_SR_MIN_VERSION (CKA_VENDOR_DEFINED | STRONGROOM_VENDOR_BASE | 0x0007UL)

/* Mechanism of C_Encrypt, C_Decrypt, C_WrapKey and C_UnwrapKey with an AES key, in one part. What comes out is a blob that says by
 * which key and how it was sealed, as `strongroom datakey generate` puts it out (docs/format-blob.md): AES-GCM with a nonce that
 * the token makes. The parameter is the encryption context: any bytes, 65,536 at most, or none. What `--context` gives is the form in
 * docs/format-blob.md. At most 65,507 bytes are sealed: CKR_DATA_LEN_RANGE, CKR_KEY_SIZE_RANGE; and by a
 * key whose CKA_ID has 255 bytes at most: CKR_KEY_SIZE_RANGE at the Init call, CKR_WRAPPING_KEY_SIZE_RANGE. A blob that was made by an older
 * version of the key is opened by naming the newest one. One that is none, or was changed, or has another context:
 * CKR_ENCRYPTED_DATA_INVALID, CKR_WRAPPED_KEY_INVALID. */
#define CKM_SR_ENVELOPE (CKM_VENDOR_DEFINED | STRONGROOM_VENDOR_BASE | 0x0001UL)

#endif
