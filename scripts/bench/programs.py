"""The programs that the peers run: each the shortest one found that gives the right result.

Python programs get the input and the output as arguments.
"""

from __future__ import annotations

DUCKDB_CLEAN = r"""
import duckdb, sys
duckdb.sql(f'''COPY (
    SELECT purchaseDate, userID, articleID::UINTEGER, price::DOUBLE, coalesce(refID, '0')::UINTEGER,
        epoch(strptime(purchaseDate, '%Y-%m-%dT%H:%M:%S'))::BIGINT
    FROM read_csv('{sys.argv[1]}', all_varchar=true)
    WHERE (refID IS NULL OR TRY_CAST(refID AS UINTEGER) IS NOT NULL) AND price::DOUBLE >= 1.5
) TO '{sys.argv[2]}' (HEADER)''')
"""

POLARS_CLEAN = r"""
import polars as pl, sys
ref = pl.col('refID')
(pl.scan_csv(sys.argv[1], schema_overrides={'userID': pl.String, 'articleID': pl.UInt32, 'refID': pl.String})
 .with_columns(pl.when(ref.is_null()).then(0).otherwise(ref.cast(pl.UInt32, strict=False)).alias('refID'),
               pl.col('purchaseDate').str.to_datetime('%Y-%m-%dT%H:%M:%S').dt.epoch('s').alias('ptime'))
 .filter(ref.is_not_null() & (pl.col('price') >= 1.5))
 .sink_csv(sys.argv[2]))
"""

MILLER_CLEAN = r"""
filter (is_empty($refID) || is_int($refID)) && $price >= 1.5;
if (is_empty($refID)) {$refID = 0}
$ptime = strptime($purchaseDate, "%Y-%m-%dT%H:%M:%S")
"""

MILLER_ACCESS = r"""
$t = strptime(substr0($4, 1, 99) . " " . gsub($5, "\]", ""), "%d/%b/%Y:%H:%M:%S %z");
if ($10 == "-") {$10 = 0}
filter $7 =~ "^/shop/"
"""

GAWK_ACCESS = r"""
BEGIN {
    FS = ","; while ((getline < clients) > 0) known[$1] = $2 "," $3; FS = " "
    split("Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec", names); for (n in names) month[names[n]] = n
    print "host,customer,segment,t,path,status,bytes"
}
{
    split($4, d, /[[\/:]/)
    t = mktime(d[4] " " month[d[3]] " " d[2] " " d[5] " " d[6] " " d[7], 1) \
        - (substr($5, 1, 1) "1") * (substr($5, 2, 2) * 3600 + substr($5, 4, 2) * 60)
}
$7 ~ /^\/shop\// && $1 in known {
    print $1 "," known[$1] "," t "," $7 "," $9 "," ($10 == "-" ? 0 : $10)
}
"""

DUCKDB_COUNT = r"""
import duckdb, sys
duckdb.sql(f'''COPY (
    SELECT userID, count(*), sum(price), avg(price), coalesce(stddev_samp(price), 0), min(price), max(price)
    FROM read_csv('{sys.argv[1]}') GROUP BY userID
) TO '{sys.argv[2]}' (HEADER)''')
"""

POLARS_COUNT = r"""
import polars as pl, sys
price = pl.col('price')
(pl.scan_csv(sys.argv[1]).group_by('userID')
 .agg(pl.len(), price.sum().alias('sum'), price.mean().alias('avg'), price.std().fill_null(0).alias('stddev'),
      price.min().alias('min'), price.max().alias('max'))
 .sink_csv(sys.argv[2]))
"""

DUCKDB_SORT = r"""
import duckdb, sys
duckdb.sql(f'''COPY (
    FROM read_csv('{sys.argv[1]}', types={{'purchaseDate': 'VARCHAR', 'userID': 'VARCHAR', 'refID': 'VARCHAR'}})
    ORDER BY userID, purchaseDate
) TO '{sys.argv[2]}' (HEADER)''')
"""

DUCKDB_LOAD = r"""
import duckdb, sys
duckdb.sql(f'''CREATE TABLE sales AS
    FROM read_csv('{sys.argv[1]}', types={{'purchaseDate': 'VARCHAR', 'userID': 'VARCHAR', 'refID': 'VARCHAR'}})
    ORDER BY userID''')
duckdb.sql(f"COPY (SELECT DISTINCT userID FROM sales ORDER BY userID LIMIT 100) TO '{sys.argv[2]}' (HEADER)")
"""

