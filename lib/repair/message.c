/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/message.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define ZLIB_CONST /* next_in points to const */
#include <zlib.h>

#include "base/bytes.h"
#include "wire/fdt.h"

#define SCHEME    "http://"
#define BITS_GZIP (15 + 16) /* zlib's windowBits */
#define MEM_LEVEL 8         /* zlib's default */

_Static_assert(
	PW_REPAIR_TEXT_MAX == PW_FDT_MAX_BYTES, "pw_fdt_decode() unpacks up to its own bound");

const char *pw_repair_kind_name(enum pw_repair_kind kind)
{
	static const char *const names[PW_REPAIR_N_KINDS] = {
		[PW_REPAIR_REPORT] = "report",
		[PW_REPAIR_GAPS] = "gaps",
		[PW_REPAIR_COMPLETE] = "complete",
		[PW_REPAIR_LEAVE] = "leave",
	};

	return names[kind];
}

static bool is_hex(const char *text, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (pw_hex_value(text[i]) < 0)
			return false;
	return true;
}

int pw_repair_url_parse(const char *text, struct pw_repair_url *url, struct pw_err *err)
{
	const size_t skip = sizeof(SCHEME) - 1;
	const char *slash = NULL;
	char host[64];

	*url = (struct pw_repair_url){0};
	if (!strncmp(text, SCHEME, skip))
		slash = strchr(text + skip, '/');
	if (!slash || (size_t)(slash - text) - skip >= sizeof(host) ||
		strlen(slash + 1) != PW_REPAIR_TOKEN_LEN || !is_hex(slash + 1, PW_REPAIR_TOKEN_LEN))
		goto bad;
	snprintf(host, sizeof(host), "%.*s", (int)(slash - text - (ptrdiff_t)skip), text + skip);
	if (pw_addr_parse("", host, 0, &url->addr, NULL) < 0 || url->addr.port == 0 ||
		url->addr.scope || pw_addr_is_multicast(&url->addr))
		goto bad;
	memcpy(url->token, slash + 1, PW_REPAIR_TOKEN_LEN);
	return 0;

bad:
	return pw_err_set(err, EINVAL,
		"cannot use the repair address '%.60s': not http://ADDR:PORT/TOKEN; the sender's "
		"file table is not one of pagewire's",
		text);
}

char *pw_repair_url_format(char *buf, const struct pw_repair_url *url)
{
	char host[64];

	snprintf(buf, PW_REPAIR_URL_MAX, SCHEME "%s/%s",
		pw_addr_format(host, sizeof(host), &url->addr), url->token);
	return buf;
}

int pw_repair_draw(char *text, size_t n, struct pw_err *err)
{
	static const char digits[] = "0123456789abcdef";
	uint8_t bytes[PW_REPAIR_TOKEN_LEN];
	size_t i;

	if (n > sizeof(bytes) || getrandom(bytes, n, 0) != (ssize_t)n)
		return pw_err_sys(err, errno ? errno : EIO, "cannot draw a random number");
	for (i = 0; i < n; i++)
		text[i] = digits[bytes[i] & 15];
	text[n] = '\0';
	return 0;
}

bool pw_repair_token_equal(const char *token, const char *given)
{
	volatile unsigned int differs = 0;
	size_t i;

	for (i = 0; i < PW_REPAIR_TOKEN_LEN; i++)
		differs |= (unsigned int)(token[i] ^ given[i]);
	return differs == 0;
}

bool pw_repair_id_parse(const char *text, uint64_t *id)
{
	if (strlen(text) != PW_REPAIR_ID_LEN || !is_hex(text, PW_REPAIR_ID_LEN))
		return false;
	*id = strtoull(text, NULL, 16);
	return true;
}

/* The counts of the message, and where they lie. */
static const struct {
	const char *key;
	size_t offset;
} counts[] = {
	{"files", offsetof(struct pw_repair_report, files)},
	{"files_good", offsetof(struct pw_repair_report, files_good)},
	{"bytes", offsetof(struct pw_repair_report, bytes)},
	{"bytes_have", offsetof(struct pw_repair_report, bytes_have)},
	{"symbols_expected", offsetof(struct pw_repair_report, symbols_expected)},
	{"symbols_seen", offsetof(struct pw_repair_report, symbols_seen)},
	{"time_us", offsetof(struct pw_repair_report, time_us)},
	{"dropped_socket", offsetof(struct pw_repair_report, dropped_socket)},
	{"dropped_ring", offsetof(struct pw_repair_report, dropped_ring)},
	{"dropped_files", offsetof(struct pw_repair_report, dropped_files)},
	{"disk_waited_us", offsetof(struct pw_repair_report, disk_waited_us)},
};

