"""The names of the reference manual of ``ess`` (``reference/manuals``): commands, options and words that they take."""

from __future__ import annotations

from compatibility.names import Group


def _command(path: str, *names: str) -> Group:
    """A command, and what it takes."""
    return Group(f"ess {path.split()[0]}", f"ess {path}", names, probe=f"ess {path} {{}}")


def _bare(path: str, *names: str) -> Group:
    """The options of a command whose value may be left out."""
    return Group(f"ess {path.split()[0]}", f"ess {path}, without a value", names, probe=f"bare {path} {{}}")


ESS = (
    _command(
        "select",
        *("--region", "--credentials", "--aws_access_key", "--account_name", "--aws_secret_access_key"),
        *("--account_key", "--label", "--overwrite"),
    ),
    _command(
        "summary",
        *("--label", "--scan", "--short", "pkey", "columnspec", "schema", "delimiter", "compression", "preprocess"),
    ),
    _bare("summary", "--label"),
    Group("ess repository", "command", ("repository",), probe="ess {}"),
    _command("probe", "--file", "--label", "--pcmd", "--size"),
    _bare("probe", "--label", "--pcmd", "--size"),
    Group("ess purge", "command", ("purge",), probe="ess {}"),
    _command(
        "ls",
        *("--exclude", "--cat", "--label", "-r", "--recursive", "--dateregex", "--limit", "--nameonly", "--nosize"),
        "--nodate",
    ),
    _bare("ls", "--exclude", "--limit"),
    _command("lsa", "--pattern", "--label"),
    _command("cat", "--label", "--decompress"),
    _command("category", "add", "change", "delete", "copy"),
    _command(
        "category add",
        *("--exclude", "--dateregex", "--dateformat", "--archive", "--compression", "--delimiter", "--columnspec"),
        *(
            "--preprocess",
            "--alls",
            "--allx",
            "--overwrite",
            "--label",
            "--comment",
            "--noprobe",
            "--usecache",
            "--pkey",
        ),
    ),
    _bare("category add", "--exclude"),
    _command("category change", "columnspec", "dateformat", "dateregex", "usecache", "comment"),
    _command("category change usecache", "--usecache", "--nocache"),
    _command("category delete", "--label"),
    _command("category copy", "--label"),
    _command("file", "push", "get", "mkdir"),
    Group("ess use", "command", ("use",), probe="ess {}"),
    _command(
        "stream",
        *("--exclude", "--master", "--debug", "--bulk", "--threads", "--archive", "--label", "--progress", "--limit"),
        *("--quitonerror", "--s3out"),
    ),
    _command("exec", "--master", "--debug", "--s3out"),
    _command("server", "reset", "restart", "commit", "summary"),
    _command("server summary", "--name"),
    _command("create", "database", "table", "vector", "variable"),
    _command("create database", "--ports"),
    _command("drop", "database", "table", "vector", "variable"),
    _command("udbd", "start", "stop", "status", "restart", "ckmem", "cklog"),
)
