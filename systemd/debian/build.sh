#!/bin/sh
# Builds the Debian package: build.sh ARCH WHEELS VERSION OUT. WHEELS holds steunpunt's own wheel and all that it needs, and
# the text coder for ARCH; without it the package works, and its texts take longer.
# Run by `make deb`, in the project's folder.
set -eu
arch=$1 wheels=$2 version=$3 out=$4
name=steunpunt_${version}_$arch
root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"
put() { install -D -m "$1" "$2" "$root/$3"; }

base=opt/steunpunt
mkdir -p "$root/$base/wheels"
cp "$wheels"/*.whl "$root/$base/wheels/"
[ ! -f "$wheels/textcoder.so" ] || put 644 "$wheels/textcoder.so" $base/native/textcoder.so
# What the environment gets: the lock's versions, whose hashes were checked when they were downloaded.
{ sed -n 's/^\([A-Za-z0-9_.-]*==[^ \\]*\).*/\1/p' config/lock/run.txt; echo "steunpunt==$version"; } \
  > "$root/$base/requirements.txt"
for file in README.md CHANGELOG.md ARCHITECTURE.md LICENSE; do put 644 $file $base/$file; done
find config docs -type f ! -path '*/.*' -print0 | tar -c --null -T - --mode=u=rw,go=r | tar -x -p -C "$root/$base"
for file in systemd/*.service systemd/*.path systemd/*.target; do put 644 "$file" "usr/lib/systemd/system/${file##*/}"; done
put 644 systemd/mosquitto.service.d/steunpunt.conf usr/lib/systemd/system/mosquitto.service.d/steunpunt.conf
put 644 systemd/steunpunt-node.service.d/power.conf $base/systemd/steunpunt-node.service.d/power.conf
put 644 systemd/sysusers.d/steunpunt.conf usr/lib/sysusers.d/steunpunt.conf
put 644 systemd/tmpfiles.d/steunpunt.conf usr/lib/tmpfiles.d/steunpunt.conf
put 644 systemd/udev/60-steunpunt-power.rules usr/lib/udev/rules.d/60-steunpunt-power.rules
put 644 systemd/polkit/steunpunt.rules usr/share/polkit-1/rules.d/steunpunt.rules
put 644 LICENSE usr/share/doc/steunpunt/copyright
mkdir -p "$root/usr/bin"
ln -s /opt/steunpunt/.venv/bin/steunpunt "$root/usr/bin/steunpunt"

mkdir "$root/DEBIAN"
size=$(du -sk "$root" | cut -f1)
sed -e "s|@VERSION@|$version|; s|@ARCH@|$arch|; s|@SIZE@|$size|; s|@MAINTAINER@|${DEB_MAINTAINER:-steunpunt <root@localhost>}|" \
  systemd/debian/control.in > "$root/DEBIAN/control"
for script in preinst postinst prerm postrm; do
  sed -e "s|@VERSION@|$version|; s|@NONE@|^-|" systemd/debian/$script > "$root/DEBIAN/$script"
  chmod 755 "$root/DEBIAN/$script"
done
(cd "$root" && find opt usr -type f -exec md5sum {} + > DEBIAN/md5sums)
mkdir -p "$out"
# Wheels are packed already.
dpkg-deb --build --root-owner-group -Zgzip -z1 "$root" "$out/$name.deb"
