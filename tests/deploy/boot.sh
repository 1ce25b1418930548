#!/bin/sh
# Boots the systemd of a Debian root in namespaces of its own: boot.sh unshare … -- ROOT [SHARED …]
# Called a second time, by unshare, with the name of the root: then it is the first process in there.
set -eu
if [ "$1" = unshare ]; then
    # A control group of its own, of which the namespace sees nothing else.
    groups=/sys/fs/cgroup
    [ -f "$groups/cgroup.procs" ] || groups=/sys/fs/cgroup/unified
    mkdir -p "$groups/awase-bare"
    echo $$ > "$groups/awase-bare/cgroup.procs"
    command=
    while [ "$1" != -- ]; do command="$command $1"; shift; done
    shift
    # shellcheck disable=SC2086
    exec $command sh "$0" "$@"
fi
root=$1
shift
mount --make-rprivate /
mount --bind "$root" "$root"
for shared in "$@"; do
    if [ -d "$shared" ]; then mkdir -p "$root$shared"; else mkdir -p "$(dirname "$root$shared")"; touch "$root$shared"; fi
    mount --bind "$shared" "$root$shared"
    mount -o remount,ro,bind "$root$shared"
done
mount -t proc proc "$root/proc"
mount -t sysfs -o ro sysfs "$root/sys"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/dev"
for device in null:3 zero:5 full:7 random:8 urandom:9 tty:0; do
    major=1
    [ "${device%:*}" != tty ] || major=5
    mknod -m 666 "$root/dev/${device%:*}" c "$major" "${device#*:}"
done
mkdir "$root/dev/pts" "$root/dev/shm"
mount -t devpts -o newinstance,ptmxmode=0666 devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
# As nspawn does it: systemd hands credentials to services by mounts that spread.
mount --make-rshared "$root"
exec chroot "$root" env -i container=bare PATH=/usr/sbin:/usr/bin:/sbin:/bin /lib/systemd/systemd --log-target=journal
