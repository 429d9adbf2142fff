/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * How a sender compressed a file (Content-Encoding, RFC 6726 section 3.4.2) or an FDT instance
 * (EXT_CENC, section 3.4.3). A zeroed struct: it is not compressed.
 */
#ifndef PW_WIRE_ENCODING_H
#define PW_WIRE_ENCODING_H

enum pw_encoding {
	PW_ENCODING_IDENTITY,
	PW_ENCODING_ZLIB,    /* RFC 1950 */
	PW_ENCODING_DEFLATE, /* RFC 1951; HTTP's "deflate" is RFC 1950, so readers try both */
	PW_ENCODING_GZIP,    /* RFC 1952 */
	PW_ENCODING_OTHER,   /* not supported */
};

#endif