DUCKDB_ADD = r"""
import duckdb, sys
duckdb.sql(f'''COPY (
    SELECT userID, sum(price), count(*)
    FROM read_csv('{sys.argv[1]}', types={{'purchaseDate': 'VARCHAR', 'userID': 'VARCHAR', 'refID': 'VARCHAR'}})
    GROUP BY userID ORDER BY userID
) TO '{sys.argv[2]}' (HEADER)''')
"""

DUCKDB_TABLE = r"""
import duckdb, os, sys
if os.path.exists(sys.argv[2]):
    os.remove(sys.argv[2])
duckdb.connect(sys.argv[2]).sql(f'''CREATE TABLE sales AS
    SELECT userID, epoch(purchaseDate)::INTEGER AS time, articleID::INTEGER AS articleID, price, refID
    FROM read_csv('{sys.argv[1]}', types={{'userID': 'VARCHAR', 'purchaseDate': 'TIMESTAMP', 'refID': 'VARCHAR'}})''')
"""

DUCKDB_ORDER = r"""
import duckdb, sys
duckdb.connect(sys.argv[1], read_only=True).sql(f"COPY (FROM sales ORDER BY userID, time) TO '{sys.argv[2]}' (HEADER)")
"""

DUCKDB_SESSIONS = r"""
import duckdb, sys
duckdb.connect(sys.argv[1], read_only=True).sql(f'''COPY (
    SELECT userID, time, sum(new) OVER (PARTITION BY userID ORDER BY time) AS session
    FROM (SELECT userID, time,
              if(time - lag(time) OVER (PARTITION BY userID ORDER BY time) <= {sys.argv[3]}, 0, 1) AS new
          FROM sales)
) TO '{sys.argv[2]}' (HEADER)''')
"""

DUCKDB_COPY = r"""
import duckdb, sys
duckdb.sql(f'''COPY (
    FROM read_csv('{sys.argv[1]}', types={{'purchaseDate': 'VARCHAR', 'userID': 'VARCHAR', 'refID': 'VARCHAR'}})
) TO '{sys.argv[2]}' (HEADER)''')
"""

DUCKDB_CNT = r"""
import duckdb, sys
duckdb.sql(f'''COPY (
    SELECT 'pkey' AS field, count(DISTINCT userID) AS count FROM read_csv('{sys.argv[1]}')
    UNION ALL SELECT 'row', count(*) FROM read_csv('{sys.argv[1]}')
) TO '{sys.argv[2]}' (HEADER)''')
"""

DUCKDB_INF = r"""
import duckdb, sys
duckdb.sql(f'''COPY (
    SELECT count(DISTINCT userID) AS pkey, 1 AS var, count(*) AS sales FROM read_csv('{sys.argv[1]}')
) TO '{sys.argv[2]}' (HEADER)''')
"""

ARROW_SIZE = r"""
import sys, pyarrow as pa, pyarrow.csv
types = {'purchaseDate': pa.string(), 'userID': pa.string(), 'articleID': pa.int32(), 'price': pa.float64(),
         'refID': pa.string()}
table = pyarrow.csv.read_csv(sys.argv[1], convert_options=pyarrow.csv.ConvertOptions(column_types=types))
open(sys.argv[2], 'w').write(str(table.combine_chunks().nbytes))
"""

POLARS_SORT = r"""
import polars as pl, sys
types = {'purchaseDate': pl.String, 'userID': pl.String, 'refID': pl.String}
pl.scan_csv(sys.argv[1], schema_overrides=types).sort('userID', 'purchaseDate').sink_csv(sys.argv[2])
"""

GAWK_STATE = r"""
BEGIN { FS = ","; print "date,article,rises" }
NR > 1 { rises += $4 > before; before = $4; print $1 "," $3 "," rises + 0 }
"""

MILLER_STATE = r"""
begin {@rises = 0; @before = 0}
if ($price > @before) {@rises += 1}
@before = $price;
$rises = @rises
"""

ISAL = r"""
import sys
from isal import igzip
with igzip.open(sys.argv[1]) as file:
    while file.read(1 << 22):
        pass
"""

DUCKDB_FILES = r"""
import duckdb, sys
duckdb.sql(f'''COPY (
    SELECT userID, price
    FROM read_csv('{sys.argv[1]}/*.gz', types={{'userID': 'VARCHAR', 'refID': 'VARCHAR', 'purchaseDate': 'VARCHAR'}})
    WHERE price >= 4
) TO '{sys.argv[2]}' (HEADER)''')
"""

