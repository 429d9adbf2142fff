/* SPDX-License-Identifier: BSD-3-Clause */
/* Writes a file table as XML. */
#include <errno.h>
#include <inttypes.h>
#include <libxml/xmlwriter.h>
#include <stdlib.h>
#include <string.h>

#include "wire/fdt.h"
#include "wire/fdt_text.h"
#include "wire/leaves.h"

/* The namespace that all receivers accept. RFC 6726 registers urn:ietf:params:xml:ns:fdt, which some refuse. */
#define FDT_XMLNS       "urn:IETF:metadata:2005:FLUTE:FDT"
#define NTP_UNIX_OFFSET 2208988800ull /* 1900 to 1970, in seconds */

uint64_t pw_fdt_ntp(uint64_t unix_s)
{
	return unix_s + NTP_UNIX_OFFSET;
}

/* A Content-Location is a URI reference: characters that a path cannot contain are percent-encoded. So are ':',
 * because a first segment with a colon would be a scheme, and a segment ".", which readers remove. */
static void encode_location(const char *name, char *out)
{
	const char *start = name;
	static const char hex[] = "0123456789ABCDEF";
	static const char safe[] = "-._~!$&'()*+,;=@/";

	for (; *name; name++) {
		unsigned char c = (unsigned char)*name;
		bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
			     (c >= '0' && c <= '9') || strchr(safe, c);
		bool dot = c == '.' && (name == start || name[-1] == '/') &&
			   (name[1] == '/' || name[1] == '\0');

		if (plain && !dot) {
			*out++ = (char)c;
			continue;
		}
		*out++ = '%';
		*out++ = hex[c >> 4];
		*out++ = hex[c & 15];
	}
	*out = '\0';
}

/* libxml2's writer returns a negative number on failure; *bad collects the failures. */
static void attribute(xmlTextWriterPtr w, int *bad, const char *name, const char *value)
{
	*bad |= xmlTextWriterWriteAttribute(w, BAD_CAST name, BAD_CAST value) < 0;
}

static void number(xmlTextWriterPtr w, int *bad, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	attribute(w, bad, name, text);
}

static void write_leaves(xmlTextWriterPtr w, int *bad, const struct pw_fdt_file *f)
{
	char *text = pw_leaves_format(f->leaves, f->transfer_len);

	*bad |= !text;
	if (text)
		attribute(w, bad, "pw:Leaves", text);
	free(text);
}

static void write_stripe(xmlTextWriterPtr w, int *bad, const struct pw_stripe *s)
{
	char text[24];

	if (!pw_stripe_is_shared(s))
		return;
	snprintf(text, sizeof(text), "%" PRIu32 "/%" PRIu32, s->index, s->count);
	attribute(w, bad, "pw:Stripe", text);
}

static void write_pw_attributes(xmlTextWriterPtr w, int *bad, const struct pw_fdt_file *f)
{
	char text[PW_DIGEST_TEXT_MAX];

	if (f->digest.kind != PW_DIGEST_NONE)
		attribute(w, bad, "pw:Digest", pw_digest_format(text, sizeof(text), &f->digest));
	else if (f->digest_later)
		attribute(w, bad, "pw:Digest", PW_DIGEST_LATER);
	if (f->leaves)
		write_leaves(w, bad, f);
	if (f->has_mode) {
		snprintf(text, sizeof(text), "%04" PRIo32, f->mode & 0777);
		attribute(w, bad, "pw:Mode", text);
	}
	if (f->has_mtime) {
		snprintf(text, sizeof(text), "%" PRId64, f->mtime_ns);
		attribute(w, bad, "pw:MTime", text);
	}
}

