/* SPDX-License-Identifier: BSD-3-Clause */
/* Reads a network interface for the bench's environment, by sysfs and by ethtool. */
#include "bench/envnic.h"

#include <linux/ethtool.h>
#include <linux/sockios.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"
#include "host/netif.h"
#include "host/sysfs.h"

#define MAX_FEATURES 512 /* of the kernel's; it has 64 */

/* Work that the device, or the kernel behind the protocols, may take over; by ethtool's names. */
static const char *const offloads[] = {"tx-checksum-ipv4", "tx-checksum-ip-generic",
	"tx-checksum-ipv6", "tx-scatter-gather", "tx-tcp-segmentation", "tx-udp-segmentation",
	"tx-generic-segmentation", "tx-nocache-copy", "rx-checksum", "rx-gro", "rx-gro-hw",
	"rx-lro", "rx-gro-list", "rx-udp-gro-forwarding"};

static int ethtool(int fd, const char *name, void *data)
{
	struct ifreq req = {.ifr_data = data};

	snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", name);
	return ioctl(fd, SIOCETHTOOL, &req);
}

static uint32_t count_features(int fd, const char *name)
{
	struct {
		struct ethtool_sset_info head;
		uint32_t n;
	} info = {.head = {.cmd = ETHTOOL_GSSET_INFO, .sset_mask = 1ull << ETH_SS_FEATURES}};

	if (ethtool(fd, name, &info) || info.head.sset_mask == 0 || info.n > MAX_FEATURES)
		return 0;
	return info.n;
}

static bool is_offload(const char *feature)
{
	size_t i;

	for (i = 0; i < PW_ARRAY_LEN(offloads); i++)
		if (strcmp(feature, offloads[i]) == 0)
			return true;
	return false;
}

/* "tx-scatter-gather tx-tcp-segmentation": those that are on. */
static void read_offloads(int fd, const char *name, char *text, size_t len)
{
	uint32_t i, n = count_features(fd, name);
	uint32_t n_blocks = (n + 31) / 32;
	struct ethtool_gstrings *names = calloc(1, sizeof(*names) + (size_t)n * ETH_GSTRING_LEN);
	struct ethtool_gfeatures *states =
		calloc(1, sizeof(*states) + n_blocks * sizeof(states->features[0]));
	size_t used = 0;

	text[0] = '\0';
	if (!names || !states || n == 0)
		goto free_both;
	names->cmd = ETHTOOL_GSTRINGS;
	names->string_set = ETH_SS_FEATURES;
	names->len = n;
	states->cmd = ETHTOOL_GFEATURES;
	states->size = n_blocks;
	if (ethtool(fd, name, names) || ethtool(fd, name, states))
		goto free_both;
	for (i = 0; i < n && i < names->len && used < len; i++) {
		char feature[ETH_GSTRING_LEN + 1] = {0};

		memcpy(feature, names->data + (size_t)i * ETH_GSTRING_LEN, ETH_GSTRING_LEN);
		if ((states->features[i / 32].active & 1u << i % 32) && is_offload(feature))
			used += (size_t)snprintf(
				text + used, len - used, "%s%s", used ? " " : "", feature);
	}

free_both:
	free(states);
	free(names);
}

static void ask_driver(struct pw_env *env, const char *name)
{
	struct ethtool_drvinfo info = {.cmd = ETHTOOL_GDRVINFO};
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	char text[512];

	if (fd < 0)
		return;
	if (ethtool(fd, name, &info) == 0)
		pw_env_add(env, "nic_firmware", "%.32s", info.fw_version);
	read_offloads(fd, name, text, sizeof(text));
	pw_env_add(env, "nic_offloads", "%s", text);
	close(fd);
}

void pw_envnic_read(struct pw_env *env, const char *root_dir, const char *nic)
{
	const struct pw_sysroot root = {.root = root_dir};
	struct pw_netif netif;

	pw_env_add(env, "nic", "%s", nic);
	pw_env_add(env, "nic_driver", "%s", "");
	pw_env_add(env, "nic_pci", "%s", "");
	pw_env_add(env, "nic_mtu", "%s", "");
	pw_env_add(env, "nic_firmware", "%s", "");
	pw_env_add(env, "nic_offloads", "%s", "");
	if (pw_netif_read(&root, nic, &netif, NULL))
		return;
	pw_env_add(env, "nic_driver", "%s", netif.driver);
	pw_env_add(env, "nic_pci", "%s", netif.pci);
	pw_env_add(env, "nic_mtu", "%u", netif.mtu);
	if (pw_sysroot_is_real(&root))
		ask_driver(env, netif.name);
}
