#!/bin/sh
# Brings Debian's newest git-annex to DIR, beside the one that is installed: unpacked, with the libraries that it needs, and
# made to find them by itself, so that what it starts has those of the system. Nothing is installed but patchelf.
set -eu
dir=$1
test ! -x "$dir/bin/git-remote-p2p-annex" || exit 0
rm -rf "$dir"
mkdir -p "$dir/apt/lists/partial" "$dir/apt/cache/archives/partial" "$dir/apt/parts" "$dir/debs" "$dir/root" "$dir/bin"
dir=$(cd "$dir" && pwd)

fail() { echo "git-annex-new: $*" >&2; exit 1; }

# From where this system has its packages: an index of its main component says it.
mirror=$(apt-get indextargets --format '$(REPO_URI) $(SUITE)' 'Identifier: Packages' 'Component: main' |
	awk '$2 !~ /security|updates|backports/ { print $1; exit }')
test -n "$mirror" || fail "apt-get update has not run, or this is no Debian"
command -v patchelf >/dev/null || DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends patchelf

# apt with a state of its own: it takes nothing for installed.
echo "deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] $mirror sid main" > "$dir/apt/sources"
: > "$dir/apt/status"
cat > "$dir/apt/conf" <<CONF
Dir::Etc::SourceList "$dir/apt/sources";
Dir::Etc::SourceParts "$dir/apt/parts";
Dir::State::Lists "$dir/apt/lists";
Dir::State::Status "$dir/apt/status";
Dir::Cache "$dir/apt/cache";
APT::Install-Recommends "false";
APT::Sandbox::User "root";
Debug::NoLocking "true";
CONF
export APT_CONFIG="$dir/apt/conf"
apt-get update -qq || fail "Debian's newest packages are not to be had here"
libraries=$(apt-get install -s git-annex | awk '$1 == "Inst" && $2 ~ /^lib/ && $2 !~ /perl/ { print $2 }')
test -n "$libraries" || fail "apt-get finds no libraries for git-annex"
(cd "$dir/debs" && apt-get download -qq git-annex $libraries)
unset APT_CONFIG
for deb in "$dir"/debs/*.deb; do
	dpkg-deb -x "$deb" "$dir/root"
done

# A sid may have its libraries in /lib or in /usr/lib.
loader=$(find "$dir/root" -name 'ld-linux*.so.*' | head -n 1)
test -n "$loader" || fail "the C library has no loader"
paths=$(find "$dir/root" -name '*.so.*' -printf '%h\n' | sort -u | paste -s -d :)
cp "$dir/root/usr/bin/git-annex" "$dir/bin/git-annex"
patchelf --set-interpreter "$loader" --force-rpath --set-rpath "$paths" "$dir/bin/git-annex"
for name in git-annex-shell git-remote-annex git-remote-p2p-annex; do
	ln -s git-annex "$dir/bin/$name"
done
"$dir/bin/git-annex" version --raw || { rm -rf "$dir/bin"; fail "it does not run"; }
echo
rm -rf "$dir/debs" "$dir/apt"
