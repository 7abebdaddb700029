"""Making and changing categories: patterns are resolved, files found, and a sample of them probed."""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ess.errors import InputOpenError, OptionError
from ess.formats.dialect import JSON, Dialect
from ess.lake import categories, index
from ess.lake.categories import Category, check_name, parse_columnspec, parse_delimiter
from ess.lake.category_options import CHANGE_ROWS, OPTION_ROWS, CategoryOptions, OptionRow
from ess.lake.datastores import Datastore, datastore
from ess.lake.dates import DateFinder, date_rule
from ess.lake.days import undated_remark
from ess.lake.entry import FileEntry
from ess.lake.listing import Listing, list_files, list_level
from ess.lake.patterns import absolute, compile_exclude, parse_patterns, quote_pattern
from ess.lake.probing import SAMPLE_BYTES, ProbeResult, check_compression, output_of_sample, probe_files
from ess.lake.ranges import DateRange, parse_modified, parse_range
from ess.lake.record_format import NONE, check_format, columns_of, have_keys
from ess.lake.select import check_limit, files_in_use, look, part_of, remember, scan, span_of, with_new_files
from ess.schema import parse_column
from ess.stores.store import Entry, NoSuchObject, Store


def add(name: str, pattern: str, options: CategoryOptions) -> Category:
    """Make a category.

    Raises:
        OptionError: If the name is taken or not valid, no file matches, or an option is not valid.
        InputReadError: If none of the sample files can be read.
    """
    where = "category add"
    check_name(name, where=where)
    for row in OPTION_ROWS:
        if (value := getattr(options, row.name)) is not None:
            _check_type(row, value, where=f"{where}, {row.name}")
    store = datastore(options.label)
    if name in categories.categories(store) and not options.overwrite:
        raise categories.taken(name)
    if sum((options.alls, options.allx, options.columnspec is not None)) > 1:
        raise OptionError("these exclude each other", where="--alls, --allx, --columnspec", hint="give one of them")
    patterns = parse_patterns(pattern, folder=store.base, where="pattern")
    compile_exclude(options.exclude, where="--exclude", root=store.root)
    compile_exclude(options.archive, where="--archive")
    new = Category(
        name=name,
        datastore=store.label,
        patterns=tuple(part.text for part in patterns),
        exclude=options.exclude,
        date_rule=date_rule(options.dateregex, options.dateformat),
        archive=(options.archive or "").strip(),
        compression=check_compression(options.compression) if options.compression else "",
        delimiter=parse_delimiter(options.delimiter) if options.delimiter else "",
        format=check_format(options.format),
        columns=parse_columnspec(options.columnspec, where="--columnspec") if options.columnspec else (),
        preprocess=options.preprocess or "",
        pkey=options.pkey or "",
        usecache=options.usecache,
        comment=options.comment or "",
        probed=not options.noprobe,
    )
    if new.format:
        columns = columns_of(new.format, new.columns, where="--columnspec" if new.columns else "--format")
        new = dataclasses.replace(new, columns=columns)
    began = time.time()
    listing = look(new)
    if not listing.files and not options.noprobe:
        hint = "look with: ess ls -r PATTERN; --noprobe makes a category before its files are there"
        if new.archive and listing.notes:
            raise OptionError(
                f"no file in an archive matches '{new.archive}'", where="--archive", hint=listing.notes[0]
            )
        if len(patterns) > 1:
            hint = f"a space separates patterns; for a name with spaces use two kinds of quotes{_as_one(pattern)}"
        raise OptionError(f"no file matches '{new.pattern}'", where=where, hint=hint)
    new = with_new_files(new, listing)
    if new.probed:
        by_name = not new.columns and (options.format or "").lower() != NONE
        new = _with_layout(new, _probe(new, listing.files, SAMPLE_BYTES, by_name=by_name), options)
    _check_pkey(new)
    if undated := undated_remark(listing.files, new.date_rule):
        new = dataclasses.replace(new, remarks=(*new.remarks, undated))
    categories.put(new, label=options.label, overwrite=options.overwrite)
    remember(new, listing, began=began)
    return new


