/* SPDX-License-Identifier: BSD-3-Clause */
/* Parses a received FDT instance. The XML is hostile: no DTD, no entities, no network, bounded. It is read as a stream
 * of elements, because a tree would take forty times its size. */
#include <errno.h>
#include <libxml/parser.h>
#include <stdlib.h>
#include <string.h>

#include "wire/blocks.h"
#include "wire/fdt.h"
#include "wire/fdt_scan.h"
#include "wire/fdt_text.h"
#include "wire/leaves.h"

#define FIRST_FILES 16

/* A number in an attribute. */
struct number {
	enum { ABSENT, GOOD, BAD } state;
	uint64_t value;
};

/* Attributes of a File or, for all files, of the FDT-Instance. A bad number of the FDT-Instance is a fault only
 * of the files that inherit it. */
struct shared {
	struct number fec_id, max_sbl, symbol_len, max_n;
	enum pw_encoding encoding;
};

struct parse {
	xmlParserCtxtPtr xml;
	struct pw_fdt *fdt;
	struct pw_err *err;
	struct shared shared; /* of the FDT-Instance */
	const xmlChar *ns;    /* of the FDT-Instance; each standard has its own */
	size_t capacity;
	unsigned depth;
	int r; /* the first error; the rest of the document is ignored */
};

/* An element's attributes as SAX2 passes them: name, prefix, namespace, value, value's end. */
struct attrs {
	const xmlChar **v;
	int n;
};

static bool find(const struct attrs *a, const char *ns, const char *name, struct pw_fdt_text *value)
{
	int i;

	for (i = 0; i < a->n; i++) {
		const xmlChar **v = a->v + (size_t)i * 5;

		if (!strcmp((const char *)v[0], name) && xmlStrEqual(v[2], BAD_CAST ns)) {
			value->p = (const char *)v[3];
			value->len = (size_t)(v[4] - v[3]);
			return true;
		}
	}
	return false;
}

/* Copies the value without white space around it into text[size]. "" if it is absent or does not fit. */
static void copy(const struct attrs *a, const char *ns, const char *name, char *text, size_t size)
{
	struct pw_fdt_text value = {"", 0};

	if (find(a, ns, name, &value))
		value = pw_fdt_text_trim(value);
	if (value.len >= size)
		value.len = 0;
	memcpy(text, value.p, value.len);
	text[value.len] = '\0';
}

/* Does not change *n if the attribute is absent. */
static void read_number(const struct attrs *a, const char *name, uint64_t max, struct number *n)
{
	struct pw_fdt_text value;

	if (find(a, NULL, name, &value))
		n->state = pw_fdt_text_u64(value, max, &n->value) ? GOOD : BAD;
}

static void read_shared(const struct attrs *a, struct shared *s)
{
	struct pw_fdt_text value;

	read_number(a, "FEC-OTI-FEC-Encoding-ID", UINT8_MAX, &s->fec_id);
	read_number(a, "FEC-OTI-Maximum-Source-Block-Length", UINT32_MAX, &s->max_sbl);
	read_number(a, "FEC-OTI-Encoding-Symbol-Length", UINT16_MAX, &s->symbol_len);
	read_number(a, "FEC-OTI-Max-Number-of-Encoding-Symbols", UINT32_MAX, &s->max_n);
	/* An empty one is ignored. If it replaced the instance's encoding, a packed file could be taken for the
	 * file itself. */
	if (find(a, NULL, "Content-Encoding", &value) && pw_fdt_text_trim(value).len)
		s->encoding = pw_fdt_text_encoding(value);
}

/* Only the first fault is reported. */
static void set_fault(struct pw_fdt_file *f, const char *why)
{
	if (!f->fault)
		f->fault = why;
}

/* The only error is -ENOMEM: a bad location is a fault of the file. */
static int read_location(const struct attrs *a, struct pw_fdt_file *f)
{
	struct pw_fdt_text value;
	char *uri;
	int r;

	if (!find(a, NULL, "Content-Location", &value)) {
		set_fault(f, "the file table has no Content-Location for it");
		return 0;
	}
	value = pw_fdt_text_trim(value);
	uri = strndup(value.p, value.len);
	r = uri ? pw_fdt_location(uri, &f->location) : -ENOMEM;
	free(uri);
	if (r == -EBADMSG)
		set_fault(f, "its Content-Location holds a NUL");
	else if (r == -EFBIG)
		set_fault(f, "its Content-Location is longer than a name may be");
	else if (r == -ENOENT)
		set_fault(f, "its Content-Location leaves no file name");
	return r == -ENOMEM ? r : 0;
}

