/* A place: a network namespace with a device whose packets we carry. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>
/* After net/if.h, which has the same structs. */
#include <linux/if_tun.h>
#include <linux/virtio_net.h>

#include "base/check.h"
#include "relay.h"

#define MTU 1500
/* The device's default drops bursts before we see them. */
#define DEVICE_QUEUE 10000

_Static_assert(sizeof(struct virtio_net_hdr) == RELAY_HEAD, "head of a packet");

/* ---- the device ---- */

static int
open_device(void)
{
    struct ifreq request = {0};
    int head = RELAY_HEAD;
    int tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);

    strcpy(request.ifr_name, "wan0");
    request.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR;
    if (tun < 0 || ioctl(tun, TUNSETIFF, &request) != 0 ||
        ioctl(tun, TUNSETVNETHDRSZ, &head) != 0 ||
        ioctl(tun, TUNSETOFFLOAD, 0) != 0)
        return -1;
    return tun;
}

static struct sockaddr
ip(uint32_t address)
{
    struct sockaddr_in in = {.sin_family = AF_INET,
                             .sin_addr = {htonl(address)}};
    struct sockaddr any;

    memcpy(&any, &in, sizeof(any));
    return any;
}

static bool
set_up(int socket, const char *device)
{
    struct ifreq request = {0};

    strcpy(request.ifr_name, device);
    request.ifr_flags = IFF_UP | IFF_RUNNING;
    return ioctl(socket, SIOCSIFFLAGS, &request) == 0;
}

static bool
configure(int socket, size_t number)
{
    struct ifreq request = {0};

    strcpy(request.ifr_name, "wan0");
    request.ifr_mtu = MTU;
    if (ioctl(socket, SIOCSIFMTU, &request) != 0)
        return false;
    request.ifr_qlen = DEVICE_QUEUE;
    if (ioctl(socket, SIOCSIFTXQLEN, &request) != 0)
        return false;
    /* 10.97.NUMBER.1/16 */
    request.ifr_addr = ip(0x0A610001u | (uint32_t)number << 8);
    if (ioctl(socket, SIOCSIFADDR, &request) != 0)
        return false;
    request.ifr_addr = ip(0xFFFF0000u);
    if (ioctl(socket, SIOCSIFNETMASK, &request) != 0)
        return false;
    return set_up(socket, "wan0") && set_up(socket, "lo");
}

/* What one connection learned of a path is not for the next: the path of a
 * lab changes. */
static void
forget_paths(void)
{
    int file =
        open("/proc/sys/net/ipv4/tcp_no_metrics_save", O_WRONLY | O_CLOEXEC);

    if (file < 0)
        return;
    if (write(file, "1", 1) != 1)
        perror("relay: tcp_no_metrics_save");
    close(file);
}

static int
make_device(size_t number)
{
    int tun = open_device();
    int any = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    bool good = tun >= 0 && any >= 0 && configure(any, number);

    forget_paths();
    if (any >= 0)
        close(any);
    if (good)
        return tun;
    if (tun >= 0)
        close(tun);
    return -1;
}

/* ---- the namespace ---- */

bool
relay_place_open(struct relay *relay, const char *name)
{
    struct relay_place *place = &relay->places[relay->place_count];
    char path[64];

    CHECK(relay->place_count < RELAY_PLACES);
    snprintf(path, sizeof(path), "/run/netns/%.23s", name);
    snprintf(place->name, sizeof(place->name), "%.23s", name);
    int home = open("/proc/self/ns/net", O_RDONLY | O_CLOEXEC);
    int there = open(path, O_RDONLY | O_CLOEXEC);

    place->tun = -1;
    if (home >= 0 && there >= 0 && setns(there, CLONE_NEWNET) == 0) {
        place->tun = make_device(relay->place_count + 1);
        CHECK(setns(home, CLONE_NEWNET) == 0);
    }
    if (place->tun < 0)
        fprintf(stderr, "relay: %s: %s\n", name, strerror(errno));
    if (home >= 0)
        close(home);
    if (there >= 0)
        close(there);
    relay->place_count++;
    return place->tun >= 0;
}
