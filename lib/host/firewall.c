/* SPDX-License-Identifier: BSD-3-Clause */
/* Asks nfnetlink for all chains, as `nft list chains` does. */
#include "host/firewall.h"

#include <arpa/inet.h>
#include <endian.h>
#include <errno.h>
#include <linux/netfilter.h>
#include <linux/netfilter/nf_tables.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#define ANSWER_BYTES 32768 /* the kernel's messages are shorter */
#define N_ATTRS      16    /* of a chain or of what it holds; later ones are left out */

struct attrs {
	const struct nlattr *v[N_ATTRS];
};

static struct attrs attrs_of(const void *data, size_t len)
{
	struct attrs found = {0};
	const uint8_t *p = data;

	while (len >= NLA_HDRLEN) {
		const struct nlattr *a = (const struct nlattr *)p;
		const unsigned int type = a->nla_type & NLA_TYPE_MASK;
		const size_t step = NLA_ALIGN(a->nla_len);

		if (a->nla_len < NLA_HDRLEN || a->nla_len > len)
			break;
		if (type < N_ATTRS)
			found.v[type] = a;
		if (step >= len)
			break;
		p += step;
		len -= step;
	}
	return found;
}

static struct attrs nested(const struct nlattr *a)
{
	return a ? attrs_of((const uint8_t *)a + NLA_HDRLEN, a->nla_len - NLA_HDRLEN)
		 : (struct attrs){0};
}

static bool number(const struct nlattr *a, void *value, size_t len)
{
	if (!a || a->nla_len < NLA_HDRLEN + len)
		return false;
	memcpy(value, (const uint8_t *)a + NLA_HDRLEN, len);
	return true;
}

static const char *text(const struct nlattr *a)
{
	const char *s = (const char *)a;

	return a && a->nla_len > NLA_HDRLEN && s[a->nla_len - 1] == '\0' ? s + NLA_HDRLEN : "?";
}

static void note_drop(struct pw_firewall *fw, unsigned int family, const struct attrs *chain)
{
	const struct attrs counters = nested(chain->v[NFTA_CHAIN_COUNTERS]);
	uint64_t packets;

	if (fw->n_drop++)
		return;
	snprintf(fw->drops, sizeof(fw->drops), "%s %.40s %.40s",
		family == NFPROTO_INET   ? "inet"
		: family == NFPROTO_IPV4 ? "ip"
					 : "ip6",
		text(chain->v[NFTA_CHAIN_TABLE]), text(chain->v[NFTA_CHAIN_NAME]));
	fw->counts = number(counters.v[NFTA_COUNTER_PACKETS], &packets, sizeof(packets));
	if (fw->counts)
		fw->n_dropped_packets = be64toh(packets);
}

static void note_chain(struct pw_firewall *fw, unsigned int family, const struct nlmsghdr *h)
{
	const struct nfgenmsg *g = NLMSG_DATA(h);
	struct attrs chain, hook;
	uint32_t hook_num, policy = htonl(NF_ACCEPT);

	if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*g)) ||
		(g->nfgen_family != NFPROTO_INET &&
			g->nfgen_family != (family == 4 ? NFPROTO_IPV4 : NFPROTO_IPV6)))
		return;
	chain = attrs_of((const uint8_t *)g + NLMSG_ALIGN(sizeof(*g)),
		h->nlmsg_len - NLMSG_LENGTH(sizeof(*g)));
	hook = nested(chain.v[NFTA_CHAIN_HOOK]);
	if (!number(hook.v[NFTA_HOOK_HOOKNUM], &hook_num, sizeof(hook_num)) ||
		(ntohl(hook_num) != NF_INET_PRE_ROUTING && ntohl(hook_num) != NF_INET_LOCAL_IN))
		return;
	fw->n_chains++;
	number(chain.v[NFTA_CHAIN_POLICY], &policy, sizeof(policy));
	if (ntohl(policy) == NF_DROP)
		note_drop(fw, g->nfgen_family, &chain);
}

/* 1: more messages follow; 0: that was the last one; -errno */
static int read_answer(
	struct pw_firewall *fw, unsigned int family, const struct nlmsghdr *h, size_t len)
{
	for (; NLMSG_OK(h, len); h = NLMSG_NEXT(h, len)) {
		if (h->nlmsg_type == NLMSG_DONE)
			return 0;
		if (h->nlmsg_type == NLMSG_ERROR) {
			const struct nlmsgerr *e = NLMSG_DATA(h);

			if (h->nlmsg_len < NLMSG_LENGTH(sizeof(*e)))
				return -EBADMSG;
			/* nfnetlink's answer when nobody serves the subsystem */
			return e->error == -EINVAL ? -ENOTSUP : e->error;
		}
		note_chain(fw, family, h);
	}
	return 1;
}

static int ask(int fd, struct pw_firewall *fw, unsigned int family)
{
	struct {
		struct nlmsghdr h;
		struct nfgenmsg g;
	} req = {.h = {.nlmsg_len = sizeof(req),
			 .nlmsg_type = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_GETCHAIN,
			 .nlmsg_flags = NLM_F_REQUEST | NLM_F_DUMP},
		.g = {.nfgen_family = NFPROTO_UNSPEC, .version = NFNETLINK_V0}};
	const struct timeval patience = {.tv_sec = 2};
	_Alignas(struct nlmsghdr) uint8_t answer[ANSWER_BYTES];
	ssize_t n;
	int r = 1;

	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (send(fd, &req, sizeof(req), 0) < 0)
		return -errno;
	while (r > 0) {
		n = recv(fd, answer, sizeof(answer), 0);
		if (n < 0)
			return -errno;
		r = read_answer(fw, family, (const struct nlmsghdr *)answer, (size_t)n);
	}
	return r;
}

int pw_firewall_read(unsigned int family, struct pw_firewall *fw)
{
	int fd, r;

	*fw = (struct pw_firewall){0};
	fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_NETFILTER);
	if (fd < 0)
		return errno == EPROTONOSUPPORT ? -ENOTSUP : -errno;
	r = ask(fd, fw, family);
	close(fd);
	return r;
}
