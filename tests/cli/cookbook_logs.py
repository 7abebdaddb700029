"""Generated logs of a small shop, for the cookbook: `python tests/cli/cookbook_logs.py FOLDER` writes them."""

from __future__ import annotations

import gzip
import json
import random
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

DAYS = (1, 2, 3)
_PEOPLE = (
    "8.8.8.8",
    "203.0.113.7",
    "194.25.0.60",
    "133.11.0.1",
    "203.0.113.9",
    "198.51.100.4",
    "2001:db8::7",
    "5.9.0.1",
)
_PAGES = ("/", "/tea", "/cups", "/tea?utm_source=mail", "/basket", "/order", "/old-page", "/cups?page=2")
_AGENTS = (
    "Mozilla/5.0 (X11; Linux x86_64; rv:148.0) Gecko/20100101 Firefox/148.0",
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 "
    "Mobile/15E148 Safari/604.1",
    "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)",
    "curl/8.14.1",
)
_REFERERS = ("-", "-", "https://shop.example/", "https://search.example/?q=tea", "https://blog.example/old-post")


def write(folder: Path) -> None:
    """Write all logs into the folder. They are the same every time."""
    luck = random.Random(2026)
    for day in DAYS:
        for name, make in _FILES.items():
            text = "".join(f"{line}\n" for line in make(luck, day)).encode()
            path = folder / name.format(day=day)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(gzip.compress(text, mtime=0) if path.suffix == ".gz" else text)
    (folder / "customers.csv").write_text("customer,country,plan\nann,DE,gold\nbob,US,free\ncid,JP,gold\n")


def _moments(luck: random.Random, day: int, many: int) -> list[datetime]:
    begin = int(datetime(2026, 3, day, 8, tzinfo=UTC).timestamp())
    return [datetime.fromtimestamp(begin + at, UTC) for at in sorted(luck.sample(range(36_000), many))]


def _access(luck: random.Random, day: int) -> list[str]:
    lines = []
    for when in _moments(luck, day, 80):
        who = luck.randrange(min(len(_PEOPLE), 4 + 2 * (day - 1)))
        page = luck.choices(_PAGES, (20, 14, 9, 6, 5, 2, 4, 3))[0]
        status = 404 if page == "/old-page" else luck.choices((200, 304, 500), (30, 4, day - 1))[0]
        referer = luck.choice(_REFERERS[2:] if status == 404 else _REFERERS)
        size = 0 if status == 304 else luck.randrange(200, 9000)
        method = "POST" if page == "/order" else "GET"
        lines.append(
            f'{_PEOPLE[who]} - - [{when:%d/%b/%Y:%H:%M:%S} +0000] "{method} {page} HTTP/1.1" {status} {size} '
            f'"{referer}" "{_AGENTS[who % len(_AGENTS)]}"'
        )
    return lines


def _balancer(luck: random.Random, day: int) -> list[str]:
    last = (
        '"curl/8" ECDHE-RSA-AES128-GCM-SHA256 TLSv1.2 arn:aws:x:targetgroup/shop/73e2 "Root=1-58337262" "shop.example" '
        '"arn:aws:acm:x" 0'
    )
    return [
        f"https {when:%Y-%m-%dT%H:%M:%S}.{luck.randrange(1000000):06}Z app/shop/50dc6c495c0c9188 "
        f"{luck.choice(_PEOPLE[:4])}:2817 "
        f"10.0.0.{luck.randrange(1, 4)}:80 0.000 {luck.expovariate(4):.3f} 0.000 200 200 34 {luck.randrange(9000)} "
        f'"GET https://shop.example:443{luck.choice(_PAGES[:3])} HTTP/1.1" {last} '
        f'{when:%Y-%m-%dT%H:%M:%S}.000000Z "forward" "-" "-" "10.0.0.1:80" "200" "-" "-"'
        for when in _moments(luck, day, 60)
    ]


def _flows(luck: random.Random, day: int) -> list[str]:
    titles = "version account-id interface-id srcaddr dstaddr srcport dstport protocol packets bytes start end action"
    lines = [f"{titles} log-status"]
    for when in _moments(luck, day, 40):
        source, action = luck.choice((("203.0.113.66", "REJECT"), ("10.0.0.5", "ACCEPT"), ("198.51.100.9", "REJECT")))
        port, at = luck.choice((22, 443, 3389)), int(when.timestamp())
        lines.append(
            f"2 123456789012 eni-0a1b {source} 10.0.0.{luck.randrange(1, 4)} 49152 {port} 6 {luck.randrange(1, 9)} "
            f"{luck.randrange(40, 9000)} {at} {at + 60} {action} OK"
        )
    return lines


