"""Input whose records are nested: ``jsn`` and ``xml``.

- ``json_keys`` and ``xml_keys``: where columns stand in a record; ``key_rows``: rows made of what was found there;
  ``mistyped``: keys that no record has.
- ``json_records`` and ``xml_records``: the readers; ``json_long``: objects that are not held as a whole.
- ``json_values`` and ``xml_text``: values as text.
"""