def _as_one(pattern: str) -> str:
    """The pattern quoted so that a shell passes it as one, after a colon; blank if it holds quotes of its own."""
    return "" if set(pattern) & set("'\"\\") else f""": "'{pattern}'\""""


def _with_layout(new: Category, probed: ProbeResult, options: CategoryOptions) -> Category:
    found = probed.dialect
    if new.format:  # it is given, and so are its columns, unless the titles of the files name them
        columns = new.columns or (found.columns if (found.known and found.titles) or found.known == new.format else ())
        if not columns:
            raise OptionError(
                f"no titles of the format '{new.format}' are found", where="--format", hint="give --columnspec as well"
            )
        found = Dialect("text", found.delimiter if found.known else " ", False, columns, found.lines)
        probed = dataclasses.replace(probed, dialect=found, differing=())
    columns = new.columns or found.columns
    if options.alls or options.allx:
        letter = "S" if options.alls else "X"
        columns = _all_as(columns, letter)
    return dataclasses.replace(
        new,
        found_compression=probed.compression,
        delimiter=new.delimiter or found.delimiter,
        header=found.header,
        format=new.format or found.known or (JSON if found.format == "json" and have_keys(columns) else ""),
        columns=columns,
        lines=found.lines,
        remarks=(
            *(probed.remarks if found.format == "text" or not columns or columns == found.columns else ()),
            *(map(str, found.remarks) if columns == found.columns else ()),
        ),
    )


def _all_as(columns: Sequence[str], letter: str) -> tuple[str, ...]:
    """The columns with another type."""
    return tuple(_as_letter(spec, letter, number) for number, spec in enumerate(columns, 1))


def _as_letter(spec: str, letter: str, number: int) -> str:
    """The column with another type; escapes are still undone. One without a name gets one by its number."""
    head, _, rest = spec.partition(":")
    if head.lower() == "sep":
        return spec
    column = parse_column(spec, where="columns", with_path=True)
    attributes = [word for word in head.split(",")[1:] if word.strip().lower() != "hex"]
    return f"{','.join([letter, *attributes])}:{rest or column.name or f'col_{number}'}"


def _check_pkey(new: Category) -> None:
    if not new.pkey or not new.columns:
        return
    names = [parse_column(spec, where="columns", with_path=True).name for spec in new.columns if ":" in spec]
    if new.pkey.lower() not in (name.lower() for name in names):
        raise OptionError(f"no column '{new.pkey}'", where="--pkey", hint=f"the columns are {' '.join(names)}")


def probe_category(
    category: Category, *, file: str | None = None, sample_bytes: int | None = None, archive: str | None = None
) -> ProbeResult:
    """Probe the files of a category, or one file of it; nothing is stored.

    ``archive`` are patterns of files in archives, in place of the category's own.

    Raises:
        OptionError: If the file does not belong to the category, or the size is not positive.
    """
    found = _probe(category, _to_probe(category, file, sample_bytes, archive), sample_bytes or SAMPLE_BYTES)
    if category.format.lower() in ("", found.dialect.known):
        return found
    given = dataclasses.replace(found.dialect, columns=category.columns, known=category.format, remarks=(), notes=())
    return dataclasses.replace(found, dialect=dataclasses.replace(given, doubt=""))


def probe_output(
    category: Category,
    command: str,
    *,
    file: str | None = None,
    sample_bytes: int | None = None,
    archive: str | None = None,
) -> bytes:
    """The output of a shell command that gets the beginning of a category's first file with content, or of another.

    Raises:
        OptionError: As :func:`probe_category`; also if no file has content, or the command fails.
    """
    chosen = _to_probe(category, file, sample_bytes, archive)
    files = [entry for entry in chosen if entry.size and not entry.problem]
    if not files:
        raise OptionError("no file has content", where=f"category {category.name}", hint="see: ess ls --cat")
    return output_of_sample(
        files[0],
        command,
        compression=category.compression or None,
        preprocess=category.preprocess,
        sample_bytes=sample_bytes or SAMPLE_BYTES,
        source=datastore(category.datastore).access,
    )


