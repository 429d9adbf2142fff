/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Checks a received FDT before libxml2 parses it. Only for lib/wire.
 *
 * A few megabytes of well-formed XML can hold libxml2 for minutes: it compares each attribute of a
 * tag with all the others, and its name table slows down with each new name. An FDT needs neither
 * many attributes nor many names, and no DOCTYPE at all, so a document with those is refused here.
 */
#ifndef PW_WIRE_FDT_SCAN_H
#define PW_WIRE_FDT_SCAN_H

#include <stddef.h>

#include "base/err.h"

#define PW_FDT_MAX_DEPTH 16  /* FDT-Instance, File, and elements of other standards in a File */
#define PW_FDT_MAX_ATTRS 64  /* on one element; the schema has 13 */
#define PW_FDT_MAX_NAMES 256 /* different names of elements and attributes in one instance */
#define PW_FDT_MAX_NAME  256 /* bytes of one of them */
/* Bytes of comments, processing instructions and CDATA sections that hold a '<', in one instance. After an error in one of them libxml2 continues at the next
 * '<', which was not checked here. It spends less than a second on this many bytes of any content. */
#define PW_FDT_MAX_HIDDEN (64u << 10)

/* -EBADMSG: a DOCTYPE, another encoding than UTF-8, or no XML; -EFBIG: beyond the limits above. 0
 * does not mean that the XML is well-formed. */
int pw_fdt_scan(const char *xml, size_t len, struct pw_err *err);

#endif
