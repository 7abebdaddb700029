"""The attributes of ``-imp``, one table: they are parsed by it, and help and reference pages are made from it.

Nothing is imported, because the help of ``aq_pp`` needs no database.
"""

from __future__ import annotations

#: Attribute as it is shown -> what it does.
IMPORT_ATTRIBUTES: dict[str, str] = {
    "spec=UdbSpec": "the spec file of the database, instead of that in the working folder",
    "ddef": "columns that are missing are 0 or blank, instead of an error",
    "seg=N1[-N2]/N[:V]": "import the keys of some of N segments only, dealt out in a way that V chooses",
    "nobnk": "leave out rows whose key, one string column, is blank",
    "nonew": "leave out rows whose key is not in the database yet",
    "noold": "leave out rows whose key is in the database already",
    "place=Name": "in ess stream, what the import is recognised by when its file is done again; no other import of the "
    "file may have that name",
    "nodelay": "has no effect, as rows are always sent as they come, and count together at the end",
}
