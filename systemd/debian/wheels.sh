#!/bin/sh
# Gathers the wheels of the lock for a Debian architecture and for Python 3.11 and 3.13: wheels.sh PYTHON ARCH OUT. Needs
# the package index; pip compares each wheel with the lock's hash.
set -eu
python=$1 arch=$2 out=$3
case $arch in
  arm64) machine=aarch64 ;;
  amd64) machine=x86_64 ;;
  *) echo "architecture $arch: write arm64 or amd64" >&2; exit 1 ;;
esac
lock=$(mktemp)
trap 'rm -f "$lock"' EXIT
mkdir -p "$out"
for version in 311 313; do
  # pip judges markers by the machine that it runs on; what is meant for a Pi is wanted for arm64 alone.
  if [ "$arch" = arm64 ]; then
    sed 's/ ; .*platform_machine[^\\]*/ /' config/lock/run.txt > "$lock"
  else
    cp config/lock/run.txt "$lock"
  fi
  if [ "$version" != 311 ]; then
    # lgpio has a wheel for 3.11 only; newer systems bring their own (docs/adr/0003).
    awk '/^lgpio==/ { skip = 1; next } /^[^ ]/ { skip = 0 } !skip' "$lock" > "$lock.less" && mv "$lock.less" "$lock"
  fi
  set -- --platform "linux_$machine"
  for glibc in 17 26 27 28 31 34 35 36; do set -- "$@" --platform "manylinux_2_${glibc}_$machine"; done
  "$python" -m pip --disable-pip-version-check --no-input download --quiet --no-deps --require-hashes \
    --only-binary=:all: --platform "manylinux2014_$machine" "$@" --python-version $version --implementation cp \
    --abi cp$version --abi abi3 --abi none --dest "$out" -r "$lock"
done