static void write_file(xmlTextWriterPtr w, int *bad, const struct pw_fdt_file *f, char *scratch)
{
	const char *encoding = pw_fdt_encoding_name(f->encoding);
	char md5[PW_FDT_MD5_TEXT];

	*bad |= xmlTextWriterStartElement(w, BAD_CAST "File") < 0;
	encode_location(f->location, scratch);
	attribute(w, bad, "Content-Location", scratch);
	number(w, bad, "TOI", f->toi);
	number(w, bad, "Content-Length", f->content_len);
	number(w, bad, "Transfer-Length", f->transfer_len);
	if (encoding)
		attribute(w, bad, "Content-Encoding", encoding);
	number(w, bad, "FEC-OTI-FEC-Encoding-ID", f->fec_id);
	number(w, bad, "FEC-OTI-Maximum-Source-Block-Length", f->max_sbl);
	number(w, bad, "FEC-OTI-Encoding-Symbol-Length", f->symbol_len);
	if (f->max_n)
		number(w, bad, "FEC-OTI-Max-Number-of-Encoding-Symbols", f->max_n);
	if (f->md5.kind == PW_DIGEST_MD5)
		attribute(w, bad, "Content-MD5", pw_fdt_format_md5(md5, &f->md5));
	write_pw_attributes(w, bad, f);
	*bad |= xmlTextWriterEndElement(w) < 0;
}

static int write_instance(xmlTextWriterPtr w, const struct pw_fdt *fdt, char *scratch)
{
	int bad = 0;
	size_t i;

	bad |= xmlTextWriterStartDocument(w, "1.0", "UTF-8", NULL) < 0;
	bad |= xmlTextWriterStartElement(w, BAD_CAST "FDT-Instance") < 0;
	attribute(w, &bad, "xmlns", FDT_XMLNS);
	attribute(w, &bad, "xmlns:pw", PW_FDT_NS);
	number(w, &bad, "Expires", fdt->expires_ntp);
	if (fdt->complete)
		attribute(w, &bad, "Complete", "true");
	if (fdt->n_session_files)
		number(w, &bad, "pw:Files", fdt->n_session_files);
	if (fdt->sequence)
		number(w, &bad, "pw:Sequence", fdt->sequence);
	if (fdt->repair_url)
		attribute(w, &bad, "pw:Repair", fdt->repair_url);
	if (fdt->round)
		number(w, &bad, "pw:Round", fdt->round);
	if (fdt->asks)
		attribute(w, &bad, "pw:Ask", "true");
	write_stripe(w, &bad, &fdt->stripe);
	for (i = 0; i < fdt->n_files; i++)
		write_file(w, &bad, &fdt->files[i], scratch);
	bad |= xmlTextWriterEndDocument(w) < 0;
	return bad;
}

static int check_names(const struct pw_fdt *fdt, struct pw_err *err)
{
	size_t i, len;

	for (i = 0; i < fdt->n_files; i++) {
		len = strlen(fdt->files[i].location);
		if (len == 0 || len > PW_NAME_MAX)
			return pw_err_set(err, ENAMETOOLONG,
				"cannot build the file table: the name '%.60s' has %zu bytes, 1 to "
				"%u are possible; send the file under another name",
				fdt->files[i].location, len, PW_NAME_MAX);
	}
	return 0;
}

int pw_fdt_build(const struct pw_fdt *fdt, char **xml, size_t *len, struct pw_err *err)
{
	xmlTextWriterPtr w = NULL;
	xmlBufferPtr buf;
	char *scratch;
	int bad, r;

	*xml = NULL;
	*len = 0;
	r = check_names(fdt, err);
	if (r)
		return r;
	buf = xmlBufferCreate();
	scratch = malloc(3 * PW_NAME_MAX + 1);
	if (buf)
		w = xmlNewTextWriterMemory(buf, 0);
	bad = !w || !scratch || write_instance(w, fdt, scratch);
	xmlFreeTextWriter(w); /* flushes into buf */
	if (!bad)
		*xml = strndup((const char *)xmlBufferContent(buf), (size_t)xmlBufferLength(buf));
	if (*xml)
		*len = strlen(*xml);
	xmlBufferFree(buf);
	free(scratch);
	return *xml ? 0 : pw_err_set(err, ENOMEM, "cannot build the file table: out of memory");
}

int pw_fdt_renew(char *xml, size_t len, uint64_t expires_ntp)
{
	static const char name[] = " Expires=\"";
	char digits[24];
	const size_t n = (size_t)snprintf(digits, sizeof(digits), "%" PRIu64 "\"", expires_ntp);
	char *at = memmem(xml, len, name, strlen(name)), *end;

	if (!at)
		return -EINVAL;
	at += strlen(name);
	end = memchr(at, '"', len - (size_t)(at - xml));
	if (!end || (size_t)(end - at) + 1 != n)
		return -EINVAL;
	memcpy(at, digits, n);
	return 0;
}
