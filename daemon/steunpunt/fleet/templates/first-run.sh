#!/bin/sh
# Raspberry Pi OS without cloud-init runs this at the first start, too early to install anything: it leaves a unit for the
# next start, which comes by itself.
set -eu
folder=$(cd "$(dirname "$0")" && pwd)
root=${STEUNPUNT_ROOT:-}
mkdir -p "$root/etc/systemd/system/multi-user.target.wants"
cat > "$root/etc/systemd/system/steunpunt-first-boot.service" <<UNIT
[Unit]
Description=Noodsteunpunt: becomes its site
ConditionPathExists=$folder/site.bundle
After=local-fs.target
[Service]
Type=oneshot
ExecStart=/bin/sh $folder/first-boot.sh
TimeoutStartSec=1800
[Install]
WantedBy=multi-user.target
UNIT
ln -sf ../steunpunt-first-boot.service "$root/etc/systemd/system/multi-user.target.wants/steunpunt-first-boot.service"
# Once is enough.
sed -i 's/ systemd\.[a-z_]*=[^ ]*//g' "$folder/../cmdline.txt"
