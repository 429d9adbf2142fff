/* SPDX-License-Identifier: BSD-3-Clause */
#include "repair/fetch.h"

#include <curl/curl.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/clock.h"

#define CONNECT_MS   10000l
#define STALL_BYTES  1024l
#define FEWER_RANGES 8u         /* after a server ignored more in one request */
#define JOIN_BYTES   16384u     /* with one range a request: a gap that costs less than a request */
#define NO_BODY      (64 << 10) /* bytes that may come which nobody wants */
#define RANGE_TEXT   48u        /* "-" and two numbers of 63 bits */

struct pw_fetch {
	struct pw_fetch_config cfg;
	CURL *curl;
	char *base; /* ends in '/' */
	unsigned int max_ranges;
	struct pw_fetch_counters c;
};

/* One request and its answer. */
struct request {
	struct pw_fetch *f;
	const struct pw_range *rest; /* this request's ranges, then those of later ones */
	size_t n, n_rest;
	struct pw_http_body body;
	uint64_t header_bytes;
	uint64_t more_bytes; /* of the body, behind what is wanted */
	char type[256], range[128], encoding[32];
	bool begun, too_many; /* too_many: the server ignored several ranges, and may take fewer */
	struct pw_err err;    /* why a callback ended it */
};

bool pw_fetch_is_url(const char *s)
{
	return strncasecmp(s, "http://", 7) == 0 || strncasecmp(s, "https://", 8) == 0;
}

int pw_fetch_check_url(const char *what, const char *url, struct pw_err *err)
{
	CURLU *u = curl_url();
	const bool ok = u && curl_url_set(u, CURLUPART_URL, url, 0) == CURLUE_OK;

	curl_url_cleanup(u);
	if (!ok || !pw_fetch_is_url(url))
		return pw_err_set(err, EINVAL,
			"cannot use %s '%s': it is no URL; give http://SERVER/DIR/", what, url);
	if (strpbrk(url, "?#"))
		return pw_err_set(err, EINVAL,
			"cannot use %s '%s': names of files are appended to it, so it ends before "
			"'?' "
			"and '#'; give http://SERVER/DIR/",
			what, url);
	return 0;
}

static int fault(struct request *q, int code, const char *why)
{
	return pw_err_set(&q->err, code, "%s", why);
}

/* The value of a header line with this name, without white space around it, into buf. false: too long. */
static bool take_value(const char *line, size_t len, const char *name, char *buf, size_t buf_len)
{
	const size_t n = strlen(name);

	if (len <= n || strncasecmp(line, name, n) != 0)
		return true;
	for (line += n, len -= n; len && strchr(" \t", *line); line++)
		len--;
	while (len && strchr(" \t\r\n", line[len - 1]))
		len--;
	if (len >= buf_len || memchr(line, '\0', len))
		return false;
	memcpy(buf, line, len);
	buf[len] = '\0';
	return true;
}

/* A line of the headers; lines of 1xx answers and redirects come first. */
static size_t on_header(char *line, size_t size, size_t n, void *ctx)
{
	struct request *q = ctx;
	const size_t len = size * n;

	q->header_bytes += len;
	if (len > 5 && strncmp(line, "HTTP/", 5) == 0)
		q->type[0] = q->range[0] = q->encoding[0] = '\0';
	if (q->header_bytes <= PW_FETCH_HEADER_BYTES &&
		take_value(line, len, "Content-Type:", q->type, sizeof(q->type)) &&
		take_value(line, len, "Content-Range:", q->range, sizeof(q->range)) &&
		take_value(line, len, "Content-Encoding:", q->encoding, sizeof(q->encoding)))
		return len;
	fault(q, EBADMSG, "its headers are too long");
	return 0;
}

static int refused(struct request *q, long status)
{
	if (status == 416)
		return fault(q, EBADMSG, "its file is shorter than the sender's (HTTP 416)");
	if (status == 404 || status == 410 || status == 401 || status == 403)
		return pw_err_set(&q->err, ENOENT, "it does not give the file (HTTP %ld)", status);
	return pw_err_set(&q->err, EBADMSG, "its answer is HTTP %ld", status);
}

