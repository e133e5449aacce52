#!/usr/bin/env bash
# Makes stand-ins for the base images on a machine that reaches no registry, from Debian's packages:
#
#   local/debian:12     debootstrap's smallest system, without documentation
#   local/alpine        NOT Alpine: musl's loader of Debian's `musl`, and busybox
#   local/postgres:15   the Debian stand-in with Debian's postgresql-15, started as the official image is
#
# Each has the label `stand-in`, which every image made from it inherits, so that a report can say so. Nothing is
# called by an official image's name: DEBIAN_IMAGE, ALPINE_IMAGE and POSTGRES_IMAGE (build arguments and variables
# of compose.yaml) take their place. `--tiny` makes the first two from files of this machine, in a second: for tests.
#
# It needs root, apt-get, Docker, and for the first image some minutes.
set -euo pipefail
cd "$(dirname "$0")"

engine=${ENGINE:-docker}
suite=bookworm
mirror=${DEBIAN_MIRROR:-http://deb.debian.org/debian}
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

say() { echo "local-bases: $*" >&2; }
fail() { say "$*"; exit 1; }

need() {
    command -v "$1" >/dev/null && return
    command -v apt-get >/dev/null || fail "$1 is not there, nor apt-get to install it with"
    say "installing $2"
    apt-get install -y -qq --no-install-recommends "$2" >/dev/null ||
        fail "$2 could not be installed; is apt-get update due, or are you not root?"
}

# import ROOT IMAGE WORDS: a folder becomes an image of one layer.
import() {
    local import=("$engine" import --change "LABEL stand-in=\"$3\"" --change 'CMD ["/bin/sh"]' --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin')
    tar --directory "$1" --sort=name --numeric-owner --mtime=@0 --create . | "${import[@]}" - "$2" >/dev/null
    say "$2 ($("$engine" image inspect --format '{{.Size}}' "$2") bytes): $3"
}

# unpack PACKAGE: the files of a Debian package, without installing it.
unpack() {
    mkdir -p "$work/$1"
    (cd "$work/$1" && apt-get download -qq -o APT::Sandbox::User=root "$1" && dpkg-deb --extract ./*.deb files) ||
        fail "Debian's package $1 could not be fetched; is apt-get update due?"
}

skeleton() {
    mkdir -p "$1"/{bin,etc,lib,proc,sys,dev,tmp,root,usr/local/bin,var}
    chmod 1777 "$1/tmp"
    printf 'root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n' >"$1/etc/passwd"
    printf 'root:x:0:\nnobody:x:65534:\n' >"$1/etc/group"
    printf 'ID=stand-in\nPRETTY_NAME="%s"\n' "$2" >"$1/etc/os-release"
}

debian() {
    local root=$work/debian-root
    need debootstrap debootstrap
    say "debootstrap takes one to five minutes"
    debootstrap --variant=minbase "$suite" "$root" "$mirror" >"$work/debootstrap.log" 2>&1 ||
        { tail -20 "$work/debootstrap.log" >&2; fail "debootstrap failed; its last words are above"; }
    # As the official slim image leaves them out.
    rm -rf "$root"/usr/share/{doc,man,info,locale,groff,lintian}/* "$root"/var/cache/apt/*.bin \
        "$root"/var/cache/apt/archives/*.deb "$root"/var/lib/apt/lists/* "$root"/var/log/*
    import "$root" local/debian:12 "debootstrap minbase $suite $(cat "$root/etc/debian_version"), not the official image"
}

alpine() {
    local root=$work/alpine-root version
    skeleton "$root" "musl and busybox of Debian, not Alpine"
    unpack musl
    unpack busybox-static
    version=$(basename "$work"/musl/musl_*.deb | cut -d_ -f2)
    # Alpine's loader is its C library, as upstream's is.
    cp "$work"/musl/files/lib/x86_64-linux-musl/libc.so "$root/lib/ld-musl-x86_64.so.1"
    cp "$work"/busybox-static/files/bin/busybox "$root/bin/busybox"
    for name in sh ls cat env id ps sleep uname; do ln -s busybox "$root/bin/$name"; done
    import "$root" local/alpine "Debian's musl $version and busybox, not Alpine"
}

postgres() {
    local context=$work/postgres
    mkdir -p "$context"
    cp postgres-stand-in.sh "$context/docker-entrypoint.sh"
    cat >"$context/Dockerfile" <<'FILE'
FROM local/debian:12
ARG MIRROR
RUN echo "deb $MIRROR bookworm main" >/etc/apt/sources.list \
 && apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends postgresql-15 \
 && rm -rf /var/lib/apt/lists/* /var/cache/apt/* /var/lib/postgresql/15 /usr/share/doc /usr/share/man \
 && mkdir -p /var/lib/postgresql/data && chown postgres:postgres /var/lib/postgresql/data && chmod 700 /var/lib/postgresql/data
COPY docker-entrypoint.sh /usr/local/bin/
ENV PATH=/usr/lib/postgresql/15/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin PGDATA=/var/lib/postgresql/data
LABEL stand-in="Debian's postgresql-15 with an entry point of its own, not the official image"
VOLUME /var/lib/postgresql/data
EXPOSE 5432
STOPSIGNAL SIGINT
USER postgres
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["postgres"]
FILE
    "$engine" build --network host --build-arg "MIRROR=$mirror" --tag local/postgres:15 "$context" >"$work/postgres.log" 2>&1 ||
        { tail -20 "$work/postgres.log" >&2; fail "local/postgres:15 could not be built; the engine's last words are above"; }
    say "local/postgres:15 ($("$engine" image inspect --format '{{.Size}}' local/postgres:15) bytes)"
}

# This machine's own C library and its loader, and what the program needs beside them.
tiny_debian() {
    local root=$work/tiny-debian library
    skeleton "$root" "the C library of this machine, not Debian"
    mkdir -p "$root/lib64" "$root/lib/x86_64-linux-gnu"
    cp -L /lib64/ld-linux-x86-64.so.2 "$root/lib64/"
    for library in libc.so.6 libm.so.6 libgcc_s.so.1 libpthread.so.0 libdl.so.2 librt.so.1; do
        cp -L "/lib/x86_64-linux-gnu/$library" "$root/lib/x86_64-linux-gnu/"
    done
    import "$root" local/tiny-debian "the C library of the machine that made it, not Debian"
}

tiny_alpine() {
    local root=$work/tiny-alpine
    skeleton "$root" "nothing but a root file system, not Alpine"
    # Where Debian's musl is installed, its loader; the static build needs none.
    if [ -e /lib/x86_64-linux-musl/libc.so ]; then
        cp -L /lib/x86_64-linux-musl/libc.so "$root/lib/ld-musl-x86_64.so.1"
    fi
    import "$root" local/tiny-alpine "a root file system with the musl of the machine that made it, if any, not Alpine"
}

"$engine" info >/dev/null 2>&1 || fail "no container engine answers (\`$engine info\` fails)"
if [ "${1:-}" = --tiny ]; then
    tiny_debian
    tiny_alpine
    printf 'export DEBIAN_IMAGE=local/tiny-debian ALPINE_IMAGE=local/tiny-alpine\n'
    exit
fi
debian
alpine
postgres
# For `eval "$(docker/local-bases.sh)"`.
printf 'export DEBIAN_IMAGE=local/debian:12 ALPINE_IMAGE=local/alpine POSTGRES_IMAGE=local/postgres:15\n'
