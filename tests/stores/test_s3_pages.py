"""A page of a listing of S3 gives the same entries by the quick way and by the other, whatever server wrote it."""

from __future__ import annotations

import pytest

from ess.stores.s3 import _entries, _from_url, _from_xml
from ess.stores.store import Entry

MOMENT = "2026-11-01T00:00:00.000Z"


@pytest.mark.parametrize("tag", ["&quot;a1&quot;", '"a1"', "a1"])
@pytest.mark.parametrize("checksum", ["", "<ChecksumAlgorithm>CRC32</ChecksumAlgorithm>"])
def test_tags_and_checksums(tag: str, checksum: str) -> None:
    """Tags are quoted or not; a checksum may stand behind one."""
    page = (
        f"<Contents><Key>k</Key><LastModified>{MOMENT}</LastModified><ETag>{tag}</ETag>{checksum}<Size>7</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents>"
    )
    other = f"<Contents>\n<Size>7</Size><ETag>{tag}</ETag><Key>k</Key><LastModified>{MOMENT}</LastModified></Contents>"
    wanted = [Entry("k", 7, 1793491200.0, "a1")]
    assert list(_entries(page.encode(), _from_url)) == wanted
    assert list(_entries(other.encode(), _from_url)) == wanted
    assert list(_entries((page + other).encode(), _from_url)) == wanted * 2


def test_keys() -> None:
    """A page has plain keys or such as are to be decoded."""

    def page(*keys: str) -> bytes:
        rest = f"<LastModified>{MOMENT}</LastModified><ETag>t</ETag><Size>1</Size></Contents>"
        return "".join(f"<Contents><Key>{key}</Key>{rest}" for key in keys).encode()

    def keys(text: bytes, *, url: bool) -> list[str]:
        return [entry.key for entry in _entries(text, _from_url if url else _from_xml)]

    assert keys(page("a", "b+c", "d%2Be%25", "%FF"), url=True) == ["a", "b c", "d+e%", "\udcff"]
    assert keys(page("a+b%20", "é"), url=False) == ["a+b%20", "é"]
    assert keys(page("a&amp;b", "é"), url=False) == ["a&b", "é"]
    assert keys(page(), url=True) == []