/* Printable ASCII without what JSON and a terminal take as more than a letter. */
static void copy_name(char *to, const char *from)
{
	size_t n = 0;

	for (; *from && n < PW_REPAIR_NAME_MAX; from++)
		to[n++] =
			*from > ' ' && *from <= '~' && *from != '"' && *from != '\\' ? *from : '?';
	to[n] = '\0';
}

size_t pw_repair_report_format(char *text, const struct pw_repair_report *report)
{
	char name[PW_REPAIR_NAME_MAX + 1];
	size_t i, n;

	copy_name(name, report->name);
	n = (size_t)snprintf(text, PW_REPAIR_JSON_MAX,
		"{\"receiver\": \"%016" PRIx64 "\", \"name\": \"%s\"", report->id, name);
	for (i = 0; i < PW_ARRAY_LEN(counts); i++)
		n += (size_t)snprintf(text + n, PW_REPAIR_JSON_MAX - n, ", \"%s\": %" PRIu64,
			counts[i].key,
			pw_min_u64(*(const uint64_t *)(const void *)((const char *)report +
								     counts[i].offset),
				INT64_MAX));
	n += (size_t)snprintf(text + n, PW_REPAIR_JSON_MAX - n, "}");
	return n;
}

static const char *read_report(json_t *root, struct pw_repair_report *report)
{
	const char *id = json_string_value(json_object_get(root, "receiver"));
	const char *name = json_string_value(json_object_get(root, "name"));
	size_t i;

	if (!id || !pw_repair_id_parse(id, &report->id))
		return "\"receiver\" is not 16 hexadecimal digits";
	if (name)
		copy_name(report->name, name);
	for (i = 0; i < PW_ARRAY_LEN(counts); i++) {
		const json_t *value = json_object_get(root, counts[i].key);

		if (!value)
			continue;
		if (!json_is_integer(value) || json_integer_value(value) < 0)
			return "a count is not a number";
		*(uint64_t *)(void *)((char *)report + counts[i].offset) =
			(uint64_t)json_integer_value(value);
	}
	return NULL;
}

int pw_repair_report_parse(
	const char *text, size_t len, struct pw_repair_report *report, struct pw_err *err)
{
	json_t *root = len <= PW_REPAIR_JSON_MAX
			       ? json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL)
			       : NULL;
	const char *why = "it is no JSON object, or too large";

	*report = (struct pw_repair_report){0};
	if (json_is_object(root))
		why = read_report(root, report);
	json_decref(root);
	return why ? pw_err_set(err, EBADMSG, "cannot read the receiver's report: %s", why) : 0;
}

int pw_repair_pack(const char *text, size_t len, void **out, size_t *out_len, struct pw_err *err)
{
	z_stream z = {.next_in = (const Bytef *)text, .avail_in = (uInt)len};
	size_t room;
	int r;

	*out = NULL;
	if (len > PW_REPAIR_TEXT_MAX)
		return pw_err_set(err, EFBIG, "cannot pack a gap manifest of %zu bytes", len);
	if (deflateInit2(&z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, BITS_GZIP, MEM_LEVEL,
		    Z_DEFAULT_STRATEGY) != Z_OK)
		return pw_err_set(err, ENOMEM, "cannot pack the gap manifest: out of memory");
	room = deflateBound(&z, (uLong)len);
	*out = malloc(room);
	z.next_out = *out;
	z.avail_out = *out ? (uInt)room : 0;
	r = *out ? deflate(&z, Z_FINISH) : Z_MEM_ERROR;
	*out_len = room - z.avail_out;
	deflateEnd(&z);
	if (r == Z_STREAM_END)
		return 0;
	free(*out);
	*out = NULL;
	return pw_err_set(err, ENOMEM, "cannot pack the gap manifest: out of memory");
}

int pw_repair_unpack(
	const void *data, size_t len, char **text, size_t *text_len, struct pw_err *err)
{
	void *out;
	int r = len > PW_REPAIR_PACKED_MAX
			? -EFBIG
			: pw_fdt_decode(PW_ENCODING_GZIP, data, len, &out, text_len, NULL);

	*text = NULL;
	if (r)
		return pw_err_set(err, -r, "cannot unpack the gap manifest: %s",
			r == -EFBIG ? "it is larger than is allowed" : "it is no gzip, or cut");
	*text = out;
	return 0;
}
