#!/bin/sh
# The first start of a site's device, without internet: installs the packages that were carried along, opens the site's
# bundle, sets the radio and starts everything. Run again after a power cut it goes on; once done it does nothing.
# What happened is in first-boot.log beside this file, for who has only the card; no secret is in it.
set -u
folder=$(cd "$(dirname "$0")" && pwd)
root=${STEUNPUNT_ROOT:-}
steunpunt="$root/opt/steunpunt/.venv/bin/steunpunt"
config="$root/etc/steunpunt/site.toml"
log="$folder/first-boot.log"

say() { echo "steunpunt: $*" >> "$log"; sync "$log" 2>/dev/null || true; }
fail() { say "FAILED: $*"; exit 1; }

[ -f "$folder/site.bundle" ] || exit 0
say "first start"

say "installing packages"
# Without sources nothing is fetched, also where there happens to be internet: what is carried along is what runs.
DEBIAN_FRONTEND=noninteractive apt-get -q -y --no-install-recommends \
  -o Dir::Etc::sourcelist=/dev/null -o Dir::Etc::sourceparts=/dev/null -o DPkg::Lock::Timeout=300 \
  -o Dpkg::Options::=--force-confold install "$folder"/packages/*.deb >> "$log" 2>&1 \
  || fail "the packages could not be installed; is one that they need missing from packages/?"

say "opening the bundle"
"$steunpunt" fleet open "$folder/site.bundle" --to "$root/" --code-stdin < "$folder/site.code" >> "$log" 2>&1 \
  || fail "the bundle could not be opened; flash the card again"

if [ -f "$folder/technician.pub" ]; then
  id technicus >/dev/null 2>&1 || useradd --create-home --shell /bin/bash --groups sudo technicus || fail "no technicus"
  usermod -aG steunpunt-control technicus
  install -d -m 0700 -o technicus -g technicus "$root/home/technicus/.ssh"
  install -m 0600 -o technicus -g technicus "$folder/technician.pub" "$root/home/technicus/.ssh/authorized_keys"
  echo 'technicus ALL=(ALL) NOPASSWD: ALL' > "$root/etc/sudoers.d/technicus" && chmod 0440 "$root/etc/sudoers.d/technicus"
  systemctl enable --now ssh.service >> "$log" 2>&1 || say "ssh does not start"
fi
# Asks for a user name on the screen, where nobody is.
systemctl disable userconfig.service >/dev/null 2>&1 || true

systemd-tmpfiles --create >> "$log" 2>&1 || true
systemctl daemon-reload
"$steunpunt" check "$config" >> "$log" 2>&1 || say "the config has mistakes, see above"
say "setting the radio"
"$steunpunt" radio apply "$config" >> "$log" 2>&1 || say "the radio is not set yet: type steunpunt radio apply"

systemctl restart mosquitto.service >> "$log" 2>&1 || say "mosquitto does not start"
if [ -f "$root/etc/NetworkManager/system-connections/steunpunt-hotspot.nmconnection" ]; then
  systemctl enable --now steunpunt-hotspot.service >> "$log" 2>&1 || say "what phones may reach is not limited yet"
  systemctl restart NetworkManager.service >> "$log" 2>&1 || say "the wifi does not start"
fi
systemctl enable --now steunpunt-node.service steunpunt-web.service steunpunt-broker-restart.path steunpunt.target \
  >> "$log" 2>&1 || fail "the units do not start"

# The secrets leave the partition that every computer can read. A card may keep old blocks: it counts as secret for ever.
for secret in site.code site.bundle; do
  size=$(wc -c < "$folder/$secret")
  head -c "$size" /dev/zero | dd of="$folder/$secret" conv=notrunc,fsync 2>/dev/null
  rm -f "$folder/$secret"
done
[ ! -d "$root/etc/cloud" ] || touch "$root/etc/cloud/cloud-init.disabled"
systemctl disable steunpunt-first-boot.service >/dev/null 2>&1 || true
say "done: this is $("$steunpunt" check "$config" 2>/dev/null | head -n 1 | sed 's/.*good\. //')"
sync
