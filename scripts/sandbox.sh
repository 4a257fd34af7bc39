#!/usr/bin/env bash
# Runs a command as Lambda would: scripts/sandbox.sh ROOT TASK TMP MEMORY_MIB COMMAND...
# ROOT is a read-only root, TASK is read-only at /var/task, TMP is /tmp and all that can be written. No /dev/shm, five
# devices, its own PID namespace that ends with the command, whose first process does not reap what others leave, no capabilities,
# 1,024 processes and threads. As root also another user and a limit of memory. The network is the machine's.
# FRAMEWRIGHT_SANDBOX_REFUSES lists the system calls that get EPERM, with commas: all that Lambda refuses, if it is not set.
set -euo pipefail
export PATH=/usr/sbin:/usr/bin:/sbin:/bin

if [ $# -lt 5 ]; then
  sed -n '2,6s/^# //p' "$0" >&2
  exit 2
fi
root="$1" task="$2" tmp="$3" memory="$4"
shift 4
refuses="${FRAMEWRIGHT_SANDBOX_REFUSES-prctl,memfd_create,fallocate,unshare,ptrace,process_vm_readv}"
unset FRAMEWRIGHT_SANDBOX_REFUSES
enter="$(cd "$(dirname "$0")" && pwd)/sandbox/enter.py"

if [ "$(id -u)" = 0 ]; then
  namespaces=()
  user=993:990
  chown 993:990 "$tmp"
  # The cgroups of finished sandboxes are empty, and only empty ones can be removed.
  rmdir /sys/fs/cgroup/{memory,pids}/framewright-* /sys/fs/cgroup/framewright-* 2>/dev/null || true
  if [ -d /sys/fs/cgroup/memory ]; then # version 1
    group="/sys/fs/cgroup/memory/framewright-$$"
    mkdir "$group"
    echo $((memory << 20)) > "$group/memory.limit_in_bytes"
  else
    group="/sys/fs/cgroup/framewright-$$"
    mkdir "$group"
    echo $((memory << 20)) > "$group/memory.max"
  fi
  echo $$ > "$group/cgroup.procs"
  # Of all sandboxes together, where processes are not counted by group: they have the same user.
  processes=""
  for counted in "/sys/fs/cgroup/pids/framewright-$$" "$group"; do
    [ -d "$counted" ] || mkdir "$counted" 2>/dev/null || continue
    [ -e "$counted/pids.max" ] || continue
    echo 1024 > "$counted/pids.max"
    echo $$ > "$counted/cgroup.procs"
    processes=unlimited
    break
  done
else
  if [ "$(cat /proc/sys/kernel/apparmor_restrict_unprivileged_userns 2>/dev/null)" = 1 ]; then
    echo "sandbox: this system lets only root make sandboxes: run it as root, or once" >&2
    echo "  sudo sysctl kernel.apparmor_restrict_unprivileged_userns=0" >&2
    exit 1
  fi
  echo "sandbox: not root, so without another user and without a limit of memory" >&2
  namespaces=(--user --map-root-user)
  user=- processes=""
fi

# shellcheck disable=SC2016 # the inner shell expands it
inner='
set -eu
root="$1" task="$2" tmp="$3" processes="$4"; shift 4
mount --bind "$root" "$root"
mount --bind "$task" "$root/var/task"
mount --bind "$tmp" "$root/tmp"
mount -t tmpfs -o size=64k,mode=755 none "$root/dev"
for device in null zero full random urandom; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
ln -s /proc/self/fd "$root/dev/fd"
mount -o remount,bind,ro "$root/dev"
mount -t proc none "$root/proc"
mount -o remount,bind,ro "$root/var/task"
mount -o remount,bind,ro "$root"
ulimit -n 1024
[ "$processes" = unlimited ] || ulimit -u 1024
exec "$@"
'
exec unshare "${namespaces[@]}" --mount --pid --ipc --uts --fork --kill-child --propagation private \
  bash -c "$inner" sandbox "$root" "$task" "$tmp" "$processes" \
  "$(command -v python3)" -I "$enter" "$root" /var/task "$user" "$refuses" "$@"
