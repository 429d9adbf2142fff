/* SPDX-License-Identifier: BSD-3-Clause */
/* A received FDT instance is a stranger's XML: no DTD, no entities, no network, bounded. */
#include <errno.h>
#include <libxml/parser.h>
#include <libxml/tree.h>
#include <stdlib.h>
#include <string.h>

#include "base/units.h"
#include "wire/blocks.h"
#include "wire/fdt.h"

/* FEC-OTI attributes stand on a File or, for all files, on the FDT-Instance */
struct oti {
	uint64_t fec_id, max_sbl, symbol_len;
};

static xmlChar *attribute(const xmlNode *node, const char *name)
{
	return xmlGetNoNsProp(node, BAD_CAST name);
}

/* Reads an unsigned attribute; an absent one leaves *out. */
static int number(
	const xmlNode *node, const char *name, uint64_t max, uint64_t *out, struct pw_err *err)
{
	xmlChar *text = attribute(node, name);
	int r = 0;

	if (text)
		r = pw_units_parse_u64(name, (const char *)text, 0, max, out, NULL);
	xmlFree(text);
	if (r)
		return pw_err_set(err, EBADMSG, "read FDT: %s is not a number in its range", name);
	return 0;
}

static int read_oti(const xmlNode *node, struct oti *oti, struct pw_err *err)
{
	int r = number(node, "FEC-OTI-FEC-Encoding-ID", 255, &oti->fec_id, err);

	if (!r)
		r = number(node, "FEC-OTI-Maximum-Source-Block-Length", UINT32_MAX, &oti->max_sbl,
			err);
	if (!r)
		r = number(
			node, "FEC-OTI-Encoding-Symbol-Length", UINT16_MAX, &oti->symbol_len, err);
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

static int read_location(const xmlNode *node, struct pw_fdt_file *f, struct pw_err *err)
{
	static const char scheme[] = "file:///";
	xmlChar *text = attribute(node, "Content-Location");
	const char *s = (const char *)text;

	if (!s || *s == '\0') {
		xmlFree(text);
		return pw_err_set(err, EBADMSG, "read FDT: a File without Content-Location");
	}
	if (!strncmp(s, scheme, sizeof(scheme) - 1))
		s += sizeof(scheme) - 1;
	f->location = strdup(s);
	xmlFree(text);
	if (!f->location)
		return pw_err_set(err, ENOMEM, "read FDT: out of memory");
	if (!decode(f->location))
		return pw_err_set(err, EBADMSG, "read FDT: a Content-Location holds a NUL");
	if (strlen(f->location) > PW_NAME_MAX)
		return pw_err_set(err, EFBIG, "read FDT: a Content-Location of more than %u bytes",
			PW_NAME_MAX);
	return 0;
}

static bool base64_md5(const char *s, struct pw_digest *d)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	uint32_t v = 0;
	size_t i, n = 0;

	if (strlen(s) != 24 || strcmp(s + 22, "=="))
		return false;
	for (i = 0; i < 22; i++) {
		const char *p = strchr(digits, s[i]);

		if (!p)
			return false;
		v = v << 6 | (uint32_t)(p - digits);
		if (i % 4 && n < 16)
			d->bytes[n++] = (uint8_t)(v >> (6 - 2 * (i % 4)));
	}
	d->kind = PW_DIGEST_MD5;
	return true;
}

/* Our own digest if it is there and we know it, else Content-MD5, else none. */
static void read_digest(const xmlNode *node, struct pw_fdt_file *f)
{
	xmlChar *own = xmlGetNsProp(node, BAD_CAST "Digest", BAD_CAST PW_FDT_NS);
	xmlChar *md5 = attribute(node, "Content-MD5");

	if (md5)
		base64_md5((const char *)md5, &f->md5);
	if (!own || !pw_digest_parse((const char *)own, &f->digest))
		f->digest = f->md5;
	xmlFree(own);
	xmlFree(md5);
}