POLARS_FILES = r"""
import polars as pl, sys
types = {'purchaseDate': pl.String, 'userID': pl.String, 'articleID': pl.Int32, 'price': pl.Float64, 'refID': pl.String}
rows = pl.scan_csv(sys.argv[1] + '/*.gz', schema_overrides=types).filter(pl.col('price') >= 4)
rows.select('userID', 'price').sink_csv(sys.argv[2])
"""

DUCKDB_TOP = r"""
import duckdb, sys
duckdb.sql(f'''COPY (
    SELECT userID, sum(articleID) AS articles, count(*) AS bought
    FROM read_csv('{sys.argv[1]}/*.gz', types={{'userID': 'VARCHAR', 'refID': 'VARCHAR', 'purchaseDate': 'VARCHAR'}})
    GROUP BY userID ORDER BY articles DESC, userID DESC LIMIT 10
) TO '{sys.argv[2]}' (HEADER)''')
"""

BOTO3_LIST = r"""
import boto3, sys
with open(sys.argv[2], 'w') as out:
    print('key', file=out)
    for page in boto3.client('s3').get_paginator('list_objects_v2').paginate(Bucket=sys.argv[1]):
        for found in page.get('Contents', []):
            print(f"s3://{sys.argv[1]}/{found['Key']}", file=out)
"""

FILL_INDEX = r"""
import datetime, sys
from ess.lake import categories, select
from ess.lake.categories import Category
from ess.lake.entry import FileEntry
count = int(sys.argv[1])
files = []
for number in range(count):
    date = datetime.datetime(2014, 1, 1) + datetime.timedelta(days=number // 50 % 700)
    path = f'/logs/app{number % 50:02}/{date:%Y/%m/%d}/part-{number:07}.csv.gz'
    files.append(FileEntry(path, 1000 + number % 9000, 1.7e9 + number, date, version=f'{number:032x}'))
parts = {'all': files} | {f'app{part:02}': files[part::50] for part in range(50)}
for name, some in parts.items():
    listing = select.Listing(tuple(sorted(some, key=lambda entry: entry.order)))
    pattern = '/logs/*' if name == 'all' else f'/logs/{name}/*'
    made = select.with_new_files(Category(name, 'local', (pattern,), usecache=True), listing)
    categories.put(made)
    select.remember(made, listing, began=1.0)
"""

NAMES = r"""
import datetime, sys
shapes = ('logs/app{c:02}/{d:%Y/%m/%d}/part-{n:05}.gz', 'logs/svc{c:02}/dt={d:%Y-%m-%d}/{h:08x}.json.gz',
          'web/access_c{c:02}_{d:%Y%m%d}-{n:07}.log', 'web/c{c:02}-browse-{d:%Y-%m-%d}-{k:02}-part{n:06}.csv',
          'elb/12345678{c:02}/{d:%Y/%m/%d}/12345678{c:02}_elb_{d:%Y%m%d}T{k:02}00Z_10.0.0.{k}_{h:08x}.log')
days = [datetime.date(2013, 1, 1) + datetime.timedelta(days=day) for day in range(700)]
with open(sys.argv[2], 'w') as out:
    for n in range(int(sys.argv[1])):
        name = shapes[n % 5].format(c=n % 50, d=days[n // 50 % 700], n=n, h=n * 2654435761 % 2**32, k=n % 24)
        print(f's3://lake/{name}', file=out)
"""

CLASSIFY = r"""
import sys
from ess.lake.classify import Classifier, Group
from ess.lake.dates import AUTO, DateFinder
from ess.lake.patterns import Pattern, compile_globs
globs = ('logs/app{c:02}/*', 'logs/svc{c:02}/*.json.gz', 'web/*_c{c:02}_*.log', 'web/c{c:02}-*.csv',
         'elb/12345678{c:02}/*')
groups = [Group((Pattern('s3://lake/' + globs[c % 5].format(c=c)),), None, AUTO) for c in range(50)]
if sys.argv[2] == '1':
    of = Classifier(groups).of
else:
    tests = [(number, compile_globs((g.patterns[0].text,)).match, len(g.patterns[0].base))
             for number, g in enumerate(groups)]
    find = DateFinder(AUTO).find
    def of(name):
        return [(number, find(name, base)) for number, match, base in tests if match(name)]
found = [{} for _ in groups]
with open(sys.argv[1]) as names:
    for name in names:
        for number, date in of(name.rstrip()):
            found[number][date.date] = found[number].get(date.date, 0) + 1
with open(sys.argv[3], 'w') as out:
    print('category,date,files', file=out)
    for number, dates in enumerate(found):
        for date, count in sorted(dates.items()):
            print(f'{number},{date},{count}', file=out)
"""
