#!/bin/bash
# A real V4L2 camera without a kernel module on this machine: Debian's kernel in software-emulated QEMU, its vivid driver,
# and this machine's root (read-only, under an overlay) as the guest's, so that the same Python runs there.
#
#   v4l2_vm.sh prepare                                      fetches the kernel (71 MB, of which 11 MB are kept), once
#   v4l2_vm.sh [-i] [-s DIR]... [-m SECONDS] COMMAND [ARG]...
#
# -i: first boot systemd and udev as PID 1. -s: a folder that the guest sees at the same path, writable. Its output is
# COMMAND's output, its exit code COMMAND's; 124 timed out, 125 the guest did not get as far as COMMAND. The guest has no
# network, a fresh /tmp and /run, /dev/video0, and on its PATH `vivid` (vivid.sh: stall, lose, ...).
# Needs Debian's qemu-system-x86 busybox-static v4l-utils; with -i systemd-sysv and dbus.
set -eu
shares=() limit=120 init=
while getopts is:m: o; do case $o in i) init=1;; s) shares+=("$(realpath "$OPTARG")");; m) limit=$OPTARG;; *) exit 2;; esac; done
shift $((OPTIND - 1))
cache=${V4L2_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/v4l2-vm}
modules="virtio_pci 9p 9pnet_virtio overlay vivid"

prepare() {
    mkdir -p "$cache"
    build=$(mktemp -d "$cache/build.XXXXXX"); trap 'rm -rf "$build"' EXIT
    ( cd "$build"
      apt-get -qq -o APT::Sandbox::User=root download udev "$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: //p')"
      dpkg-deb -x udev_*.deb extra; dpkg-deb -x linux-*.deb x
      rm -r extra/lib/udev/hwdb.d; cp -a extra/lib extra/bin extra/usr; rm -r extra/lib extra/bin     # merged /usr
      version=$(ls x/lib/modules)
      ( cd "x/lib/modules/$version" && busybox depmod -b "$build/x" "$version" )
      mkdir -p fs/bin fs/m fs/proc fs/sys fs/dev fs/root fs/lower fs/upper
      cp /usr/bin/busybox fs/bin/ 2>/dev/null || cp /bin/busybox fs/bin/
      mv extra fs/
      for want in $modules; do                                   # each after what it needs
          sed -n "s,^\([^:]*/$want.ko\):\(.*\),\2 \1,p" "x/lib/modules/$version/modules.dep" | tr ' ' '\n' | awk NF |
              { if [ "$want" = vivid ]; then tac; echo; else cat; fi; }
      done | awk 'NF && !seen[$0]++' > list
      while read -r m; do cp "x/lib/modules/$version/$m" fs/m/; basename "$m"; done < list > fs/m/list
      cat > fs/init <<'I'
#!/bin/busybox sh
b=/bin/busybox
$b mount -t proc p /proc; $b mount -t sysfs s /sys; $b mount -t devtmpfs d /dev
todo=$($b cat /m/list); for try in 1 2 3 4 5; do left=; for m in $todo; do
    case $m in vivid.ko) args="n_devs=1 node_types=0x1 num_inputs=1 input_types=0";; *) args=;; esac
    $b insmod /m/$m $args 2>/dev/null || left="$left $m"; done; todo=$left; [ "$todo" ] || break; done
[ "$todo" ] && echo "not loaded: $todo"
o=trans=virtio,version=9p2000.L,msize=512000
$b mount -t 9p -o $o,ro,cache=loose root /lower
$b mount -t tmpfs t /upper; $b mkdir /upper/u /upper/w; $b cp -a /extra/. /upper/u/
$b mount -t overlay -o lowerdir=/lower,upperdir=/upper/u,workdir=/upper/w o /root
for d in proc sys dev; do $b mount --move /$d /root/$d; done
for d in tmp run; do $b mount -t tmpfs t /root/$d; done
$b cp -r /m /root/run/modules
$b mkdir -p /root/dev/shm /root/run/vm; $b mount -t tmpfs t /root/dev/shm
$b mount -t 9p -o $o job /root/run/vm
exec $b switch_root /root /bin/bash /run/vm/go
I
      chmod +x fs/init
      ( cd fs && find . | busybox cpio -o -H newc 2>/dev/null | gzip -1 ) > initrd
      mv x/boot/vmlinuz-* "$cache/vmlinuz"; mv initrd "$cache/initrd" )
    rm -rf "$build"; trap - EXIT
}

if [ "${1-}" = prepare ]; then
    [ "$cache/initrd" -nt "$0" ] || prepare
    exit
fi
if [ ! -e "$cache/initrd" ]; then
    echo "no kernel yet: $0 prepare" >&2
    exit 125
fi

job=$(mktemp -d --tmpdir v4l2-vm.XXXXXX); trap 'rm -rf "$job"' EXIT
n=0 mounts= devices=()
for s in "${shares[@]}"; do
    devices+=(-virtfs "local,path=$s,mount_tag=s$n,security_model=none,multidevs=remap")
    mounts+="mkdir -p '$s'; mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000 s$n '$s'"$'\n'; n=$((n + 1))
done
{ printf 'exec </dev/null >/run/vm/out 2>&1\nexport PATH=/run/vm:%q HOME=/root LANG=C.UTF-8\nip link set lo up\n%s' "$PATH" "$mounts"
  printf 'cd %q 2>/dev/null || cd /\n' "$PWD"; printf '%q ' "$@"
  printf '\necho $? >/run/vm/rc; sync; echo o >/proc/sysrq-trigger; sleep 9\n'; } > "$job/job"
printf '[Unit]\nWants=dbus.socket\nAfter=basic.target dbus.socket\n[Service]\nType=exec\nExecStart=/bin/bash /run/vm/job\n' > "$job/job.service"
[ $init ] && cat > "$job/go" <<'I' || cp "$job/job" "$job/go"
rm -f /.dockerenv                                               # or systemd takes the guest for a container
mkdir -p /run/systemd/system; cp /run/vm/job.service /run/systemd/system/
exec /usr/lib/systemd/systemd --unit=job.service
I
: > "$job/out"; cp "$(dirname "$0")/vivid.sh" "$job/vivid"
die="setpriv --pdeathsig KILL"                                  # killed with its parent, whatever ends that
$die timeout -k 5 "$limit" $die qemu-system-x86_64 -accel tcg,thread=multi -cpu Nehalem -smp 2 -m 1536 \
    -nodefaults -no-user-config -no-reboot -display none -serial "file:$job/console" \
    -kernel "$cache/vmlinuz" -initrd "$cache/initrd" -append "console=ttyS0 quiet panic=-1 mitigations=off fstab=no systemd.show_status=0 systemd.firstboot=no" \
    -virtfs local,path=/,mount_tag=root,security_model=none,multidevs=remap,readonly=on \
    -virtfs "local,path=$job,mount_tag=job,security_model=none" "${devices[@]}" </dev/null 2>"$job/qemu" && end=0 || end=$?
cat "$job/out"
[ -e "$job/rc" ] && exit "$(cat "$job/rc")"
cat "$job/qemu" "$job/console" >&2
[ "$end" = 124 ] && exit 124
exit 125
