#!/bin/sh
# Makes nginx and wrk available: those of the machine, or Debian's packages unpacked into a folder of ours.
# Never installs or starts anything on the machine; where it cannot, it says so and what needs them is left out.
set -u
into=$1
missing=""
for tool in nginx wrk; do
    PATH="$PATH:/usr/sbin:/usr/local/sbin:$into/usr/sbin:$into/usr/bin" command -v "$tool" >/dev/null || missing="$missing $tool"
done
[ -z "$missing" ] && exit 0

give_up() {
    echo "neighbours: no$missing ($1); tests and measurements that need them are left out" >&2
    exit 0
}
command -v apt-get >/dev/null && command -v dpkg-deb >/dev/null || give_up "this machine has no apt"

work=$(mktemp -d) || exit 1
trap 'rm -rf "$work"' EXIT
packages=""
case $missing in *nginx*) packages="nginx-light nginx" ;; esac
case $missing in *wrk*) packages="$packages wrk libluajit-5.1-2" ;; esac
fetch() { (cd "$work" && for p in $packages; do apt-get -qq download "$p" 2>/dev/null || true; done); }
fetch
if ! ls "$work"/*.deb >/dev/null 2>&1; then
    # A fresh image has no package lists. They are the one thing that is fetched for the machine, if that is allowed.
    if [ "$(id -u)" = 0 ]; then apt-get -qq update >/dev/null 2>&1
    elif sudo -n true 2>/dev/null; then sudo -n apt-get -qq update >/dev/null 2>&1; fi
    fetch
fi
ls "$work"/*.deb >/dev/null 2>&1 || give_up "the packages could not be fetched"
mkdir -p "$into"
for deb in "$work"/*.deb; do dpkg-deb -x "$deb" "$into" || give_up "a package could not be unpacked"; done
