/* SPDX-License-Identifier: BSD-3-Clause */
/* A received FDT instance is a stranger's XML: no DTD, no entities, no network, bounded. It is read
 * as a stream of elements: a tree of it would take forty times its size. */
#include <errno.h>
#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/units.h"
#include "wire/blocks.h"
#include "wire/fdt.h"
#include "wire/fdt_scan.h"

#define FIRST_FILES 16

/* FEC-OTI attributes stand on a File or, for all files, on the FDT-Instance */
struct oti {
	uint64_t fec_id, max_sbl, symbol_len;
};

struct parse {
	xmlParserCtxtPtr xml;
	struct pw_fdt *fdt;
	struct pw_err *err;
	struct oti oti;    /* of the FDT-Instance */
	const xmlChar *ns; /* of the FDT-Instance: there are several, one a standard */
	size_t capacity;
	unsigned depth;
	int r; /* the first error; what comes after it is not looked at */
};

/* An element's attributes as SAX2 gives them: name, prefix, namespace, value, value's end. */
struct attrs {
	const xmlChar **v;
	int n;
};

/* An attribute's value, not terminated; NULL when it is absent. */
static const char *find(const struct attrs *a, const char *ns, const char *name, size_t *len)
{
	int i;

	for (i = 0; i < a->n; i++) {
		const xmlChar **v = a->v + (size_t)i * 5;

		if (!strcmp((const char *)v[0], name) && xmlStrEqual(v[2], BAD_CAST ns)) {
			*len = (size_t)(v[4] - v[3]);
			return (const char *)v[3];
		}
	}
	return NULL;
}

/* The same, copied into text[size]. One that does not fit reads as empty. */
static bool copy(const struct attrs *a, const char *ns, const char *name, char *text, size_t size)
{
	size_t len;
	const char *value = find(a, ns, name, &len);

	if (!value)
		return false;
	if (len >= size)
		len = 0;
	memcpy(text, value, len);
	text[len] = '\0';
	return true;
}

/* Reads an unsigned attribute; an absent one leaves *out. */
static int number(
	const struct attrs *a, const char *name, uint64_t max, uint64_t *out, struct pw_err *err)
{
	char text[24];

	if (copy(a, NULL, name, text, sizeof(text)) &&
		pw_units_parse_u64(name, text, 0, max, out, NULL))
		return pw_err_set(err, EBADMSG, "read FDT: %s is not a number in its range", name);
	return 0;
}

static int read_oti(const struct attrs *a, struct oti *oti, struct pw_err *err)
{
	int r = number(a, "FEC-OTI-FEC-Encoding-ID", 255, &oti->fec_id, err);

	if (!r)
		r = number(
			a, "FEC-OTI-Maximum-Source-Block-Length", UINT32_MAX, &oti->max_sbl, err);
	if (!r)
		r = number(a, "FEC-OTI-Encoding-Symbol-Length", UINT16_MAX, &oti->symbol_len, err);
	return r;
}

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Undoes percent-encoding, in place; false for an encoded NUL. A '%' that starts no pair stands for
 * itself. */
static bool decode(char *s)
{
	char *out = s;

	for (; *s; s++) {
		int high = *s == '%' ? hex(s[1]) : -1;
		int low = high >= 0 ? hex(s[2]) : -1;

		if (low < 0) {
			*out++ = *s;
			continue;
		}
		if (high == 0 && low == 0)
			return false;
		*out++ = (char)(high << 4 | low);
		s += 2;
	}
	*out = '\0';
	return true;
}

static int read_location(const struct attrs *a, struct pw_fdt_file *f, struct pw_err *err)
{
	static const char scheme[] = "file:///";
	size_t len = 0;
	const char *s = find(a, NULL, "Content-Location", &len);

	if (s && len >= sizeof(scheme) - 1 && !memcmp(s, scheme, sizeof(scheme) - 1)) {
		s += sizeof(scheme) - 1;
		len -= sizeof(scheme) - 1;
	}
	if (!s || len == 0)
		return pw_err_set(err, EBADMSG, "read FDT: a File without Content-Location");
	if (len <= 3 * PW_NAME_MAX) {
		f->location = strndup(s, len);
		if (!f->location)
			return pw_err_set(err, ENOMEM, "read FDT: out of memory");
		if (!decode(f->location))
			return pw_err_set(err, EBADMSG, "read FDT: a Content-Location holds a NUL");
	}
	if (!f->location || strlen(f->location) > PW_NAME_MAX)
		return pw_err_set(err, EFBIG, "read FDT: a Content-Location of more than %u bytes",
			PW_NAME_MAX);
	return 0;
}

