/* SPDX-License-Identifier: BSD-3-Clause OR GPL-2.0-only */
/*
 * Counts the bytes that the CPU copies in the kernel for one process, at the functions that copy them.
 * Only the innermost functions have a probe. Their callers (copy_page_to_iter, skb_copy,
 * skb_copy_datagram_from_iter, __pskb_pull_tail, skb_copy_expand, copy_from_iter_full ...) have none:
 * the bytes would be counted twice.
 *
 *   file -> user    _copy_to_iter
 *   user -> skb     _copy_from_iter(_nocache), csum_and_copy_from_iter(_full)
 *   skb -> skb      skb_copy_bits, skb_copy_and_csum_bits, pskb_expand_head, __pskb_copy_fclone
 *   ring -> skb     skb_store_bits
 *   user pages -> kernel pages, when zero-copy is not possible    skb_copy_ubufs
 *
 * Bytes of headers also count: a threshold would have to guess what a header is. Copies without a
 * function of their own are not counted: skb_segment() copies headers, and the little payload next to
 * them, with memcpy; AF_XDP does so with the fragments after a packet's first (since 6.6); drivers with
 * a bounce buffer; reads of persistent memory (_copy_mc_to_iter).
 *
 * A copy is attributed to the process that runs: in a system call, in a kernel thread of io_uring (same
 * tgid), or in a softirq that interrupts it. On loopback and veth the kernel processes the sender's
 * packets for the receiver in such a softirq. Only skb_copy_ubufs may run much later, on any CPU. It is
 * counted for every process, in a slot of its own, because only a zero-copy sender can cause it.
 *
 * Signatures differ between kernels: copies.c loads the programs that fit the running kernel.
 */
#include "meter/slot.h"

#include <linux/bpf.h>
#include <linux/bpf_perf_event.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

/* The process to count for: its PID in its own PID namespace. */
const volatile __u64 pidns_device = 0;
const volatile __u64 pidns_inode = 0;
const volatile __u32 process = 0;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, PW_N_SLOTS);
	__type(key, __u32);
	__type(value, struct pw_slot);
} slots SEC(".maps");

/* Only the fields that are read here; the loader replaces their offsets by the running kernel's. */
struct sk_buff {
	unsigned int len;
	unsigned int data_len;
	unsigned int end; /* an offset from head, on 64 bit */
	unsigned char *head;
} __attribute__((preserve_access_index));

struct iov_iter {
	unsigned long count;
} __attribute__((preserve_access_index));

struct skb_shared_info {
	struct sk_buff *frag_list;
} __attribute__((preserve_access_index));

static __always_inline int is_ours(void)
{
	struct bpf_pidns_info id;

	return bpf_get_ns_current_pid_tgid(pidns_device, pidns_inode, &id, sizeof(id)) == 0 &&
	       id.tgid == process;
}

static __always_inline int add(__u32 index, __u64 bytes)
{
	struct pw_slot *slot = bpf_map_lookup_elem(&slots, &index);

	if (slot) { /* of this CPU; a program does not interrupt itself */
		slot->calls++;
		slot->bytes += bytes;
	}
	return 0;
}

static __always_inline int add_ours(__u32 index, __u64 bytes)
{
	return is_ours() ? add(index, bytes) : 0;
}

/* The kernel's lib/ is built without the stubs at function entry that fexit and kprobe events need
 * (lib/Makefile removes them). The CPU's breakpoints take their place: for the threads of this process
 * only, and at the function's entry. The function copies what the caller requests, at most what the
 * iterator has left; less only when a user page is missing, and then the user gets EFAULT. */
static __always_inline int add_iter(__u32 index, __u64 bytes, const struct iov_iter *iter)
{
	__u64 count = BPF_CORE_READ(iter, count);

	return add(index, bytes < count ? bytes : count);
}

SEC("perf_event")
int to_iter(struct bpf_perf_event_data *ctx)
{
	return add_iter(
		PW_SLOT_TO_ITER, PT_REGS_PARM2(&ctx->regs), (void *)PT_REGS_PARM3(&ctx->regs));
}

