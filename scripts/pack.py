"""Packs a binary as a Lambda `bootstrap`, the same bytes for the same binary, after checking that
it asks for no newer glibc than Lambda has. Usage: pack.py <binary> <zip> <glibc version>"""

import hashlib
import re
import sys
import zipfile
from pathlib import Path


def newest_glibc(binary: bytes) -> tuple[int, ...]:
    """The newest symbol version that the binary wants, from its string tables."""
    wanted = re.findall(rb"\0GLIBC_(\d+)\.(\d+)", binary)
    return max((tuple(map(int, version)) for version in wanted), default=(0, 0))


def main(binary_path: str, zip_path: str, glibc: str) -> None:
    binary = Path(binary_path).read_bytes()
    newest = newest_glibc(binary)
    if newest > tuple(map(int, glibc.split("."))):
        sys.exit(f"error: the binary wants glibc {'.'.join(map(str, newest))}; Lambda has {glibc}")
    if newest == (0, 0):
        sys.exit("error: the binary names no glibc version: is it linked as it should be?")

    # A fixed date, rights and compression: nothing in the zip tells when or where it was made.
    entry = zipfile.ZipInfo("bootstrap", (1980, 1, 1, 0, 0, 0))
    entry.create_system = 3
    entry.external_attr = 0o100755 << 16
    entry.compress_type = zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(zip_path, "w") as package:
        package.writestr(entry, binary, compresslevel=9)

    packed = Path(zip_path).read_bytes()
    print(f"{zip_path}: {len(packed) / 1e6:.2f} MB ({len(binary) / 1e6:.2f} MB unpacked), needs glibc {'.'.join(map(str, newest))}")
    print(f"sha256 {hashlib.sha256(packed).hexdigest()}")


if __name__ == "__main__":
    main(*sys.argv[1:])