/* All headers of the last answer have come. */
static int begin(struct request *q)
{
	curl_off_t len = -1;
	long status = 0;

	q->begun = true;
	curl_easy_getinfo(q->f->curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_getinfo(q->f->curl, CURLINFO_CONTENT_LENGTH_DOWNLOAD_T, &len);
	if (status != 200 && status != 206)
		return refused(q, status);
	if (q->encoding[0] && strcasecmp(q->encoding, "identity") != 0)
		return fault(q, EBADMSG, "it sends the file with a Content-Encoding");
	if (status == 200 && len >= 0 && (uint64_t)len != q->body.file_len)
		return pw_err_set(&q->err, EBADMSG, "its file has %lld bytes, the sender's %llu",
			(long long)len, (unsigned long long)q->body.file_len);
	if (status == 200 && q->n > 1 && q->f->max_ranges > 1) {
		q->too_many = true;
		return -1;
	}
	if (status == 200) { /* it has all that is missing */
		q->body.n_want = q->n_rest;
		q->f->c.whole++;
	}
	return pw_http_body_begin(&q->body, (unsigned int)status, q->type[0] ? q->type : NULL,
		q->range[0] ? q->range : NULL, &q->err);
}

static size_t on_body(char *data, size_t size, size_t n, void *ctx)
{
	struct request *q = ctx;
	const size_t len = size * n;

	q->f->c.bytes += len;
	if (!q->begun && begin(q))
		return 0;
	if (pw_http_body_is_done(&q->body))
		q->more_bytes += len;
	else if (pw_http_body_take(&q->body, (const uint8_t *)data, len, &q->err))
		return 0;
	/* A transfer that is ended here costs a new connection. */
	return pw_http_body_is_done(&q->body) &&
			       (q->more_bytes > NO_BODY || q->body.at < q->body.to)
		       ? 0
		       : len;
}

/* Called a few times a second, and as bytes come. */
static int on_progress(
	void *ctx, curl_off_t total, curl_off_t now, curl_off_t up_total, curl_off_t up)
{
	struct request *q = ctx;

	(void)total, (void)up_total, (void)up;
	if (q->f->cfg.stopped && q->f->cfg.stopped())
		return fault(q, ECANCELED, "stopped");
	if (!q->begun && now > NO_BODY)
		return fault(q, EBADMSG, "the body of its redirect does not end");
	return 0;
}

int pw_fetch_open(struct pw_fetch **out, const struct pw_fetch_config *cfg, struct pw_err *err)
{
	struct pw_fetch *f = calloc(1, sizeof(*f));
	const size_t len = strlen(cfg->url);
	const bool is_tls = strncasecmp(cfg->url, "https", 5) == 0;
	const long stall_s = (long)pw_max_u64(cfg->stall_ns / PW_NS_PER_S, 1);
	bool ok;

	*out = NULL;
	if (!f || curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK) {
		free(f);
		return pw_err_sys(err, ENOMEM, "cannot start libcurl");
	}
	f->cfg = *cfg;
	f->max_ranges = PW_FETCH_RANGES;
	f->curl = curl_easy_init();
	ok = asprintf(&f->base, "%s%s", cfg->url, cfg->url[len - 1] == '/' ? "" : "/") >= 0;
#define SET(opt, value) (ok = ok && curl_easy_setopt(f->curl, CURLOPT_##opt, value) == CURLE_OK)
	ok = ok && f->curl;
	SET(PROTOCOLS_STR, "http,https");
	SET(REDIR_PROTOCOLS_STR, is_tls ? "https" : "http,https");
	SET(FOLLOWLOCATION, 1l);
	SET(MAXREDIRS, (long)PW_FETCH_REDIRECTS);
	SET(PATH_AS_IS, 1l);
	SET(NOSIGNAL, 1l);
	SET(HTTP09_ALLOWED, 0l);
	SET(USERAGENT, "pagewire/" PW_VERSION);
	SET(CONNECTTIMEOUT_MS, (long)pw_min_u64(CONNECT_MS, (uint64_t)stall_s * 1000));
	SET(LOW_SPEED_LIMIT, STALL_BYTES);
	SET(LOW_SPEED_TIME, stall_s);
	SET(NOPROGRESS, 0l);
	SET(HEADERFUNCTION, on_header);
	SET(WRITEFUNCTION, on_body);
	SET(XFERINFOFUNCTION, on_progress);
#undef SET
	if (!ok) {
		pw_fetch_close(f);
		return pw_err_sys(err, ENOMEM, "cannot start libcurl");
	}
	*out = f;
	return 0;
}

/* BASE and the name, of which every byte that is not unreserved (RFC 3986 section 2.3) or '/' is encoded. */
static char *file_url(const struct pw_fetch *f, const char *name)
{
	static const char hex[] = "0123456789ABCDEF";
	const size_t n = strlen(f->base);
	char *url = malloc(n + 3 * strlen(name) + 1), *p = url + n;

	if (!url)
		return NULL;
	memcpy(url, f->base, n);
	for (; *name; name++) {
		const unsigned char c = (unsigned char)*name;

		if ((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
			strchr("-._~/", c)) {
			*p++ = (char)c;
			continue;
		}
		*p++ = '%';
		*p++ = hex[c >> 4];
		*p++ = hex[c & 15];
	}
	*p = '\0';
	return url;
}

/* How many of ranges[n] the next request asks for; writes them as the value of Range. */
static size_t choose(const struct pw_fetch *f, const struct pw_range *r, size_t n, char *text)
{
	size_t i = 0;

	if (f->max_ranges == 1) {
		while (i + 1 < n && r[i + 1].from - r[i].to <= JOIN_BYTES)
			i++;
		sprintf(text, "%llu-%llu", (unsigned long long)r[0].from,
			(unsigned long long)r[i].to - 1);
		return i + 1;
	}
	for (; i < n && i < f->max_ranges; i++)
		text += sprintf(text, "%s%llu-%llu", i ? "," : "", (unsigned long long)r[i].from,
			(unsigned long long)r[i].to - 1);
	return i;
}

/* What libcurl's result and the callbacks' say together. 0: all came. */
static int result_of(struct request *q, CURLcode code, const char *text)
{
	if (q->too_many || q->err.code)
		return -q->err.code;
	if (code == CURLE_OK && !q->begun && begin(q))
		return -q->err.code;
	if (code == CURLE_OK || (q->begun && pw_http_body_is_done(&q->body)))
		return pw_http_body_end(&q->body, &q->err);
	if (code == CURLE_TOO_MANY_REDIRECTS || code == CURLE_UNSUPPORTED_PROTOCOL ||
		code == CURLE_WEIRD_SERVER_REPLY || code == CURLE_PARTIAL_FILE)
		return fault(q, EBADMSG, *text ? text : curl_easy_strerror(code));
	return fault(q, EIO, *text ? text : curl_easy_strerror(code));
}

/* One request for the first ranges of ranges[n]. Returns how many need no other request; -errno. */
static int64_t request(struct pw_fetch *f, struct request *q)
{
	char value[PW_FETCH_RANGES * RANGE_TEXT], text[CURL_ERROR_SIZE] = "";
	CURLcode code;
	size_t taken;
	int r;

	q->n = choose(f, q->rest, q->n_rest, value);
	q->body.want = q->rest;
	q->body.n_want = q->n;
	curl_easy_setopt(f->curl, CURLOPT_RANGE, value);
	curl_easy_setopt(f->curl, CURLOPT_ERRORBUFFER, text);
	curl_easy_setopt(f->curl, CURLOPT_HEADERDATA, q);
	curl_easy_setopt(f->curl, CURLOPT_WRITEDATA, q);
	curl_easy_setopt(f->curl, CURLOPT_XFERINFODATA, q);
	f->c.requests++;
	f->c.ranges += q->n;
	code = curl_easy_perform(f->curl);
	r = result_of(q, code, text);
	curl_easy_setopt(f->curl, CURLOPT_ERRORBUFFER, NULL);
	if (q->too_many)
		f->max_ranges = q->n > FEWER_RANGES ? FEWER_RANGES : 1;
	if (r || q->too_many)
		return r;
	taken = pw_http_body_taken(&q->body);
	if (taken < q->body.n_want && f->max_ranges == 1 && taken == 0)
		return fault(q, EBADMSG, "it sends another range than was asked for");
	if (taken < q->body.n_want)
		f->max_ranges = 1;
	return (int64_t)taken;
}

int pw_fetch_file(struct pw_fetch *f, const char *name, uint64_t len_bytes,
	const struct pw_range *ranges, size_t n, pw_http_put put, void *ctx, struct pw_err *err)
{
	char *url = file_url(f, name);
	int64_t done = 0;
	size_t i;

	if (!url)
		return pw_err_sys(err, ENOMEM, "cannot fetch %s", name);
	curl_easy_setopt(f->curl, CURLOPT_URL, url);
	for (i = 0; i < n && done >= 0;) {
		struct request q = {.f = f,
			.rest = ranges + i,
			.n_rest = n - i,
			.body = {.file_len = len_bytes, .put = put, .ctx = ctx}};

		done = request(f, &q);
		if (done < 0)
			pw_err_set(err, q.err.code, "cannot fetch %s: %s", name, q.err.msg);
		else
			i += (size_t)done;
	}
	free(url);
	return done < 0 ? (int)done : 0;
}

void pw_fetch_counters(const struct pw_fetch *f, struct pw_fetch_counters *c)
{
	*c = f->c;
}

void pw_fetch_close(struct pw_fetch *f)
{
	if (!f)
		return;
	curl_easy_cleanup(f->curl);
	curl_global_cleanup();
	free(f->base);
	free(f);
}