def _to_probe(
    category: Category, file: str | None, sample_bytes: int | None, archive: str | None
) -> Sequence[FileEntry]:
    if sample_bytes is not None and sample_bytes < 1:
        raise OptionError(f"bad size {sample_bytes}", where="--size", hint="give a number of bytes from 1")
    if archive is None:
        files = files_in_use(category).files
    else:
        files = look(dataclasses.replace(category, archive=archive)).files
    if file is not None:
        path = absolute(file, datastore(category.datastore).base)
        files = tuple(entry for entry in files if entry.path == path)
        if not files:
            raise OptionError(
                f"the category '{category.name}' has no such file",
                where=f"--file {file}",
                hint=f"see: ess ls --cat {category.name}",
            )
    return files


def _probe(category: Category, files: Sequence[FileEntry], sample_bytes: int, *, by_name: bool = True) -> ProbeResult:
    return probe_files(
        [entry for entry in files if not entry.problem],
        compression=category.compression or None,
        delimiter=(not category.format and category.delimiter) or None,
        preprocess=category.preprocess,
        by_name=by_name,
        named=category.format,
        sample_bytes=sample_bytes,
        source=datastore(category.datastore).access,
    )


def change(name: str, option: str, value: str | bool, *, label: str | None = None) -> Category:
    """Give an option of a category another value.

    Returns:
        The category, with remarks about the change only.

    Raises:
        OptionError: If the category does not exist, the option cannot be changed, or the value is not valid.
        InputReadError: If files are to be looked into again, and none can be read.
    """
    where = f"category change {option}"
    row = next((row for row in CHANGE_ROWS if row.name == option), None)
    if row is None:
        known = " ".join(row.name for row in CHANGE_ROWS)
        raise OptionError(
            f"'{option}' of a category cannot be changed",
            where="category change",
            hint=f"change one of {known}, or make the category again: ess category add --overwrite",
        )
    _check_type(row, value, where=where)
    if value is False and not row.off:
        raise OptionError("it cannot be taken back", where=where, hint="give the columns: category change columnspec")
    if option in ("pattern", "exclude", "archive", "noprobe"):
        # These look at files, which other commands need not wait for.
        attributes = _changed_by_files(categories.category(name, label=label), option, value, where)
        return categories.change(name, lambda now: dataclasses.replace(now, **attributes), label=label)
    edit = _CHANGES[option]
    changed = categories.change(name, lambda now: dataclasses.replace(now, **edit(now, value)), label=label)
    looks_again = option in ("dateregex", "dateformat") or (option == "usecache" and value)
    if not looks_again:
        return changed
    listing = scan(changed)
    undated = undated_remark(listing.files, changed.date_rule)
    return dataclasses.replace(with_new_files(changed, listing), remarks=(undated,) if undated else ())


def _changed_by_files(now: Category, option: str, value: Any, where: str) -> dict[str, Any]:
    """The new values of attributes, where files have to be looked at."""
    store = datastore(now.datastore)
    if option == "noprobe":
        listing = look(now)
        if value:
            return {"probed": False, "header": False, "delimiter": "", "format": "", "columns": (), **_NOTHING_FOUND}
        if not listing.files:
            raise OptionError(f"no file matches '{now.pattern}'", where=where, hint=_NO_FILE)
        blank = dataclasses.replace(now, probed=True, delimiter="", format="", columns=(), **_NOTHING_FOUND)
        found = _with_layout(blank, _probe(blank, listing.files, SAMPLE_BYTES), CategoryOptions())
        _check_pkey(found)
        names = ("probed", "found_compression", "header", "delimiter", "format", "columns", "lines", "remarks")
        return {each: getattr(found, each) for each in names}
    if option == "pattern":
        attributes: dict[str, Any] = {
            "patterns": tuple(part.text for part in parse_patterns(value, folder=store.base, where=where))
        }
    elif option == "archive":
        compile_exclude(value, where=where)
        attributes = {"archive": value.strip()}
    else:
        compile_exclude(value, where=where, root=store.root)
        attributes = {"exclude": value.strip() or None}
    changed = dataclasses.replace(now, **attributes)
    began = time.time()
    listing = look(changed)
    if not listing.files and changed.probed:
        raise OptionError(f"no file matches '{changed.pattern}'", where=where, hint=_NO_FILE)
    remember(changed, listing, began=began)
    return {**attributes, "stats": with_new_files(changed, listing).stats}