/* 24 base64 digits; anything else leaves *d. */
static void read_md5(const char *s, struct pw_digest *d)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct pw_digest md5 = {.kind = PW_DIGEST_MD5};
	uint32_t v = 0;
	size_t i, n = 0;

	if (strlen(s) != 24 || strcmp(s + 22, "==") != 0)
		return;
	for (i = 0; i < 22; i++) {
		const char *p = strchr(digits, s[i]);

		if (!p)
			return;
		v = v << 6 | (uint32_t)(p - digits);
		if (i % 4)
			md5.bytes[n++] = (uint8_t)(v >> (6 - 2 * (i % 4)));
	}
	*d = md5;
}

/* Our own digest if it is there and we know it, else Content-MD5, else none. */
static void read_digest(const struct attrs *a, struct pw_fdt_file *f)
{
	char text[96] = "";

	if (copy(a, NULL, "Content-MD5", text, sizeof(text)))
		read_md5(text, &f->md5);
	if (copy(a, PW_FDT_NS, "Digest", text, sizeof(text)) && pw_digest_parse(text, &f->digest))
		return;
	f->digest = f->md5;
	f->digest_later = f->md5.kind == PW_DIGEST_NONE && strcmp(text, PW_DIGEST_LATER) == 0;
}

static int read_lengths(const struct attrs *a, struct pw_fdt_file *f, struct pw_err *err)
{
	const uint64_t missing = UINT64_MAX;
	int r;

	f->content_len = f->transfer_len = missing;
	r = number(a, "Content-Length", PW_MAX_TRANSFER_LEN, &f->content_len, err);
	if (!r)
		r = number(a, "Transfer-Length", PW_MAX_TRANSFER_LEN, &f->transfer_len, err);
	if (r)
		return r;
	if (f->transfer_len == missing)
		f->transfer_len = f->content_len;
	if (f->content_len == missing)
		f->content_len = f->transfer_len;
	if (f->transfer_len == missing)
		return pw_err_set(err, EBADMSG, "read FDT: a File without a length");
	return 0;
}

static int read_file(const struct attrs *a, const struct oti *inherited, struct pw_fdt_file *f,
	struct pw_err *err)
{
	struct oti oti = *inherited;
	size_t len = 0;
	int r = read_location(a, f, err);

	if (!r)
		r = number(a, "TOI", UINT64_MAX, &f->toi, err);
	if (!r && f->toi == 0)
		r = pw_err_set(err, EBADMSG, "read FDT: a File without a TOI");
	if (!r)
		r = read_lengths(a, f, err);
	if (!r)
		r = read_oti(a, &oti, err);
	if (r)
		return r;
	f->fec_id = (uint32_t)oti.fec_id;
	f->max_sbl = (uint32_t)oti.max_sbl;
	f->symbol_len = (uint32_t)oti.symbol_len;
	read_digest(a, f);
	f->encoded = find(a, NULL, "Content-Encoding", &len) && len;
	return 0;
}

/* A zeroed place for one more file; NULL after filling p->r. */
static struct pw_fdt_file *add_file(struct parse *p)
{
	struct pw_fdt *fdt = p->fdt;

	if (fdt->n_files == PW_FDT_MAX_FILES) {
		p->r = pw_err_set(p->err, EFBIG,
			"read FDT: files in one instance: %u are the limit", PW_FDT_MAX_FILES);
		return NULL;
	}
	if (fdt->n_files == p->capacity) {
		size_t n = p->capacity ? 2 * p->capacity : FIRST_FILES;
		struct pw_fdt_file *files = realloc(fdt->files, n * sizeof(*files));

		if (!files) {
			p->r = pw_err_set(p->err, ENOMEM, "read FDT: out of memory");
			return NULL;
		}
		fdt->files = files;
		p->capacity = n;
	}
	memset(&fdt->files[fdt->n_files], 0, sizeof(*fdt->files));
	return &fdt->files[fdt->n_files++];
}