SEC("perf_event")
int from_iter(struct bpf_perf_event_data *ctx)
{
	return add_iter(
		PW_SLOT_FROM_ITER, PT_REGS_PARM2(&ctx->regs), (void *)PT_REGS_PARM3(&ctx->regs));
}

SEC("perf_event")
int from_iter_nocache(struct bpf_perf_event_data *ctx)
{
	return add_iter(PW_SLOT_FROM_ITER_NOCACHE, PT_REGS_PARM2(&ctx->regs),
		(void *)PT_REGS_PARM3(&ctx->regs));
}

/* Up to Linux 6.6, where _full is an inline function that calls it. */
SEC("perf_event")
int csum_from_iter(struct bpf_perf_event_data *ctx)
{
	return add_iter(PW_SLOT_CSUM_FROM_ITER, PT_REGS_PARM2(&ctx->regs),
		(void *)PT_REGS_PARM4(&ctx->regs));
}

/* Since Linux 6.7, in net/, and the only one there. `all` is a bool: the register's upper bits are
 * undefined. */
SEC("fexit/csum_and_copy_from_iter_full")
int BPF_PROG(csum_from_iter_full, void *to, __u64 bytes, void *sum, void *iter, __u64 all)
{
	return add_ours(PW_SLOT_CSUM_FROM_ITER_FULL, (__u8)all ? bytes : 0);
}

static __always_inline __u64 head_bytes(const struct sk_buff *skb)
{
	return skb->len - skb->data_len;
}

/* The functions below call themselves for each skb of a fragment list, so the outer call counts only
 * the part before the list, the linear one. (Only receiving makes skbs that have both page fragments and
 * a list.) A negative offset refers to head room, which has no data. */
static __always_inline __u64 own_bytes(const struct sk_buff *skb, int offset, int len)
{
	const struct skb_shared_info *info = (void *)(skb->head + skb->end);
	int head = (int)head_bytes(skb);

	if (offset < 0) {
		len += offset;
		offset = 0;
	}
	if (BPF_CORE_READ(info, frag_list)) {
		if (offset >= head)
			return 0;
		if (len > head - offset)
			len = head - offset;
	}
	return len > 0 ? len : 0;
}

SEC("fexit/skb_copy_bits")
int BPF_PROG(copy_bits, const struct sk_buff *skb, int offset, void *to, int len, int failed)
{
	return add_ours(PW_SLOT_COPY_BITS, failed ? 0 : own_bytes(skb, offset, len));
}

SEC("fexit/skb_copy_and_csum_bits")
int BPF_PROG(copy_csum_bits, const struct sk_buff *skb, int offset, void *to, int len)
{
	return add_ours(PW_SLOT_COPY_CSUM_BITS, own_bytes(skb, offset, len));
}

SEC("fexit/skb_store_bits")
int BPF_PROG(store_bits, struct sk_buff *skb, int offset, const void *from, int len, int failed)
{
	return add_ours(PW_SLOT_STORE_BITS, failed ? 0 : own_bytes(skb, offset, len));
}

SEC("fexit/pskb_expand_head")
int BPF_PROG(expand_head, struct sk_buff *skb, int nhead, int ntail, unsigned int gfp, int failed)
{
	return add_ours(PW_SLOT_EXPAND_HEAD, failed ? 0 : head_bytes(skb));
}

SEC("fexit/__pskb_copy_fclone")
int BPF_PROG(copy_head, struct sk_buff *skb, int room, unsigned int gfp, __u64 fclone, void *copy)
{
	return add_ours(PW_SLOT_COPY_HEAD, copy ? head_bytes(skb) : 0);
}

/* The copies of the fragments are as long as the originals. */
SEC("fexit/skb_copy_ubufs")
int BPF_PROG(copy_ubufs, struct sk_buff *skb, unsigned int gfp, int failed)
{
	return add(is_ours() ? PW_SLOT_COPY_UBUFS : PW_SLOT_COPY_UBUFS_LATER,
		failed ? 0 : skb->data_len);
}