_NO_FILE = "look with: ess ls -r PATTERN"
_NOTHING_FOUND: dict[str, Any] = {"found_compression": "", "lines": (), "remarks": ()}


def _check_type(row: OptionRow, value: object, *, where: str) -> None:
    """A value that is stored must be what is read again."""
    if not isinstance(value, bool if row.is_switch else str):
        wanted = "True or False" if row.is_switch else "text"
        raise OptionError(f"the value must be {wanted}, not {value!r}", where=where)


def _with_pkey(now: Category, name: str) -> dict[str, Any]:
    _check_pkey(dataclasses.replace(now, pkey=name))
    return {"pkey": name}


def _given_columns(now: Category, columns: tuple[str, ...]) -> tuple[str, ...]:
    """The columns, if the format of the records has them."""
    return columns_of(now.format, columns, where="category change columnspec") if now.format else columns


def _with_format(text: str) -> dict[str, Any]:
    where = "category change format"
    word = check_format(text, where=where)
    if not word:
        return {"format": "", "remarks": ()}
    columns = columns_of(word, (), where=where)
    changed = {"format": word, "delimiter": " ", "header": False, "remarks": ()}
    return {**changed, "columns": columns} if columns else changed


def _with_letter(now: Category, letter: str) -> dict[str, Any]:
    return {"columns": _all_as(now.columns, letter), "remarks": ()}


#: What the options that can be changed do to the attributes of a category.
_CHANGES: dict[str, Callable[[Category, Any], dict[str, Any]]] = {
    "columnspec": lambda now, text: {
        "columns": _given_columns(now, parse_columnspec(text, where="category change columnspec")),
        "remarks": (),
    },
    "format": lambda _, text: _with_format(text),
    "dateregex": lambda _, text: {"date_rule": date_rule(text, None)},
    "dateformat": lambda _, text: {"date_rule": date_rule(None, text)},
    "usecache": lambda _, on: {"usecache": on},
    "comment": lambda _, text: {"comment": text},
    "compression": lambda _, name: {"compression": check_compression(name)},
    "delimiter": lambda _, text: {
        "delimiter": parse_delimiter(text, where="category change delimiter") if text else ""
    },
    "preprocess": lambda _, command: {"preprocess": command.strip()},
    "pkey": _with_pkey,
    "alls": lambda now, _: _with_letter(now, "S"),
    "allx": lambda now, _: _with_letter(now, "X"),
}


def list_from_index(
    cat: str, *, dates: tuple[str, str] | None = None, limit: int | None = None, label: str | None = None
) -> Iterator[list[index.Listed]] | None:
    """The files of a category, if it takes them from the index, and that knows them; see :func:`ess.api.ls_index`."""
    check_limit(limit)
    category = categories.category(cat, label=label)
    wanted = parse_range(*(dates or ("*", "*")), numbers=DateFinder(category.date_rule).numbers)
    if not category.usecache or category.archive or not isinstance(wanted, DateRange):
        return None
    return index.listed(part_of(category), span_of(wanted), limit)


