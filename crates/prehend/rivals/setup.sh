#!/usr/bin/env bash
# Makes the virtual environment of one rival, with pinned versions. Running it again changes nothing.
#
#   setup.sh mujoco|robosuite|maniskill DIR      -> DIR/NAME/bin/python
#
# Needs python3 (3.11 or newer) with venv, and pip's configured index. ManiSkill also needs a Vulkan driver of
# Mesa 24.3 or newer: on Debian 12, which has an older one, Mesa 25 from its backports is unpacked
# into the virtual environment (nothing is installed into the system).
set -euo pipefail

here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

fail() {
    echo "setup.sh: $*" >&2
    exit 1
}

[[ $# -eq 2 ]] || fail "usage: setup.sh mujoco|robosuite|maniskill DIR"
name=$1
pins=$here/requirements/$name.txt
[[ -f $pins ]] || fail "no rival is called '$name': mujoco, robosuite, maniskill"
mkdir -p "$2"
venv=$(cd "$2" && pwd)/$name
stamp=$venv/.installed

install_python() {
    if [[ -f $stamp ]] && cmp -s "$pins" "$stamp"; then
        echo "$name: up to date in $venv"
        return
    fi
    echo "$name: installing into $venv"
    python3 -m venv "$venv"
    "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$pins" \
        || fail "$name: pip could not install $pins (is the package index reachable?)"
    "$venv/bin/pip" check --disable-pip-version-check || fail "$name: the pinned versions do not fit together"
    cp "$pins" "$stamp"
    echo "$name: installed $(wc -l <"$pins") packages"
}

# Unpacks packages of Debian's backports below $1, through an apt that knows its own sources and lists only.
unpack_mesa() (
    root=$1
    sources=/etc/apt/sources.list.d/debian.sources
    command -v apt-get >/dev/null && [[ -f $sources ]] || exit 1
    work=$(mktemp -d)
    trap 'rm -rf "$work"' EXIT
    mkdir -p "$work"/{lists/partial,cache/archives/partial,debs}
    # The machine's own archive, with backports added; its security archive has none.
    awk 'BEGIN { RS = ""; ORS = "\n\n" } !/-security/' "$sources" \
        | sed -e '/^#/d' -e 's/^Suites:.*/Suites: bookworm bookworm-updates bookworm-backports/' \
        >"$work/debian.sources"
    apt=(apt-get -qq -o Dir::Etc::sourceparts=- -o "Dir::Etc::sourcelist=$work/debian.sources"
        -o "Dir::State::lists=$work/lists" -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root)
    "${apt[@]}" update || exit 1
    (cd "$work/debs" && "${apt[@]}" -t bookworm-backports download \
        mesa-vulkan-drivers libvulkan1 libdrm2 libdrm-amdgpu1) || exit 1
    mkdir -p "$root.part"
    for deb in "$work"/debs/*.deb; do
        dpkg -x "$deb" "$root.part"
        echo "$name: unpacked $(basename "$deb")"
    done
    rm -rf "$root"
    mv "$root.part" "$root"
)

install_vulkan() {
    local root=$venv/vulkan
    if [[ -f $root/usr/share/vulkan/icd.d/lvp_icd.json ]]; then
        echo "$name: has its Vulkan driver"
    elif grep -qs '^VERSION_CODENAME=bookworm' /etc/os-release && unpack_mesa "$root"; then
        # Even if the system has a driver: Debian 12's own is too old.
        echo "$name: has its Vulkan driver in $root"
    elif compgen -G "/usr/share/vulkan/icd.d/*.json" >/dev/null; then
        echo "$name: uses the system's Vulkan driver"
    else
        echo "$name: no Vulkan driver: ManiSkill will say that it does not run" >&2
    fi
}

install_python
if [[ $name == maniskill ]]; then
    install_vulkan
fi
