/* SPDX-License-Identifier: BSD-3-Clause */
#include "replay/filter.h"

#include <errno.h>
#include <pcap/pcap.h>
#include <stdlib.h>

#define LINKS_MAX 16 /* link types of one capture */

struct program {
	uint16_t link;
	struct bpf_program code;
};

struct pw_filter {
	const char *text;
	struct program programs[LINKS_MAX];
	uint32_t n;
	uint8_t room[PW_CAPTURE_FRAME_MAX];
};

/* Of the LINKTYPE_ values in enum pw_link, raw IP has another number in libpcap's interface (pcap-linktype(7)). */
static int dlt_of(uint16_t link)
{
	return link == PW_LINK_RAW || link == PW_LINK_RAW_OPENBSD ? DLT_RAW : link;
}

static int compile(struct pw_filter *f, uint16_t link, struct pw_err *err)
{
	struct program *p = &f->programs[f->n];
	pcap_t *pcap;
	int r = 0;

	if (f->n == LINKS_MAX)
		return pw_err_set(err, EINVAL,
			"cannot use --filter: the capture has more than %u link types", LINKS_MAX);
	pcap = pcap_open_dead(dlt_of(link), PW_CAPTURE_FRAME_MAX);
	if (!pcap)
		return pw_err_set(err, ENOMEM, "cannot compile --filter: out of memory");
	p->link = link;
	if (pcap_compile(pcap, &p->code, f->text, 1, PCAP_NETMASK_UNKNOWN))
		r = pw_err_set(err, EINVAL,
			"cannot use --filter '%s' for link type %u (%s): %s; see pcap-filter(7)",
			f->text, link, pw_link_name(link), pcap_geterr(pcap));
	else
		f->n++;
	pcap_close(pcap);
	return r;
}

int pw_filter_create(struct pw_filter **out, const char *text, struct pw_err *err)
{
	struct pw_filter *f = calloc(1, sizeof(*f));

	*out = f;
	if (!f)
		return pw_err_set(err, ENOMEM, "cannot compile --filter: out of memory");
	f->text = text;
	return compile(f, PW_LINK_ETHERNET, err);
}

int pw_filter_copy(struct pw_filter **copy, const struct pw_filter *f, struct pw_err *err)
{
	return pw_filter_create(copy, f->text, err);
}

void pw_filter_destroy(struct pw_filter *f)
{
	uint32_t i;

	for (i = 0; f && i < f->n; i++)
		pcap_freecode(&f->programs[i].code);
	free(f);
}

int pw_filter_match(struct pw_filter *f, const struct pw_capture_frame *frame, const uint8_t *bytes,
	struct pw_err *err)
{
	const struct pcap_pkthdr header = {.caplen = frame->len,
		.len = frame->full_len > frame->len ? frame->full_len : frame->len};
	uint32_t i = 0;
	int r;

	while (i < f->n && f->programs[i].link != frame->link)
		i++;
	r = i == f->n ? compile(f, frame->link, err) : 0;
	return r ? r : pcap_offline_filter(&f->programs[i].code, &header, bytes) > 0;
}

uint8_t *pw_filter_room(struct pw_filter *f)
{
	return f->room;
}