static int read_root(struct parse *p, const struct attrs *a)
{
	struct pw_fdt *fdt = p->fdt;
	char text[24];
	int r = number(a, "Expires", UINT64_MAX, &fdt->expires_ntp, p->err);

	if (!r)
		r = read_oti(a, &p->oti, p->err);
	if (r)
		return r;
	if (copy(a, NULL, "Complete", text, sizeof(text)))
		fdt->complete = !strcmp(text, "true") || !strcmp(text, "1");
	if (copy(a, PW_FDT_NS, "Files", text, sizeof(text)) &&
		pw_units_parse_u64("Files", text, 0, UINT32_MAX, &fdt->n_session_files, NULL))
		fdt->n_session_files = 0;
	return 0;
}

static void on_start(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *ns,
	int n_ns, const xmlChar **nss, int n_attrs, int n_default, const xmlChar **attrs)
{
	struct attrs a = {attrs, n_attrs};
	struct parse *p = ctx;
	struct pw_fdt_file *f;

	(void)prefix, (void)n_ns, (void)nss, (void)n_default;
	if (p->r)
		return;
	if (p->depth == 0 && !strcmp((const char *)name, "FDT-Instance")) {
		p->ns = ns;
		p->r = read_root(p, &a);
	} else if (p->depth == 0) {
		p->r = pw_err_set(p->err, EBADMSG, "read FDT: the root is not an FDT-Instance");
	} else if (p->depth == 1 && !strcmp((const char *)name, "File") && xmlStrEqual(ns, p->ns)) {
		f = add_file(p);
		if (f)
			p->r = read_file(&a, &p->oti, f, p->err);
	}
	p->depth++;
	if (p->r)
		xmlStopParser(p->xml);
}

static void on_end(void *ctx, const xmlChar *name, const xmlChar *prefix, const xmlChar *ns)
{
	struct parse *p = ctx;

	(void)name, (void)prefix, (void)ns;
	p->depth--;
}

/* pw_fdt_scan() lets none through; without one there is no entity to expand. */
static void on_doctype(void *ctx, const xmlChar *name, const xmlChar *id, const xmlChar *uri)
{
	struct parse *p = ctx;

	(void)name, (void)id, (void)uri;
	p->r = pw_err_set(p->err, EBADMSG, "read FDT: it declares a document type");
	xmlStopParser(p->xml);
}

static void parse_xml(struct parse *p, const char *xml, size_t len)
{
	static const xmlSAXHandler handlers = {
		.initialized = XML_SAX2_MAGIC,
		.startElementNs = on_start,
		.endElementNs = on_end,
		.internalSubset = on_doctype,
	};
	xmlParserCtxtPtr ctxt = xmlNewParserCtxt();

	if (!ctxt) {
		p->r = pw_err_set(p->err, ENOMEM, "read FDT: out of memory");
		return;
	}
	*ctxt->sax = handlers;
	ctxt->userData = p;
	p->xml = ctxt;
	/* The encoding that pw_fdt_scan() took it for, whatever the declaration says. NOENT is for
	 * &amp;, which SAX2 leaves half encoded without it; other entities cannot be declared. */
	xmlFreeDoc(xmlCtxtReadMemory(ctxt, xml, (int)len, NULL, "UTF-8",
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_IGNORE_ENC |
			XML_PARSE_NOENT));
	if (!p->r && !ctxt->wellFormed)
		p->r = pw_err_set(p->err, EBADMSG, "read FDT: not well-formed XML");
	xmlFreeParserCtxt(ctxt);
}

int pw_fdt_parse(const void *xml, size_t len, struct pw_fdt *fdt, struct pw_err *err)
{
	struct parse p = {.fdt = fdt, .err = err};

	memset(fdt, 0, sizeof(*fdt));
	if (len > PW_FDT_MAX_BYTES)
		return pw_err_set(
			err, EFBIG, "read FDT: %zu bytes, %u are the limit", len, PW_FDT_MAX_BYTES);
	p.r = pw_fdt_scan(xml, len, err);
	if (p.r)
		return p.r;
	parse_xml(&p, xml, len);
	if (p.r)
		pw_fdt_finish(fdt);
	return p.r;
}

void pw_fdt_finish(struct pw_fdt *fdt)
{
	size_t i;

	for (i = 0; i < fdt->n_files; i++)
		free(fdt->files[i].location);
	free(fdt->files);
	memset(fdt, 0, sizeof(*fdt));
}