def _trail(luck: random.Random, day: int) -> list[str]:
    events = []
    for when in _moments(luck, day, 25):
        name, source = luck.choice(
            (("DeleteBucket", "s3"), ("StartInstances", "ec2"), ("RunInstances", "ec2"), ("ConsoleLogin", "signin"))
        )
        denied = luck.random() < 0.2
        events.append(
            {
                "eventVersion": "1.10",
                "userIdentity": {"type": "IAMUser", "userName": luck.choice(("mary", "joe", "deploy"))},
                "eventTime": f"{when:%Y-%m-%dT%H:%M:%SZ}",
                "eventSource": f"{source}.amazonaws.com",
                "eventName": name,
                "sourceIPAddress": luck.choice(_PEOPLE),
                **({"errorCode": "AccessDenied"} if denied else {}),
            }
        )
    return [json.dumps({"Records": events})]


def _bucket(luck: random.Random, day: int) -> list[str]:
    return [
        f"79a59df9 shop-data [{when:%d/%b/%Y:%H:%M:%S} +0000] 192.0.2.3 arn:aws:iam::1:user/x 3E57427F3EXAMPLE "
        f'REST.GET.OBJECT {key} "GET /{key} HTTP/1.1" 200 - {size} {size} 7 5 "-" "aws-cli/2" - s9lzHY= SigV4 '
        "ECDHE-RSA-AES128-GCM-SHA256 AuthHeader shop-data.s3.us-west-1.amazonaws.com TLSv1.2 - -"
        for when in _moments(luck, day, 30)
        for key, size in [
            (luck.choice(("raw/a.gz", "raw/b.gz", "reports/x.csv", "tmp/1")), luck.randrange(10**6, 10**9))
        ]
    ]


def _application(luck: random.Random, day: int) -> list[str]:
    lines = []
    for when in _moments(luck, day, 50):
        version = "1.4.1" if day < 3 else luck.choice(("1.4.1", "1.5.0"))
        level = luck.choices(("info", "error"), (9, 6 if version == "1.5.0" else 1))[0]
        lines.append(
            json.dumps(
                {
                    "ts": int(when.timestamp() * 1000),
                    "level": level,
                    "app": {"version": version},
                    "user": luck.choice(("ann", "bob", "cid")),
                    "ms": luck.randrange(5, 900),
                }
            )
        )
    return lines


def _orders(luck: random.Random, day: int) -> list[str]:
    lines = ["order,time,customer,article,price"]
    for number, when in enumerate(_moments(luck, day, 20)):
        price = "TBD" if number == 7 else f"{luck.randrange(100, 9000) / 100:.2f}"
        customer, article = luck.choice(("ann", "bob", "cid")), luck.choice(("tea", "cup", "pot"))
        lines.append(f"{day * 100 + number},{when:%Y-%m-%d %H:%M:%S},{customer},{article},{price}")
    return [*lines, lines[-1]] if day == 2 else lines


def _server(luck: random.Random, day: int) -> list[str]:
    texts = (
        "Failed password for root from 203.0.113.66 port 4711 ssh2",
        "Accepted publickey for deploy",
        "session closed",
    )
    return [
        f"{when:%b} {when.day:>2} {when:%H:%M:%S} web{luck.randrange(1, 3)} sshd[{luck.randrange(100, 999)}]: "
        f"{luck.choice(texts)}"
        for when in _moments(luck, day, 20)
    ]


_FILES: dict[str, Callable[[random.Random, int], list[str]]] = {
    "nginx/access.log-2026030{day}.gz": _access,
    "alb/2026/03/0{day}/shop.log.gz": _balancer,
    "vpc/2026/03/0{day}/flow.log.gz": _flows,
    "cloudtrail/2026/03/0{day}/events.json.gz": _trail,
    "s3logs/2026-03-0{day}-08-00-00-ABC": _bucket,
    "app/app-2026-03-0{day}.jsonl": _application,
    "orders/orders_2026030{day}.csv": _orders,
    "syslog/auth-2026-03-0{day}.log": _server,
}

if __name__ == "__main__":
    write(Path(sys.argv[1]))
