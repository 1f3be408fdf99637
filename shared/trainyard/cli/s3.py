"""``trainyard s3``: list and copy objects of the local store."""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from trainyard.cli.table import table
from trainyard.errors import DataError, StoreError, UsageError
from trainyard.execution.s3 import S3Uri, disk_errors, parse_uri
from trainyard.execution.store import Store


def add_arguments(parser: argparse.ArgumentParser) -> None:
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    listing = actions.add_parser("ls", help="list buckets, or the objects below a prefix")
    listing.add_argument("uri", nargs="?", help="s3://BUCKET/PREFIX")
    listing.add_argument("--json", action="store_true", help="print JSON")
    copying = actions.add_parser("cp", help="copy a file or folder into the store, or out of it")
    copying.add_argument("source", help="a path, or s3://BUCKET/KEY")
    copying.add_argument("target", help="s3://BUCKET/KEY, or a path; a folder if it ends with /")


def run(args: argparse.Namespace) -> int:
    store = Store()
    if args.action == "ls":
        return _list(store, args.uri, args.json)
    inward, outward = args.target.startswith("s3://"), args.source.startswith("s3://")
    if inward == outward:
        raise UsageError("s3 cp: one of SOURCE and TARGET is an s3:// URI, the other a path")
    try:
        count = (
            _put(store, Path(args.source), args.target) if inward else _get(store, args.source, args.target)
        )
    except OSError as error:
        raise DataError(f"s3 cp: {error.filename or args.target}: {error.strerror or error}") from error
    print(f"{count} {'object' if count == 1 else 'objects'} copied")
    return 0


def _list(store: Store, uri: str | None, as_json: bool) -> int:
    if uri is None:
        buckets = store.objects.buckets()
        print(
            json.dumps(buckets)
            if as_json
            else "\n".join(f"s3://{name}" for name in buckets) or "no buckets yet"
        )
        return 0
    found = store.objects.list(parse_uri(uri))
    if as_json:
        rows = [
            {"Key": item.uri.key, "Size": item.size, "LastModified": item.modified.isoformat()}
            for item in found
        ]
        print(json.dumps(rows, indent=2))
        return 0
    cells = [(f"{item.modified:%Y-%m-%d %H:%M:%S}", item.size, str(item.uri)) for item in found]
    print(table(("MODIFIED", "SIZE", "OBJECT"), cells) if cells else f"no objects below {uri}")
    return 0


def _put(store: Store, source: Path, target: str) -> int:
    uri = parse_uri(target)
    if source.is_file():
        store.objects.put(source, S3Uri(uri.bucket, uri.key + source.name) if target.endswith("/") else uri)
        return 1
    files = sorted(path for path in source.rglob("*") if path.is_file())
    if not files:
        raise DataError(f"s3 cp: {str(source)!r} is no file and no folder with files in it")
    for path in files:
        store.objects.put(path, parse_uri(str(uri.join(path.relative_to(source).as_posix()))))
    return len(files)


def _get(store: Store, source: str, target: str) -> int:
    found = store.objects.list(parse_uri(source))
    if not found:
        raise StoreError(f"no objects below {source}; `trainyard s3 ls` shows what is stored")
    one = len(found) == 1 and str(found[0].uri) == source and not target.endswith("/")
    for item in found:
        place = Path(target) if one and not Path(target).is_dir() else Path(target) / item.relative
        with disk_errors(place):
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(item.path, place)
    return len(found)