def list_by_pattern(
    pattern: str | None,
    *,
    exclude: str | None = None,
    cat: str | None = None,
    archive: str | None = None,
    recursive: bool = False,
    dateregex: str | None = None,
    limit: int | None = None,
    dates: tuple[str, str] | None = None,
    modified: tuple[str, str] | None = None,
    label: str | None = None,
) -> Listing:
    """The files that ``ess ls`` shows; see :func:`ess.api.ls`."""
    check_limit(limit)
    store = datastore(label)
    unwanted = compile_exclude(exclude, where="--exclude", root=store.root)
    rule = date_rule(dateregex, None)
    category = categories.category(cat, label=label) if cat is not None else None
    if category is not None and dateregex is None:
        rule = category.date_rule
    wanted_dates = parse_range(*(dates or ("*", "*")), numbers=DateFinder(rule).numbers)
    changed = parse_modified(modified)

    def chosen(files: Iterable[FileEntry]) -> tuple[FileEntry, ...]:
        if dates is None and changed is None:
            return tuple(files)[:limit]
        # nobody knows the dates of what cannot be read
        some = (each for each in files if dates is None or each.problem or wanted_dates.covers(each.file_date))
        return tuple(each for each in some if changed is None or changed.covers_time(each.modified))[:limit]

    if category is not None:
        if dateregex is not None:
            category = dataclasses.replace(category, date_rule=rule)
        if archive is not None:
            category = dataclasses.replace(category, archive=archive)
        found = (
            files_in_use(category, span_of(wanted_dates)) if dateregex is None and archive is None else look(category)
        )
        wanted = compile_exclude(pattern, where="pattern", root=store.root)
        kept = (
            entry
            for entry in found.files
            if (wanted is None or wanted.match(entry.path)) and not (unwanted and unwanted.match(entry.path))
        )
        return dataclasses.replace(found, files=chosen(kept))
    folder = store.base
    text = quote_pattern(folder if folder.endswith("/") else f"{folder}/") if pattern is None else pattern
    patterns = parse_patterns(text, folder=folder, where="pattern")
    walk = list_files if recursive else list_level
    disk = store.access.open()
    found = walk(patterns, label=store.label, exclude=unwanted, rule=rule, store=disk)
    if not found.files:
        for part in patterns:
            if not part.has_wildcard and not _is_there(disk, part.text):
                raise InputOpenError("there is no such file or folder", where=part.text, hint="check the name")
    if archive:
        from ess.lake.archive_listing import with_members  # loads the decompressors

        files = tuple(entry for entry in found.files if not entry.folder)
        found = with_members(
            dataclasses.replace(found, files=files),
            archive,
            finder=DateFinder(rule),
            exclude=unwanted,
            source=store.access,
            index=store.folder,
        )
    return dataclasses.replace(found, files=chosen(found.files))


def file_entry(filename: str, *, label: str | None = None) -> FileEntry:
    """The file of that name, which may be that of an archive with a path in it.

    Raises:
        InputOpenError: If it is not there, or not a file.
    """
    store = datastore(label)
    path = absolute(filename, store.base)
    opened = store.access.open()
    try:
        found = opened.head(path.removeprefix(opened.at("")))
    except NoSuchObject as error:
        inside = _file_inside(path, store, opened)
        if inside is None:
            raise InputOpenError(error.what, where=filename, hint="look with: ess ls") from error
        return inside
    except InputOpenError as error:
        raise InputOpenError(error.what, where=filename, hint="look with: ess ls") from error
    return _entry(path, store, found)


def _entry(path: str, store: Datastore, found: Entry) -> FileEntry:
    return FileEntry(path, found.size, found.modified, datastore=store.label, version=found.version)


def _file_inside(path: str, store: Datastore, opened: Store) -> FileEntry | None:
    """The file of an archive, if the beginning of a path is that of an archive which has the rest."""
    from ess.lake.archive_index import contents_known  # loads the decompressors

    at = len(path)
    while (at := path.rfind("/", len(store.root), at)) > 0:
        try:
            found = opened.head(path[:at].removeprefix(opened.at("")))
        except InputOpenError:
            continue
        archive = _entry(path[:at], store, found)
        members = contents_known(archive, store.access, store.folder).members
        return next((archive.inside(each) for each in members if each.path == path[at + 1 :]), None)
    return None


def check_modified(entry: FileEntry, modified: tuple[str, str] | None) -> None:
    """Refuse a file that was last changed outside a range of times.

    Raises:
        OptionError: If the range is not valid.
        InputOpenError: If it was.
    """
    wanted = parse_modified(modified)
    if wanted is not None and not wanted.covers_time(entry.modified):
        raise InputOpenError(
            f"it was last changed at {entry.modified_at:%Y-%m-%d %H:%M:%S}, which is not in the range of --modified",
            where=entry.path,
        )


def _is_there(store: Store, path: str) -> bool:
    key = path.removeprefix(store.at(""))
    try:
        store.head(key)
    except InputOpenError:
        return store.is_folder(key.removesuffix("/"))
    return True
