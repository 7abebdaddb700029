"""The benchmark: works that our tools and their peers do side by side, with results that are compared.

``python -m bench`` with ``scripts`` on the path (``make bench``) makes the data, runs the works and writes the table.

- `bench.data`: the inputs, made once from a seed;
- `bench.work`: what a work, a contestant and a goal are;
- `bench.works_tools`, `bench.works_start`, `bench.works_stream`, `bench.works_lake`, `bench.works_udb`,
  `bench.works_udb_asked`: the works, one function a row;
- `bench.servers`: the database servers of a work; `bench.clients`: many clients of them at once;
- `bench.lake`: the category of a work; `bench.static_s3`: a cheap store for one; `bench.listing_s3`: one of keys alone;
  `bench.http_server`: what both speak;
- `bench.programs`: what the peers run;
- `bench.process`: running a command and measuring it;
- `bench.equal`: telling whether two outputs say the same;
- `bench.report`: the table.

A new work is a function from `Data` to `Work`, named in the table ``WORKS`` of its module; a new module of works is
named in ``bench.__main__``.
"""
