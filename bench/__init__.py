"""How good the optimizers are: fixed training tasks and benchmarks, in each framework.

The folder is two things at once. It is asv's ``benchmark_dir``: `throughput`, `timed`, `memory`, `startup`,
`convergence` and `stability` hold the benchmarks. And it is a package of its own, ``python -m bench``: a folder for
each of its larger commands (`compare`, `track`, `changes`, `speed`, `prepare`, `gpu`), the fixed tasks in `tasks`, and
what the documentation quotes in ``bench/results``.

asv imports every module of this package in an environment that has one framework only. Therefore
``bench/frameworks`` has no ``__init__.py``: asv's discovery does not walk into namespace packages, and a
module there may import its framework at the top. `bench.names.load_framework` imports the one asked for.
The modules that asv loads for each single figure import nothing heavier than the standard library at the
top, because a run reads several hundred figures, each in a process of its own.

Of ``alphaadam`` only the public API is used: asv installs the wheel of the commit that it measures.
"""
