/* Numbers that are strongroom's own, beside the standard's header (pkcs11.h), which is to be included first.
 *
 * This release defines none: everything it offers has a number in the specification. Numbers that are
 * added later are CKx_VENDOR_DEFINED | 0x53520000 ('SR') and upwards, and never change. */
#ifndef STRONGROOM_H
#define STRONGROOM_H

#define STRONGROOM_VENDOR_BASE 0x53520000UL

#endif