static void read_toi(const struct attrs *a, struct pw_fdt_file *f)
{
	struct number toi = {0};

	read_number(a, "TOI", UINT64_MAX, &toi);
	f->toi = toi.value;
	if (toi.state == ABSENT)
		set_fault(f, "the file table has no TOI for it");
	else if (toi.state == BAD)
		set_fault(f, "its TOI is not a number of 64 bits");
	else if (toi.value == 0)
		set_fault(f, "its TOI is 0, which is that of the file table");
}

/* pw:Digest if it is present and known, else Content-MD5, else none. */
static void read_digest(const struct attrs *a, struct pw_fdt_file *f)
{
	struct pw_fdt_text value;
	char text[PW_DIGEST_TEXT_MAX];

	if (find(a, NULL, "Content-MD5", &value))
		pw_fdt_text_md5(value, &f->md5);
	copy(a, PW_FDT_NS, "Digest", text, sizeof(text));
	if (pw_digest_parse(text, &f->digest))
		return;
	f->digest = f->md5;
	f->digest_later = f->md5.kind == PW_DIGEST_NONE && strcmp(text, PW_DIGEST_LATER) == 0;
}

/* After the encoding was read: without an encoding, one length implies the other. */
static void read_lengths(const struct attrs *a, struct pw_fdt_file *f)
{
	struct number content = {0}, transfer = {0};

	read_number(a, "Content-Length", PW_MAX_TRANSFER_LEN, &content);
	read_number(a, "Transfer-Length", PW_MAX_TRANSFER_LEN, &transfer);
	if (content.state == BAD)
		set_fault(f, "its Content-Length is not a number below 2^48");
	if (transfer.state == BAD)
		set_fault(f, "its Transfer-Length is not a number below 2^48");
	if (f->encoding == PW_ENCODING_IDENTITY) {
		if (content.state == ABSENT)
			content = transfer;
		if (transfer.state == ABSENT)
			transfer = content;
		if (content.value != transfer.value)
			set_fault(f, "its Content-Length and Transfer-Length differ");
	}
	f->has_content_len = content.state == GOOD;
	f->content_len = content.value;
	f->has_len = transfer.state == GOOD;
	f->transfer_len = transfer.value;
}

static void read_oti(const struct shared *s, struct pw_fdt_file *f)
{
	if (s->fec_id.state == BAD)
		set_fault(f, "its FEC-OTI-FEC-Encoding-ID is not a number below 2^8");
	if (s->max_sbl.state == BAD)
		set_fault(f, "its FEC-OTI-Maximum-Source-Block-Length is not a number below 2^32");
	if (s->symbol_len.state == BAD)
		set_fault(f, "its FEC-OTI-Encoding-Symbol-Length is not a number below 2^16");
	if (s->max_n.state == BAD)
		set_fault(
			f, "its FEC-OTI-Max-Number-of-Encoding-Symbols is not a number below 2^32");
	f->has_oti = s->max_sbl.state == GOOD && s->symbol_len.state == GOOD;
	f->fec_id = (uint32_t)s->fec_id.value;
	f->max_sbl = (uint32_t)s->max_sbl.value;
	f->max_n = (uint32_t)s->max_n.value;
	f->symbol_len = (uint32_t)s->symbol_len.value;
}

/* A file can be received without these, so a value that cannot be read is ignored. */
static void read_pw_attributes(const struct attrs *a, struct pw_fdt_file *f)
{
	struct pw_fdt_text value;

	if (find(a, PW_FDT_NS, "Mode", &value))
		f->has_mode = pw_fdt_text_octal(value, &f->mode);
	f->mode &= 0777;
	if (find(a, PW_FDT_NS, "MTime", &value))
		f->has_mtime = pw_fdt_text_i64(value, &f->mtime_ns);
	if (f->has_len && find(a, PW_FDT_NS, "Leaves", &value))
		f->leaves = pw_leaves_parse(value.p, value.len, f->transfer_len);
}

static int read_file(struct parse *p, const struct attrs *a, struct pw_fdt_file *f)
{
	struct shared shared = p->shared;
	int r = read_location(a, f);

	if (!r && !f->location) {
		f->location = strdup("");
		r = f->location ? 0 : -ENOMEM;
	}
	if (r)
		return pw_err_set(p->err, -r, "cannot read the file table: out of memory");
	read_shared(a, &shared);
	f->encoding = shared.encoding;
	read_toi(a, f);
	read_lengths(a, f);
	read_oti(&shared, f);
	read_digest(a, f);
	read_pw_attributes(a, f);
	p->fdt->n_faults += f->fault != NULL;
	return 0;
}

/* Adds a zeroed file. NULL: p->r has the error. */
static struct pw_fdt_file *add_file(struct parse *p)
{
	struct pw_fdt *fdt = p->fdt;

