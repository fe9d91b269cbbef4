#!/usr/bin/env bash
# Sees to it that Debian packages are there: installs them where we are root, says one clear sentence where not.
#
#   usage: tools/packages.sh PURPOSE PACKAGE...     PURPOSE is named in the sentence
#          tools/packages.sh --tests                prints the packages that the tests use
#
# Exit code 0 where all are there, or where some are missing but their tests can be skipped; 1 where CI=true.
set -eu
if [ "${1:-}" = --tests ]; then
    echo redis-server nodejs chromium-headless-shell python3.11-doc prometheus iproute2 wget openssl hostname tinyproxy microsocks
    exit 0
fi
purpose=$1
shift

# What a package is wanted for: a file or a command, which may be there without the package.
present() {
    case $1 in
    python3-venv) python3 -c 'import ensurepip, venv' 2>/dev/null ;;
    nodejs) command -v node >/dev/null ;;
    chromium-headless-shell) command -v chromium-headless-shell >/dev/null || command -v chromium >/dev/null ;;
    iproute2) command -v ip >/dev/null ;;
    *-doc) [ -e "/usr/share/doc/${1%-doc}/html/index.html" ] ;;
    *) command -v "$1" >/dev/null || [ -x "/usr/sbin/$1" ] ;;
    esac
}
missing() { for package in "$@"; do present "$package" || echo "$package"; done; }

mapfile -t wanted < <(missing "$@")
[ ${#wanted[@]} -gt 0 ] || exit 0

if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
    echo "installing ${wanted[*]} with apt-get"
    log=$(mktemp)
    # RUNLEVEL=1: a package's service must not be started. path-include: small images leave out /usr/share/doc.
    install() {
        DEBIAN_FRONTEND=noninteractive RUNLEVEL=1 apt-get install -y -q --no-install-recommends --reinstall \
            -o Dpkg::Options::=--path-include='/usr/share/doc/*' "$@" >>"$log" 2>&1
    }
    install "${wanted[@]}" || { apt-get update -q >>"$log" 2>&1 && install "${wanted[@]}"; } ||
        { tail -n 5 "$log" >&2; for package in "${wanted[@]}"; do install "$package" || true; done; }
    rm -f "$log"
    mapfile -t wanted < <(missing "$@")
    [ ${#wanted[@]} -gt 0 ] || exit 0
    echo "quarry: for $purpose, apt-get could not install ${wanted[*]}" >&2
else
    echo "quarry: this machine lacks, for $purpose, ${wanted[*]}; on Debian, as root: apt-get install ${wanted[*]}" >&2
fi
[ "${CI:-}" != true ]
