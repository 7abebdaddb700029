"""Clusters: where they come from, and how files and commands run on them (``ess stream``, ``ess exec``).

The modules, from what a user asks for down to processes:

The jobs:
    - ``stream``: ``ess stream``, a command on each file (:mod:`ess.cli.stream` reads the command line).
    - ``scanning``: finds what is in the files of a category, by such a stream.
    - ``node_files``: ``ess file``, files pushed to the nodes and fetched from them.
    - ``execute``: ``ess exec``, a command on each node; ``database_calls``: which commands run once instead.
    - ``report``: sums, failures and interruptions, and the lines that tell of them.
    - ``ledger``: the file that says which files are done, for ``--resume``.

Sharing out the work of a job:
    - ``shares``: which files go through one command (``--bulk``); ``targets``: names of the objects of ``--s3out``.
    - ``bundles``: which files go together; ``dispatch``: which bundle goes where, also when nodes are lost.
    - ``driver``: the loop that starts bundles and takes their results; ``delivery``: output in file order;
      ``unbroken``: holds Ctrl-C back meanwhile; ``outputs``: brings it here from the nodes.
    - ``opening``: picks what runs the bundles; ``embedded``: this process does; ``runtime``: Dask's workers do.
    - ``processors``: how many files at a time this process takes, if nobody says.
    - ``node``: what the Dask runtime calls inside a worker.

Running one command, on whatever node:
    - ``work``: the command of a job on each file of a bundle; ``commands``: feeds it, waits for it, reads its counts.
    - ``contents``: several files as one input; ``uploads``: makes an object of an output.
    - ``plain_pipelines``: which commands need no shell; ``program_runs``: a program that only reads and writes;
      ``spawning``: starts it; ``used_again``: the files that it writes to; ``tool_runs``: those of our own tools;
      ``tool_calls``: asks a tool server for them; ``held_input``: an input in
      memory, ``prefetch``: those of the next files.
    - ``import_places``: how imports in a command are told apart, so that each counts once.
    - ``substitution``: ``%file`` and the like, put in as data; ``quoting``: how bash reads the text around them.
    - ``user_environment``: environment, folder and umask of the user; ``warm``: a tool server, so that ``aq_*`` start
      faster.
    - ``leftovers``: folders of processes that are gone.
    - ``groups``: a session for each command; ``reaper``: the process that ends them when their worker is killed.
    - ``watch``: tells of processes that are stopped, and does without those of ours.

The machines:
    - ``providers``: create, stop, start and terminate a cluster; ``lifecycle``: what to do for it, as pure decisions.
    - ``node_databases``: database servers on hosts, and what they have to know.
    - ``machines``: who makes, lists and ends machines; ``host``: a machine as seen from here (run, put, get), and
      ``host_processes``: its processes; ``ssh_host``: one that SSH reaches, ``host_machines``: those as nodes,
      ``program``: this program as a file for them; ``inputs``: files of this disk on the way to them; ``daemons``:
      scheduler, workers and database servers, started over hosts;
      ``daemon``: the program of scheduler and workers.
    - ``cloud``: machines of EC2, which ``ess cluster set cloud`` does not take yet.
    - ``state``: the files that describe the cluster; ``processes``: process numbers that are never mistaken.
    - ``versions``: what must be equal everywhere; ``asking``: its processes say it themselves.
    - ``security``: certificates, as Dask wants them; ``strangers``: bounds on peers that have shown none.
"""