static int read_file(
	const xmlNode *node, const struct oti *inherited, struct pw_fdt_file *f, struct pw_err *err)
{
	struct oti oti = *inherited;
	xmlChar *encoding;
	uint64_t missing = UINT64_MAX;
	int r = read_location(node, f, err);

	f->toi = 0;
	f->content_len = f->transfer_len = missing;
	if (!r)
		r = number(node, "TOI", UINT64_MAX, &f->toi, err);
	if (!r)
		r = number(node, "Content-Length", PW_MAX_TRANSFER_LEN, &f->content_len, err);
	if (!r)
		r = number(node, "Transfer-Length", PW_MAX_TRANSFER_LEN, &f->transfer_len, err);
	if (!r)
		r = read_oti(node, &oti, err);
	if (r)
		return r;
	if (f->toi == 0)
		return pw_err_set(err, EBADMSG, "read FDT: a File without a TOI");
	if (f->transfer_len == missing)
		f->transfer_len = f->content_len;
	if (f->content_len == missing)
		f->content_len = f->transfer_len;
	if (f->transfer_len == missing)
		return pw_err_set(err, EBADMSG, "read FDT: a File without a length");
	f->fec_id = (uint32_t)oti.fec_id;
	f->max_sbl = (uint32_t)oti.max_sbl;
	f->symbol_len = (uint32_t)oti.symbol_len;
	read_digest(node, f);
	encoding = attribute(node, "Content-Encoding");
	f->encoded = encoding && *encoding;
	xmlFree(encoding);
	return 0;
}

static bool is_element(const xmlNode *node, const char *name)
{
	return node->type == XML_ELEMENT_NODE && !strcmp((const char *)node->name, name);
}

static int read_files(
	const xmlNode *root, const struct oti *oti, struct pw_fdt *fdt, struct pw_err *err)
{
	const xmlNode *node;
	size_t n = 0;
	int r = 0;

	for (node = root->children; node; node = node->next)
		n += is_element(node, "File");
	if (n > PW_FDT_MAX_FILES)
		return pw_err_set(err, EFBIG,
			"read FDT: %zu files in one instance, %u are the limit", n,
			PW_FDT_MAX_FILES);
	fdt->files = calloc(n ? n : 1, sizeof(*fdt->files));
	if (!fdt->files)
		return pw_err_set(err, ENOMEM, "read FDT: out of memory");
	for (node = root->children; node && r == 0; node = node->next)
		if (is_element(node, "File"))
			r = read_file(node, oti, &fdt->files[fdt->n_files++], err);
	return r;
}

static int read_root(const xmlNode *root, struct pw_fdt *fdt, struct pw_err *err)
{
	struct oti oti = {0};
	xmlChar *text;
	int r;

	if (!root || !is_element(root, "FDT-Instance"))
		return pw_err_set(err, EBADMSG, "read FDT: the root is not an FDT-Instance");
	r = number(root, "Expires", UINT64_MAX, &fdt->expires_ntp, err);
	if (!r)
		r = read_oti(root, &oti, err);
	if (r)
		return r;
	text = attribute(root, "Complete");
	fdt->complete = text && (!strcmp((char *)text, "true") || !strcmp((char *)text, "1"));
	xmlFree(text);
	text = xmlGetNsProp(root, BAD_CAST "Files", BAD_CAST PW_FDT_NS);
	if (text && pw_units_parse_u64(
			    "Files", (char *)text, 0, UINT32_MAX, &fdt->n_session_files, NULL))
		fdt->n_session_files = 0;
	xmlFree(text);
	return read_files(root, &oti, fdt, err);
}

/* An FDT has no DOCTYPE. Refusing it before libxml2 sees it leaves no entity to expand. */
static bool has_doctype(const char *xml, size_t len)
{
	return memmem(xml, len, "<!DOCTYPE", 9) || memmem(xml, len, "<!ENTITY", 8);
}

int pw_fdt_parse(const void *xml, size_t len, struct pw_fdt *fdt, struct pw_err *err)
{
	xmlDocPtr doc;
	int r;

	memset(fdt, 0, sizeof(*fdt));
	if (len > PW_FDT_MAX_BYTES)
		return pw_err_set(
			err, EFBIG, "read FDT: %zu bytes, %u are the limit", len, PW_FDT_MAX_BYTES);
	if (has_doctype(xml, len))
		return pw_err_set(
			err, EBADMSG, "read FDT: it declares a document type or entities");
	doc = xmlReadMemory(xml, (int)len, NULL, NULL,
		XML_PARSE_NONET | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NOCDATA);
	if (!doc)
		return pw_err_set(err, EBADMSG, "read FDT: not well-formed XML");
	if (doc->intSubset ||
		doc->extSubset) /* another encoding can hide a DOCTYPE from us above */
		r = pw_err_set(err, EBADMSG, "read FDT: it declares a document type");
	else
		r = read_root(xmlDocGetRootElement(doc), fdt, err);
	xmlFreeDoc(doc);
	if (r)
		pw_fdt_finish(fdt);
	return r;
}

void pw_fdt_finish(struct pw_fdt *fdt)
{
	size_t i;

	for (i = 0; i < fdt->n_files; i++)
		free(fdt->files[i].location);
	free(fdt->files);
	memset(fdt, 0, sizeof(*fdt));
}
