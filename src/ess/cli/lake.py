"""The commands on datastores, files and categories."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import typer

from ess import api
from ess.api.commands import category_changes
from ess.cli import render
from ess.cli.category_options import change_of, with_category_options
from ess.cli.summary import summary
from ess.errors import CategoryExists, OptionError

Label = Annotated[str | None, typer.Option("--label", metavar="LABEL", help="Datastore to use.", show_default=False)]
Name = Annotated[str, typer.Argument(metavar="CATEGORY", help="Name of the category.", show_default=False)]


Modified = Annotated[
    tuple[str, str] | None,
    typer.Option(metavar="LOWER UPPER", help="Range of times, in UTC, at which files were last changed."),
]


def _show(lines: Iterable[str]) -> None:
    """Print lines to stdout in one go."""
    sys.stdout.write("\n".join([*lines, ""]))


def _say(text: str) -> None:
    """Tell the user on stderr what has been done, as a command whose result is no text."""
    print(render.shown(text), file=sys.stderr)


def _note(text: str) -> None:
    """Tell the user something that is not the result."""
    print(f"ess: {render.shown(text)}", file=sys.stderr)


def select(
    source: Annotated[
        str,
        typer.Argument(
            help="local, s3://BUCKET[/PREFIX], blob://CONTAINER, gs://BUCKET, http(s)://HOST/FOLDER, or a label.",
            show_default=False,
        ),
    ],
    region: Annotated[str | None, typer.Option(help="Region of an S3 bucket; else it is found.")] = None,
    credentials: Annotated[str | None, typer.Option(help="CSV file of Amazon's console with an access key.")] = None,
    aws_access_key: Annotated[
        str | None, typer.Option("--aws_access_key", help="Access key; others can see it in the list of processes.")
    ] = None,
    aws_secret_access_key: Annotated[
        str | None, typer.Option("--aws_secret_access_key", help="Secret of the access key; others can see it, too.")
    ] = None,
    account_name: Annotated[str | None, typer.Option("--account_name", help="Azure storage account.")] = None,
    account_key: Annotated[
        str | None,
        typer.Option("--account_key", help="Key of the account; others can see it in the list of processes."),
    ] = None,
    endpoint: Annotated[str | None, typer.Option(help="Address of a store that is not the cloud's own.")] = None,
    profile: Annotated[str | None, typer.Option(help="Section of ~/.aws/config.")] = None,
    anonymous: Annotated[bool, typer.Option("--anonymous", help="Ask without a key: for public buckets.")] = False,
    requester_pays: Annotated[
        bool, typer.Option("--requester_pays", help="Pay for what is read of a bucket whose owner does not.")
    ] = False,
    label: Annotated[str | None, typer.Option(help="Name to give the datastore.")] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Give a label to another source, or a datastore other keys.")
    ] = False,
) -> None:
    """Choose the datastore to work on."""
    if aws_secret_access_key or account_key:
        _note("the key can be seen in the list of processes and in the shell's history; --credentials FILE cannot")
    chosen = api.select(
        source,
        label=label,
        overwrite=overwrite,
        region=region,
        credentials=credentials,
        aws_access_key=aws_access_key,
        aws_secret_access_key=aws_secret_access_key,
        account_name=account_name,
        account_key=account_key,
        endpoint=endpoint,
        profile=profile,
        anonymous=anonymous,
        requester_pays=requester_pays,
    )
    _say(f"selected datastore {chosen.label}")
    if api.is_empty(chosen.label):
        _note(f"{chosen.source}: nothing is seen there; check the name, and see: ess ls")


def repository() -> None:
    """List the datastores."""
    _show(render.repository(api.repository()))


def purge(label: Annotated[str, typer.Argument(help="Label of the datastore.", show_default=False)]) -> None:
    """Forget a datastore and its categories. The files stay."""
    api.purge(label)


def ls(
    pattern: Annotated[
        str | None, typer.Argument(help="Patterns, separated by spaces.", show_default="the current folder")
    ] = None,
    exclude: Annotated[str | None, typer.Option(help="Patterns of files to leave out.")] = None,
    cat: Annotated[str | None, typer.Option(help="List the files of this category.")] = None,
    archive: Annotated[str | None, typer.Option(help="List the files in archives that match these patterns.")] = None,
    label: Label = None,
    recursive: Annotated[bool, typer.Option("-r", "--recursive", help="Let * match in all folders below.")] = False,
    dateregex: Annotated[
        str | None, typer.Option(help="How to find the date in a name: auto, none or a pattern.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="The maximum number of files.")] = None,
    dates: Annotated[
        tuple[str, str] | None,
        typer.Option(metavar="LOWER UPPER", help="Range of dates in names, as of ess stream."),
    ] = None,
    modified: Modified = None,
    explain: Annotated[
        bool, typer.Option("--explain", help="Tell on standard error what the store was asked for.")
    ] = False,
    nameonly: Annotated[bool, typer.Option("--nameonly", help="Show names only.")] = False,
    nosize: Annotated[bool, typer.Option("--nosize", help="Show dates and names.")] = False,
    nodate: Annotated[bool, typer.Option("--nodate", help="Show sizes and names.")] = False,
) -> None:
    """List files by pattern, with the dates found in their names."""
    if nameonly + nosize + nodate > 1:
        raise OptionError("these exclude each other", where="--nameonly, --nosize, --nodate", hint="give one of them")
    asks_more = any((pattern, exclude, archive, dateregex, modified, explain))
    indexed = None if cat is None or asks_more else api.ls_index(cat, dates=dates, limit=limit, label=label)
    if indexed is not None:
        some = False
        for files in indexed:
            some = True
            _show(render.indexed(files, size=not (nameonly or nosize), date=not (nameonly or nodate)))
        if not some:
            _note(_nothing(cat))
        return
    found = api.ls(
        pattern,
        exclude=exclude,
        cat=cat,
        archive=archive,
        recursive=recursive,
        dateregex=dateregex,
        limit=limit,
        dates=dates,
        modified=modified,
        label=label,
    )
    _show(render.listing(found.files, size=not (nameonly or nosize), date=not (nameonly or nodate)))
    for folder in found.unreadable:
        _note(f"{folder}: cannot be read, its files are not listed")
    for link in found.dangling:
        _note(f"{link.path}: a link to something that is not there")
    for note in (*found.notes, *(f"{entry.path}: {entry.problem}" for entry in found.files if entry.problem)):
        _note(note)
    if explain:
        for request in found.requests:
            _note(str(request))
    if not found.files:
        _note(_nothing(cat, pattern, folders=recursive))


def _nothing(category: str | None, pattern: str | None = None, *, folders: bool = True) -> str:
    """The note that nothing is found, with what to try."""
    if category is not None:
        return f"no file of the category '{category}' matches; see: ess summary {category}"
    if pattern is None:
        return "there are no files"
    more = "look with: ess ls" if folders or "*" not in pattern else "with -r, * also stands for folders"
    return f"no file matches '{pattern}'; {more}"


def cat(
    filename: Annotated[str, typer.Argument(help="The file.", show_default=False)],
    label: Label = None,
    decompress: Annotated[bool, typer.Option("--decompress", help="Undo the file's compression.")] = False,
    archive: Annotated[
        str | None, typer.Option(help="Write the files in this archive that match these patterns.")
    ] = None,
    modified: Modified = None,
) -> None:
    """Write the content of a file to standard output."""
    if not decompress and archive is None and sys.stdout.isatty():
        _refuse_compressed(filename, label)
    with api.cat(filename, decompress=decompress, archive=archive, modified=modified, label=label) as source:
        shutil.copyfileobj(source, sys.stdout.buffer, 1 << 18)
    sys.stdout.buffer.flush()


def _refuse_compressed(filename: str, label: str | None) -> None:
    """Compressed bytes would only disturb a terminal."""
    found = api.compression(filename, label=label)
    if found != "none":
        raise OptionError(
            f"its content is compressed ({found}) and standard output is a terminal",
            where=filename,
            hint="add --decompress, or send it to a file",
        )


def lsa(
    filename: Annotated[str, typer.Argument(help="The archive (zip, tar, compressed tar).", show_default=False)],
    pattern: Annotated[
        str | None, typer.Option("--pattern", "--archive", help="Patterns that the names must match.")
    ] = None,
    label: Label = None,
) -> None:
    """List the files in an archive."""
    found = api.archive_contents(filename, pattern=pattern, label=label)
    _show(render.members(found.members))
    for name in found.others:
        _note(f"{name}: a link or device; it is left out")
    for name in found.repeated:
        _note(f"{name}: it is there more than once; the last one counts")
    for note in found.notes:
        _note(note)
    if found.problem:
        api.lsa(filename, label=label)  # raises what is wrong


def probe(
    category: Name,
    file: Annotated[str | None, typer.Option(help="Probe this file of the category.")] = None,
    label: Label = None,
    pcmd: Annotated[str | None, typer.Option(help="Shell command that gets the content in place.")] = None,
    size: Annotated[int | None, typer.Option(help="Bytes of content to read of each file.")] = None,
    archive: Annotated[str | None, typer.Option(help="Look into files in archives that match these patterns.")] = None,
) -> None:
    """Look into files of a category and show how the data is laid out."""
    if pcmd is not None:
        sys.stdout.buffer.write(api.probe_output(category, pcmd, file=file, size=size, archive=archive, label=label))
        return
    _show(render.probe_result(api.probe(category, file=file, size=size, archive=archive, label=label)))


def category_add(
    name: Annotated[str, typer.Argument(help="Name of the category.", show_default=False)],
    pattern: Annotated[
        str, typer.Argument(help="Patterns, separated by spaces; * crosses folders.", show_default=False)
    ],
    **options: Any,
) -> None:
    """Group the files that patterns name, and find out how their data is laid out."""
    try:
        made = api.category_add(name, pattern, **options)
    except CategoryExists:
        # Published scripts are run again, and go on with the existing category.
        _note(f"warning: the category '{name}' exists and stays as it is; add --overwrite to replace it")
        return
    stats = made.stats
    for remark in made.remarks:
        _note(remark)
    noun = "file" if stats.count == 1 else "files"
    dates = f", {stats.first} - {stats.last}" if stats.count else ""
    _say(f"{made.name}: {stats.count} {noun}, {render.human_size(stats.size)}{dates}")
    if made.format:
        _say(f"format: {made.format}")
    if made.columnspec:
        _say(f"columns: {made.columnspec}")


def category_copy(
    source: Annotated[str, typer.Argument(metavar="SRC", help="The category.", show_default=False)],
    target: Annotated[str, typer.Argument(metavar="DEST", help="Name of the copy.", show_default=False)],
    label: Label = None,
) -> None:
    """Make a category with the same settings under another name."""
    api.category_copy(source, target, label=label)


def category_delete(category: Name, label: Label = None) -> None:
    """Forget a category. The files stay."""
    api.category_delete(category, label=label)


def category_export(
    categories: Annotated[
        list[str] | None, typer.Argument(metavar="[CATEGORY]...", help="Names of categories.", show_default="all")
    ] = None,
    file: Annotated[str | None, typer.Option(help="File to write.", show_default="standard output")] = None,
    label: Label = None,
) -> None:
    """Write categories as JSON that other people can import: rules and layout, no data, no keys."""
    text = api.category_export(*(categories or []), label=label)
    if file is None:
        sys.stdout.write(text)
        return
    Path(file).write_text(text)


def category_import(
    file: Annotated[str, typer.Argument(help="The file; - for the standard input.", show_default=False)],
    categories: Annotated[
        list[str] | None, typer.Argument(metavar="[CATEGORY]...", help="Names in the file.", show_default="all")
    ] = None,
    new_name: Annotated[str | None, typer.Option("--as", help="Another name for the category.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace categories of these names.")] = False,
    commands: Annotated[
        bool, typer.Option("--commands", help="Also take categories with a preprocess command, which runs at each use.")
    ] = False,
    label: Label = None,
) -> None:
    """Take categories from a file that ess category export has written."""
    path = "/dev/stdin" if file == "-" else file
    taken = api.category_import(
        path, *(categories or []), new_name=new_name, overwrite=overwrite, commands=commands, label=label
    )
    for category in taken:
        _say(f"{category.name}: {category.pattern}")


def add_commands(app: typer.Typer) -> None:
    """Add the commands of this module to ``ess``."""
    for command in (select, summary, repository, probe, purge, ls, cat, lsa):
        app.command(command.__name__, rich_help_panel="Data lake")(command)
    category = typer.Typer(help="Make and change categories: groups of files.")
    category.command("add")(with_category_options(category_add))
    category.command("copy")(category_copy)
    category.command("delete")(category_delete)
    category.command("export")(category_export)
    category.command("import")(category_import)
    change = typer.Typer(help="Change a setting of a category.")
    for row in category_changes():
        change.command(row.name, help=row.change)(change_of(row))
    category.add_typer(change, name="change")
    app.add_typer(category, name="category", rich_help_panel="Data lake")