	if (fdt->n_files == PW_FDT_MAX_FILES) {
		p->r = pw_err_set(p->err, EFBIG,
			"cannot read the file table: more than %u files in one instance",
			PW_FDT_MAX_FILES);
		return NULL;
	}
	if (fdt->n_files == p->capacity) {
		size_t n = p->capacity ? 2 * p->capacity : FIRST_FILES;
		struct pw_fdt_file *files = realloc(fdt->files, n * sizeof(*files));

		if (!files) {
			p->r = pw_err_set(
				p->err, ENOMEM, "cannot read the file table: out of memory");
			return NULL;
		}
		fdt->files = files;
		p->capacity = n;
	}
	memset(&fdt->files[fdt->n_files], 0, sizeof(*fdt->files));
	return &fdt->files[fdt->n_files++];
}

static void read_repair(const struct attrs *a, struct pw_fdt *fdt)
{
	char url[PW_FDT_URL_MAX], ask[8];
	struct pw_fdt_text value;

	copy(a, PW_FDT_NS, "Repair", url, sizeof(url));
	if (*url)
		fdt->repair_url = strdup(url);
	if (find(a, PW_FDT_NS, "Round", &value))
		pw_fdt_text_u64(value, UINT32_MAX, &fdt->round);
	copy(a, PW_FDT_NS, "Ask", ask, sizeof(ask));
	fdt->asks = !strcmp(ask, "true");
}

/* The files can be received without these, so a value that cannot be read is ignored. */
static void read_root(struct parse *p, const struct attrs *a)
{
	struct pw_fdt *fdt = p->fdt;
	struct number expires = {0};
	struct pw_fdt_text value;
	char text[8];

	read_number(a, "Expires", UINT64_MAX, &expires);
	fdt->expires_ntp = expires.value;
	copy(a, NULL, "Complete", text, sizeof(text));
	fdt->complete = !strcmp(text, "true") || !strcmp(text, "1");
	if (find(a, PW_FDT_NS, "Files", &value))
		pw_fdt_text_u64(value, UINT32_MAX, &fdt->n_session_files);
	if (find(a, PW_FDT_NS, "Sequence", &value))
		pw_fdt_text_u64(value, UINT64_MAX, &fdt->sequence);
	read_repair(a, fdt);
	if (find(a, PW_FDT_NS, "Stripe", &value)) {
		value = pw_fdt_text_trim(value);
		pw_stripe_parse(value.p, value.len, &fdt->stripe);
	}
	read_shared(a, &p->shared);
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
		read_root(p, &a);
	} else if (p->depth == 0) {
		p->r = pw_err_set(p->err, EBADMSG,
			"cannot read the file table: the root is not an FDT-Instance");
	} else if (p->depth == 1 && !strcmp((const char *)name, "File") && xmlStrEqual(ns, p->ns)) {
		f = add_file(p);
		if (f)
			p->r = read_file(p, &a, f);
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

/* pw_fdt_scan() refuses a DOCTYPE already. Without one there are no entities to expand. */
static void on_doctype(void *ctx, const xmlChar *name, const xmlChar *id, const xmlChar *uri)
{
	struct parse *p = ctx;

	(void)name, (void)id, (void)uri;
	p->r = pw_err_set(
		p->err, EBADMSG, "cannot read the file table: it declares a document type");
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
		p->r = pw_err_set(p->err, ENOMEM, "cannot read the file table: out of memory");
		return;
	}
	*ctxt->sax = handlers;
	ctxt->userData = p;
	p->xml = ctxt;
	/* UTF-8, as pw_fdt_scan() assumed, and not the encoding of the declaration. NOENT replaces &amp;, which
	 * SAX2 passes half encoded otherwise; no other entity can be declared. */
	xmlFreeDoc(xmlCtxtReadMemory(ctxt, xml, (int)len, NULL, "UTF-8",
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_IGNORE_ENC |
			XML_PARSE_NOENT));
	if (!p->r && !ctxt->wellFormed)
		p->r = pw_err_set(
			p->err, EBADMSG, "cannot read the file table: not well-formed XML");
	xmlFreeParserCtxt(ctxt);
}

int pw_fdt_parse(const void *xml, size_t len, struct pw_fdt *fdt, struct pw_err *err)
{
	struct parse p = {.fdt = fdt, .err = err};

	memset(fdt, 0, sizeof(*fdt));
	if (len > PW_FDT_MAX_BYTES)
		return pw_err_set(err, EFBIG,
			"cannot read the file table: %zu bytes, at most %u are possible", len,
			PW_FDT_MAX_BYTES);
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

	for (i = 0; i < fdt->n_files; i++) {
		free(fdt->files[i].location);
		free(fdt->files[i].leaves);
	}
	free(fdt->files);
	free(fdt->repair_url);
	memset(fdt, 0, sizeof(*fdt));
}
