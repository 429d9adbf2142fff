/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * A look over a received FDT before libxml2 gets it. Inside lib/wire only.
 *
 * A few megabytes of well-formed XML can hold libxml2 for minutes: it compares each attribute of a
 * tag with all the others, and its name table slows down with each new name. An FDT needs neither
 * many attributes nor many names, and no DOCTYPE at all, so whoever sends those is refused here.
 */
#ifndef PW_WIRE_FDT_SCAN_H
#define PW_WIRE_FDT_SCAN_H

#include <stddef.h>

#include "base/err.h"

#define PW_FDT_MAX_DEPTH 16  /* FDT-Instance, File, and what others put into a File */
#define PW_FDT_MAX_ATTRS 64  /* on one element; the schema has 13 */
#define PW_FDT_MAX_NAMES 256 /* different names of elements and attributes in one instance */
#define PW_FDT_MAX_NAME  256 /* bytes of one of them */
/* Bytes of comments, processing instructions and CDATA sections that hold a '<', in one instance. At
 * an error in one of them libxml2 goes on with the next '<', which we have not looked at. This many
 * bytes keep it busy for less than a second, whatever they are. */
#define PW_FDT_MAX_HIDDEN (64u << 10)

/* -EBADMSG: a DOCTYPE, another encoding than UTF-8, or no XML; -EFBIG: beyond the limits above. 0
 * is no promise that the XML is well-formed. */
int pw_fdt_scan(const char *xml, size_t len, struct pw_err *err);

#endif
