# shellcheck shell=bash
# What happens to the packages that makepkg left in pkgout: analysis, removal of prohibited fields,
# compression. Sourced by build.sh.

# Fillers stood for the packages that the target repository holds already.
remove_fillers() {
  find "$PKGOUT" -maxdepth 1 -type f -empty -delete
}

# Only regular files that are named like a package may leave the container.
remove_foreign_files() {
  local entry name
  while IFS= read -r -d '' entry; do
    name=${entry##*/}
    if [[ -f $entry && ! -L $entry && $name == *.pkg.tar ]]; then
      continue
    fi
    warn "removed from pkgout, as it is no package: $name"
    rm -rf -- "$entry"
  done < <(find "$PKGOUT" -mindepth 1 -maxdepth 1 -print0)
}

list_packages() {
  find "$PKGOUT" -maxdepth 1 -type f -name '*.pkg.tar' -print0 | sort -z
}

# An analysis is a service to the reader; nothing depends on it.
analyse_packages() {
  type -P namcap >/dev/null || return 0
  local report=$TEMP_OUT/$PKGBASE.namcap
  say "Analysing with namcap"
  if ! as_builder timeout --kill-after=5 300 namcap "$@" >"$report" 2>&1; then
    warn "namcap could not analyse $PKGBASE; its report may be incomplete"
  fi
}

# One field of a package's .PKGINFO.
# package_field FILE KEY
package_field() {
  bsdtar -xOqf "$1" .PKGINFO | sed -nE "s/^$2 = (.*)\$/\\1/p"
}

# Rewrites the line of .PKGINFO in .MTREE, as size and digests of the rewritten file differ.
# renew_mtree FOLDER
renew_mtree() {
  local folder=$1 size md5 sha256
  size=$(stat -c %s "$folder/.PKGINFO")
  md5=$(md5sum <"$folder/.PKGINFO")
  sha256=$(sha256sum <"$folder/.PKGINFO")
  gzip -dc "$folder/.MTREE" \
    | sed -E "/^\\.\\/\\.PKGINFO /{
        s/ size=[0-9]+/ size=$size/
        s/ md5digest=[0-9a-f]+/ md5digest=${md5%% *}/
        s/ sha256digest=[0-9a-f]+/ sha256digest=${sha256%% *}/
      }" \
    | gzip -c -n >"$folder/.MTREE.new"
  touch -r "$folder/.PKGINFO" "$folder/.MTREE.new"
  mv "$folder/.MTREE.new" "$folder/.MTREE"
}

# Writes FILE to standard output without `replaces` and `groups` in its .PKGINFO. The payload is
# streamed from the old archive as it is; the metadata files stay first and in their order.
# without_prohibited FILE FOLDER
without_prohibited() {
  local file=$1 folder=$2 metadata added=() excludes=() name
  # Metadata files come first in a package, so the listing can stop at the first other name.
  mapfile -t metadata < <(bsdtar -tf "$file" | sed -nE '/^\.[A-Z]+$/!q;p')
  # Exclusions hold for files and for the old archive alike, so the new files sit in a folder of
  # their own that is cut off their names again.
  folder=$folder/.caur-metadata
  mkdir "$folder"
  bsdtar -xf "$file" -C "$folder" "${metadata[@]}"
  cp -p "$folder/.PKGINFO" "$folder/.PKGINFO.old"
  sed -E '/^(replaces|group) = /d' "$folder/.PKGINFO.old" >"$folder/.PKGINFO"
  touch -r "$folder/.PKGINFO.old" "$folder/.PKGINFO"
  rm "$folder/.PKGINFO.old"
  if [[ -f $folder/.MTREE ]]; then
    renew_mtree "$folder"
  fi
  for name in "${metadata[@]}"; do
    excludes+=(--exclude "^$name\$")
    added+=(".caur-metadata/$name")
  done
  LC_ALL=C bsdtar --no-fflags -cnf - "${excludes[@]}" -s '|^\.caur-metadata/||' \
    -C "${folder%/*}" "${added[@]}" "@$file"
}

# Compresses one package, and rewrites it on the way where its .PKGINFO holds prohibited fields.
# finish_package FILE
finish_package() {
  local file=$1 name=${1##*/} folder fields=()
  if [[ -z $(package_field "$file" pkgname) ]]; then
    fail "$STATUS_FAILED" "packaging" "$name holds no .PKGINFO with a pkgname" "makepkg did not write this file; look at what the PKGBUILD puts into PKGDEST"
  fi
  if [[ $(config_value .CI/config BUILDER_ALLOW_PROHIBITED) != true ]]; then
    mapfile -t fields < <(bsdtar -xOqf "$file" .PKGINFO | sed -nE 's/^(replaces|group) = .*/\1/p' | sort -u)
  fi

  folder=$(mktemp -d)
  if ((${#fields[@]} > 0)); then
    without_prohibited "$file" "$folder" | compress >"$file.zst.part"
    applied "${fields[*]} stripped from ${name%.pkg.tar}"
  else
    compress <"$file" >"$file.zst.part"
  fi
  rm -rf "$folder"
  mv "$file.zst.part" "$file.zst"
  rm "$file"
  say "Package: $name.zst ($(stat -c %s "$file.zst") bytes)"
}

compress() {
  zstd -q -c -T0 "-${BUILDER_ZSTD_LEVEL:-10}"
}
